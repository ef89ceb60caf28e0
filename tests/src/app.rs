//! The functions behind their routes.

use serde_json::Value;
use std::collections::BTreeMap;
use tokio::sync::OnceCell;

use crate::clerk::{Instance, User};
use crate::environment::{Environment, Variables};
use crate::event::{Event, Sender};
use crate::function::Function;
use crate::hosts::Hosts;
use crate::postgres::Database;
use crate::response::Response;
use crate::runtime_api::Outcome;

/// The application: an execution environment for each function, started when
/// its first request comes.
pub struct App {
    /// The Clerk instance with its users.
    pub instance: &'static Instance,
    variables: Variables,
    hosts: Option<Hosts>,
    sender: Sender,
    environments: BTreeMap<&'static str, OnceCell<Environment>>,
}

impl App {
    /// As it is deployed: a production instance, https, API Gateway.
    pub async fn deployed() -> Self {
        Self::deployed_on(&Database::shared().await)
    }

    /// As it is deployed, on this database.
    pub fn deployed_on(database: &Database) -> Self {
        Self::new(Instance::production(), database, Sender::ApiGateway)
    }

    /// As a developer runs it: a development instance, `cargo lambda watch`.
    pub async fn local() -> Self {
        let database = Database::shared().await;
        let app = Self::new(Instance::development(), &database, Sender::CargoLambdaWatch);
        let stand_in = format!("{}/__clerk", app.instance.origin);
        app.with("CLERK_SIGN_IN_URL", &format!("{stand_in}/sign-in"))
            .with("CLERK_PROXY_URL", &stand_in)
    }

    /// As it is deployed, and as a developer runs it.
    pub async fn both() -> [Self; 2] {
        [Self::deployed().await, Self::local().await]
    }

    fn new(instance: &'static Instance, database: &Database, sender: Sender) -> Self {
        let app = Self {
            instance,
            variables: instance.variables(),
            hosts: None,
            sender,
            environments: Function::all()
                .into_iter()
                .map(|function| (function.name(), OnceCell::new()))
                .collect(),
        };
        // The template sets both: without the second the system's bundle is
        // loaded at each start and then not used.
        app.with("DATABASE_URL", &database.url)
            .with("SSL_CERT_FILE", &database.ca.to_string_lossy())
    }

    /// Sets an environment variable.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.insert(name, value.to_owned());
        self
    }

    /// Removes an environment variable.
    pub fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// Lets the functions resolve names with this file.
    pub fn with_hosts(mut self, hosts: &Hosts) -> Self {
        self.hosts = Some(hosts.clone());
        self
    }

    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// A new user who is signed in.
    pub fn user(&self) -> User {
        self.instance.user()
    }

    /// The execution environment of a function, started if need be.
    pub async fn environment(&self, function: Function) -> &Environment {
        self.environments[function.name()]
            .get_or_init(|| Environment::start(function, &self.variables, self.hosts.as_ref()))
            .await
    }

    /// Sends a request to the function of its route.
    pub async fn send(&self, event: Event) -> Response {
        let function = Function::route(event.method(), event.path());
        let payload = event.payload(self.sender);
        let confidential = event.confidential();
        self.invoke(function, payload, &confidential).await
    }

    /// Invokes a function with any event.
    pub async fn invoke(
        &self,
        function: Function,
        payload: Value,
        confidential: &[String],
    ) -> Response {
        let environment = self.environment(function).await;
        match environment.invoke(payload, confidential).await {
            Outcome::Response(response) => Response::read(&response),
            Outcome::Error(error) => panic!("{} failed: {error}", function.name()),
        }
    }

    /// An event for [`App::invoke`], to be changed before.
    pub fn payload(&self, event: &Event) -> Value {
        event.payload(self.sender)
    }

    /// What the functions have printed.
    pub fn log(&self) -> String {
        let running = self.environments.values().filter_map(OnceCell::get);
        running.map(Environment::log).collect()
    }
}
