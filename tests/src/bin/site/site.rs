//! What runs behind the site, and what a test can do to it.

use std::sync::Arc;

use dev::postgres::Server;
use serde_json::{Value, json};
use tests::Instance;
use tests::postgres::Database;

use crate::application::Application;
use crate::gateway::{self, Gateway};
use crate::network::{acceptor, listen, localhost_rules, rules};
use crate::options::Options;
use crate::shape::{Addresses, Shape};
use crate::watch::{self, Watch};

/// The site. It ends when this is dropped.
pub(crate) struct Site {
    postgres: Server,
    gateway: Arc<Gateway>,
    resolver_rules: String,
    /// Serves in place of the gateway.
    watch: Option<Watch>,
}

impl Site {
    pub(crate) async fn start(options: &Options) -> Self {
        let postgres = Server::start_temporary(None).await.unwrap();
        Database::of(&postgres).migrate().await;
        let (listener, port) = listen().await;
        let mut applications = Vec::new();
        let sibling = options.sibling.then(Addresses::sibling);
        for addresses in [options.shape.addresses(port)].into_iter().chain(sibling) {
            let dir = format!("clerk-{}", applications.len());
            let dir = postgres.folder().join(dir);
            applications.push(Application::new(addresses, &postgres, dir, options).await);
        }
        let gateway = Arc::new(Gateway {
            applications,
            cookies: options.cookies,
        });

        let addresses = gateway.addresses();
        let (tls, resolver_rules) = match options.shape {
            Shape::Proxy | Shape::Watch => (None, localhost_rules()),
            Shape::Development | Shape::Production => {
                (Some(acceptor(&addresses)), rules(&addresses, port))
            }
        };
        let mut watch = None;
        if options.shape == Shape::Watch {
            drop(listener);
            let functions = gateway.applications[0].functions.read().await;
            watch = Some(watch::start(&functions, port, postgres.folder()).await);
        } else {
            for application in &gateway.applications {
                application.deploy(&application.stand_in.jwt_key()).await;
            }
            tokio::spawn(gateway::serve(Arc::clone(&gateway), listener, tls));
        }
        Self {
            postgres,
            gateway,
            resolver_rules,
            watch,
        }
    }

    /// The addresses, and how browsers find them.
    pub(crate) fn description(&self) -> Value {
        let applications = self.gateway.applications.iter();
        let described: Vec<_> = applications.map(Application::description).collect();
        json!({ "applications": described, "resolverRules": self.resolver_rules })
    }

    /// Executes a command of a test; most have no result.
    pub(crate) async fn execute(&mut self, command: &str) -> Option<String> {
        if let Some(user_id) = command.strip_prefix("expired token ") {
            return Some(self.application().expired_token(user_id));
        }
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
            "key right" => self.deploy(&self.application().stand_in.jwt_key()).await,
            _ => panic!("no such command: {command}"),
        }
        None
    }

    async fn rename_table(&self, from: &str, to: &str) {
        let client = Database::of(&self.postgres).connect().await;
        let rename = format!("ALTER TABLE {from} RENAME TO {to}");
        client.batch_execute(&rename).await.unwrap();
    }

    async fn deploy(&self, jwt_key: &str) {
        assert!(
            self.watch.is_none(),
            "cargo lambda watch keeps its environment"
        );
        self.application().deploy(jwt_key).await;
    }

    /// The application that commands are for.
    fn application(&self) -> &Application {
        &self.gateway.applications[0]
    }
}
