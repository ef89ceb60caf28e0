//! One application: its functions and its Clerk instance.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clerk_stand_in::{Config, StandIn, server};
use dev::postgres::Server;
use dev::tools;
use serde_json::{Value, json};
use tests::postgres::Database;
use tests::{App, Function};
use tokio::sync::RwLock;

use crate::network::listen;
use crate::options::Options;
use crate::shape::Addresses;

/// How long the token is valid that a test without a browser gets, in seconds.
const TOKEN_AGE: u64 = 3600;

/// An application and the Clerk instance that belongs to it.
pub(crate) struct Application {
    database: Database,
    pub(crate) addresses: Addresses,
    pub(crate) stand_in: Arc<StandIn>,
    pub(crate) functions: RwLock<App>,
}

impl Application {
    /// The instance is kept in `dir`. No function is started yet.
    pub(crate) async fn new(
        addresses: Addresses,
        postgres: &Server,
        dir: PathBuf,
        options: &Options,
    ) -> Self {
        let config = Config {
            dir,
            publishable_key: addresses.publishable_key.clone(),
            frontend_api: addresses.frontend_api.clone(),
            accounts: addresses.accounts.clone(),
            app_origin: addresses.app.clone(),
            node_modules: tools::fetch_packages(tools::DEV_PACKAGES, None)
                .await
                .unwrap(),
            token_ttl_secs: options.token_ttl,
        };
        let database = Database::of(postgres);
        // The last two are for the stand-in, which is a function too under
        // cargo lambda watch.
        let mut functions = App::deployed_on(&database)
            .with("CLERK_PUBLISHABLE_KEY", &addresses.publishable_key)
            .with("CLERK_PROXY_URL", &addresses.proxy_url)
            .with(
                "CLERK_SIGN_IN_URL",
                &format!("{}/sign-in", addresses.accounts),
            )
            .with("PUBLIC_ORIGIN", &addresses.app)
            .with("CLERK_STAND_IN_DIR", &config.dir.to_string_lossy())
            .with(
                "CLERK_STAND_IN_NODE_MODULES",
                &config.node_modules.to_string_lossy(),
            );
        let stand_in = StandIn::open(config).unwrap().with(options.switches());
        let stand_in = Arc::new(stand_in);
        functions = functions
            .with("CLERK_JWT_KEY", &stand_in.jwt_key())
            .with("CLERK_WEBHOOK_SIGNING_SECRET", stand_in.webhook_secret());
        if options.proxy_issuer {
            functions = functions.with("CLERK_ISSUER", &addresses.frontend_api);
        }
        if options.authorized_party {
            functions = functions.with("CLERK_AUTHORIZED_PARTIES", &addresses.app);
        }
        if options.secret_key {
            functions = functions
                .with("CLERK_SECRET_KEY", stand_in.secret_key())
                .with("CLERK_API_URL", &backend_api(&stand_in, &addresses).await);
        }
        Self {
            functions: RwLock::new(functions),
            stand_in,
            database,
            addresses,
        }
    }

    /// A session token that expired a minute ago.
    pub(crate) fn expired_token(&self, user_id: &str) -> String {
        let token = self.stand_in.token(user_id, 60).unwrap();
        let mut parts = token.split('.').map(|part| {
            let json = URL_SAFE_NO_PAD.decode(part).unwrap();
            serde_json::from_slice::<Value>(&json)
        });
        let header = parts.next().unwrap().unwrap();
        let mut claims = parts.next().unwrap().unwrap();
        for name in ["iat", "nbf", "exp"] {
            claims[name] = (claims[name].as_u64().unwrap() - 120).into();
        }
        self.stand_in.sign(&header, &claims).unwrap()
    }

    /// The addresses and a session token, for a test.
    pub(crate) fn description(&self) -> Value {
        json!({
            "token": self.stand_in.token("user_ada", TOKEN_AGE).unwrap(),
            "origin": self.addresses.app,
            "frontendApi": self.addresses.frontend_api,
            "accounts": self.addresses.accounts,
        })
    }

    /// Replaces the functions by some with this `CLERK_JWT_KEY` and starts them,
    /// so that no browser waits for their build.
    pub(crate) async fn deploy(&self, jwt_key: &str) {
        let mut functions = App::deployed_on(&self.database);
        for (name, value) in self.functions.read().await.variables() {
            functions = functions.with(name, value);
        }
        functions = functions.with("CLERK_JWT_KEY", jwt_key);
        for function in Function::all() {
            functions.environment(function).await;
        }
        *self.functions.write().await = functions;
    }
}

/// An address at which the functions reach the Backend API: the hosts that
/// browsers are told of do not exist for them.
async fn backend_api(stand_in: &Arc<StandIn>, addresses: &Addresses) -> String {
    if !addresses.proxy_url.is_empty() {
        return addresses.proxy_url.clone();
    }
    let (listener, port) = listen().await;
    tokio::spawn(server::serve(Arc::clone(stand_in), listener, None));
    format!("http://127.0.0.1:{port}")
}
