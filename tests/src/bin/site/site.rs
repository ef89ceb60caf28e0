//! What runs behind the site, and what a test can do to it.

use std::sync::Arc;

use clerk_stand_in::{Config, StandIn, server};
use dev::postgres::Server;
use dev::tools;
use serde_json::{Value, json};
use tests::postgres::Database;
use tests::{App, Function, Instance};

use crate::gateway::{self, Gateway};
use crate::network::{acceptor, listen, localhost_rules, rules};
use crate::shape::{Addresses, Shape};
use crate::watch::{self, Watch};

/// The site. It ends when this is dropped.
pub(crate) struct Site {
    postgres: Server,
    stand_in: Arc<StandIn>,
    addresses: Addresses,
    resolver_rules: String,
    router: Router,
}

/// What routes requests to the functions.
enum Router {
    Gateway(Arc<Gateway>),
    #[expect(dead_code, reason = "it ends when it is dropped")]
    Watch(Watch),
}

impl Site {
    pub(crate) async fn start(shape: Shape, token_ttl_secs: u64) -> Self {
        let postgres = Server::start_temporary(None).await.unwrap();
        Database::of(&postgres).migrate().await;
        let (listener, port) = listen().await;
        let addresses = shape.addresses(port);
        let config = Config {
            dir: postgres.folder().join("clerk"),
            publishable_key: addresses.publishable_key.clone(),
            frontend_api: addresses.frontend_api.clone(),
            accounts: addresses.accounts.clone(),
            app_origin: addresses.app.clone(),
            node_modules: tools::fetch_packages(tools::DEV_PACKAGES, None)
                .await
                .unwrap(),
            token_ttl_secs,
        };
        let stand_in = Arc::new(StandIn::open(config.clone()).unwrap());
        let app = app(&postgres, &addresses, &stand_in.jwt_key());

        let (router, resolver_rules) = match shape {
            Shape::Watch => {
                drop(listener);
                let watch = watch::start(&app, &config, port, postgres.folder()).await;
                (Router::Watch(watch), localhost_rules())
            }
            Shape::Proxy => {
                let gateway = Gateway::new(start_functions(app).await, Some(Arc::clone(&stand_in)));
                let gateway = Arc::new(gateway);
                tokio::spawn(gateway::serve(Arc::clone(&gateway), listener, None));
                (Router::Gateway(gateway), localhost_rules())
            }
            Shape::Development | Shape::Production => {
                let gateway = Arc::new(Gateway::new(start_functions(app).await, None));
                let Addresses {
                    app,
                    frontend_api,
                    accounts,
                    ..
                } = &addresses;
                let tls = acceptor(&[app, frontend_api, accounts]);
                let (clerks, clerks_port) = listen().await;
                let served = server::serve(Arc::clone(&stand_in), clerks, Some(tls.clone()));
                tokio::spawn(served);
                tokio::spawn(gateway::serve(Arc::clone(&gateway), listener, Some(tls)));
                let hosts = [
                    (app, port),
                    (frontend_api, clerks_port),
                    (accounts, clerks_port),
                ];
                (
                    Router::Gateway(gateway),
                    rules(&hosts.map(|(address, port)| (address.as_str(), port))),
                )
            }
        };
        Self {
            postgres,
            stand_in,
            addresses,
            resolver_rules,
            router,
        }
    }

    /// The addresses, and how Chromium finds them.
    pub(crate) fn description(&self) -> Value {
        json!({
            "origin": self.addresses.app,
            "frontendApi": self.addresses.frontend_api,
            "accounts": self.addresses.accounts,
            "resolverRules": self.resolver_rules,
        })
    }

    /// Executes a command of a test.
    pub(crate) async fn execute(&mut self, command: &str) {
        match command {
            "database stop" => self.postgres.halt().await.unwrap(),
            "database start" => self.postgres.resume().await.unwrap(),
            // Statements fail, as after a bad migration.
            "table hide" => self.rename_table("user_messages", "hidden").await,
            "table show" => self.rename_table("hidden", "user_messages").await,
            // The functions have the key of another instance.
            "key wrong" => {
                self.deploy(&Instance::impostor().stand_in().jwt_key())
                    .await
            }
            "key right" => self.deploy(&self.stand_in.jwt_key()).await,
            _ => panic!("no such command: {command}"),
        }
    }

    async fn rename_table(&self, from: &str, to: &str) {
        let client = Database::of(&self.postgres).connect().await;
        let rename = format!("ALTER TABLE {from} RENAME TO {to}");
        client.batch_execute(&rename).await.unwrap();
    }

    /// Replaces the functions by some with this `CLERK_JWT_KEY`.
    async fn deploy(&self, jwt_key: &str) {
        let app = app(&self.postgres, &self.addresses, jwt_key);
        match &self.router {
            Router::Gateway(gateway) => gateway.replace(start_functions(app).await).await,
            Router::Watch(_) => panic!("cargo lambda watch keeps its environment"),
        }
    }
}

fn app(postgres: &Server, addresses: &Addresses, jwt_key: &str) -> App {
    App::deployed_on(&Database::of(postgres))
        .with("CLERK_PUBLISHABLE_KEY", &addresses.publishable_key)
        .with("CLERK_JWT_KEY", jwt_key)
        .with("CLERK_PROXY_URL", &addresses.proxy_url)
        .with(
            "CLERK_SIGN_IN_URL",
            &format!("{}/sign-in", addresses.accounts),
        )
        .with("PUBLIC_ORIGIN", &addresses.app)
}

/// Starts the functions, so that no browser waits for their build.
async fn start_functions(app: App) -> App {
    for function in Function::all() {
        app.environment(function).await;
    }
    app
}
