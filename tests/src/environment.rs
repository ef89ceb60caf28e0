//! One function's process, started as Lambda starts an execution environment.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::time::{sleep, timeout};

use crate::function::Function;
use crate::runtime_api::{Outcome, RuntimeApi};

/// Environment variables by name. The process gets no others of ours.
pub type Variables = BTreeMap<&'static str, String>;

/// Longest time that Lambda gives a function to initialize.
const INIT: Duration = Duration::from_secs(10);

/// How often the process is looked at.
const PAUSE: Duration = Duration::from_millis(10);

/// A running execution environment.
///
/// When it is dropped the process ends, and nothing confidential may have been
/// printed: not the database password, no token, no cookie, no quote.
pub struct Environment {
    child: Mutex<Child>,
    runtime_api: RuntimeApi,
    log: NamedTempFile,
    confidential: Mutex<Vec<String>>,
}

impl Environment {
    /// Starts a function and waits until it is ready for an invocation.
    ///
    /// # Panics
    /// When it ends instead.
    pub async fn start(function: Function, variables: &Variables) -> Self {
        let environment = Self::spawn(function, variables).await;
        environment
            .while_running(timeout(INIT, environment.runtime_api.initialized()))
            .await
            .unwrap_or_else(|_| panic!("no init in time: {}", environment.log()));
        environment
    }

    /// Starts a function whose configuration is wrong; waits until it ends.
    /// Returns how, and what it printed.
    ///
    /// # Panics
    /// When it asks for an invocation instead.
    pub async fn fail(function: Function, variables: &Variables) -> (ExitStatus, String) {
        let environment = Self::spawn(function, variables).await;
        let status = tokio::select! {
            status = environment.ended() => status,
            () = environment.runtime_api.initialized() => panic!("{} started", function.name()),
        };
        (status, environment.log())
    }

    async fn spawn(function: Function, variables: &Variables) -> Self {
        let runtime_api = RuntimeApi::start().await;
        let log = NamedTempFile::new().unwrap();
        let child = Command::new(function.binary())
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api.address().to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", function.name())
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .envs(variables)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.as_file().try_clone().unwrap())
            .stderr(log.as_file().try_clone().unwrap())
            .spawn()
            .expect("a binary that was built can be started");
        Self {
            child: Mutex::new(child),
            runtime_api,
            log,
            confidential: Mutex::new(passwords(variables)),
        }
    }

    /// Hands an event to the function. `confidential` lists what is in it that
    /// must not be printed.
    ///
    /// # Panics
    /// When the process ends or exceeds its timeout.
    pub async fn invoke(&self, event: Value, confidential: &[String]) -> Outcome {
        self.confidential
            .lock()
            .unwrap()
            .extend_from_slice(confidential);
        self.while_running(self.runtime_api.invoke(event)).await
    }

    /// What the process has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap()
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> Pid {
        Pid::from_raw(self.child.lock().unwrap().id().cast_signed())
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        kill(self.process(), signal).unwrap();
    }

    async fn while_running<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            result = work => result,
            status = self.ended() => panic!("the process ended ({status}): {}", self.log()),
        }
    }

    async fn ended(&self) -> ExitStatus {
        loop {
            if let Some(status) = self.child.lock().unwrap().try_wait().unwrap() {
                return status;
            }
            sleep(PAUSE).await;
        }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("{log}");
            return;
        }
        for secret in self.confidential.get_mut().unwrap() {
            assert!(!log.contains(&*secret), "{secret:?} was printed: {log}");
        }
    }
}

/// The passwords in database URLs.
fn passwords(variables: &Variables) -> Vec<String> {
    let urls = variables
        .values()
        .filter_map(|value| url::Url::parse(value).ok());
    urls.filter_map(|url| url.password().map(str::to_owned))
        .collect()
}
