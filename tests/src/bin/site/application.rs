//! One application: its functions and its Clerk instance.

use std::path::PathBuf;
use std::sync::Arc;

use clerk_stand_in::{Config, StandIn};
use dev::postgres::Server;
use dev::tools;
use serde_json::{Value, json};
use tests::postgres::Database;
use tests::{App, Function};
use tokio::sync::RwLock;

use crate::options::Options;
use crate::shape::Addresses;

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
        let functions = App::deployed_on(&database)
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
        let stand_in = StandIn::open(config).unwrap();
        Self {
            functions: RwLock::new(functions.with("CLERK_JWT_KEY", &stand_in.jwt_key())),
            stand_in: Arc::new(stand_in),
            database,
            addresses,
        }
    }

    /// The addresses, for a test.
    pub(crate) fn description(&self) -> Value {
        json!({
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
