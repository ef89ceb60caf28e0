//! One function's process, started as Lambda starts an execution environment.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use hyper::body::Bytes;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::time::{sleep, timeout};

use crate::function::Function;
use crate::hosts::Hosts;
use crate::runtime_api::{Outcome, RuntimeApi};

/// Environment variables by name. The process gets none of the test's own.
pub type Variables = BTreeMap<&'static str, String>;

/// Longest time that Lambda gives a function to initialize.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the process is asked whether it has ended.
const EXIT_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A running execution environment.
///
/// When it is dropped the process ends. Then it panics if the process has
/// printed something confidential, or reported it to Lambda: the database
/// password, a token, a cookie, a quote.
pub struct Environment {
    child: Mutex<Child>,
    runtime_api: RuntimeApi,
    log: NamedTempFile,
    confidential: Mutex<Vec<String>>,
}

impl Environment {
    /// Starts a function, with an `/etc/hosts` of its own where one is given, and
    /// waits until it is ready for an invocation.
    pub async fn start(function: Function, variables: &Variables, hosts: Option<&Hosts>) -> Self {
        let binary = function.binary();
        let command = match hosts {
            Some(hosts) => hosts.command(&binary),
            None => Command::new(binary),
        };
        Self::start_program(function.name(), command, variables).await
    }

    /// Starts any program that is written as a function.
    pub async fn start_program(name: &str, program: Command, variables: &Variables) -> Self {
        let environment = Self::spawn(name, program, variables).await;
        environment
            .while_running(timeout(
                INIT_TIMEOUT,
                environment.runtime_api.wait_until_initialized(),
            ))
            .await
            .unwrap_or_else(|_| panic!("no init in time: {}", environment.log()));
        environment
    }

    /// Starts a function whose configuration is wrong and waits until it ends;
    /// returns its status and what it printed.
    pub async fn fail_to_start(function: Function, variables: &Variables) -> (ExitStatus, String) {
        let program = Command::new(function.binary());
        let environment = Self::spawn(function.name(), program, variables).await;
        let status = tokio::select! {
            status = environment.wait_for_exit() => status,
            () = environment.runtime_api.wait_until_initialized() => panic!("{} started", function.name()),
        };
        (status, environment.log())
    }

    async fn spawn(name: &str, mut program: Command, variables: &Variables) -> Self {
        let runtime_api = RuntimeApi::start().await;
        let log = NamedTempFile::new().unwrap();
        let child = program
            .env_clear()
            .envs(runtime_api.variables(name))
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
            confidential: Mutex::new(secrets(variables)),
        }
    }

    /// Invokes the function with an event. `confidential` lists what is in it
    /// that must not be printed.
    pub async fn invoke(&self, event: Value, confidential: &[String]) -> Outcome {
        self.invoke_bytes(event.to_string().into(), confidential)
            .await
    }

    /// The same with what may be no JSON.
    pub async fn invoke_bytes(&self, event: Bytes, confidential: &[String]) -> Outcome {
        self.confidential
            .lock()
            .unwrap()
            .extend_from_slice(confidential);
        self.while_running(self.runtime_api.invoke_bytes(event))
            .await
    }

    /// What the process has printed.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log.path()).unwrap()).into_owned()
    }

    pub fn process(&self) -> Pid {
        Pid::from_raw(self.child.lock().unwrap().id().cast_signed())
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.process(), signal).unwrap();
    }

    async fn while_running<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            result = work => result,
            status = self.wait_for_exit() => panic!("the process ended ({status}): {}", self.log()),
        }
    }

    async fn wait_for_exit(&self) -> ExitStatus {
        loop {
            if let Some(status) = self.child.lock().unwrap().try_wait().unwrap() {
                return status;
            }
            sleep(EXIT_POLL_INTERVAL).await;
        }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let log = self.log() + &self.runtime_api.error_reports();
        if std::thread::panicking() {
            eprintln!("{log}");
            return;
        }
        for secret in self.confidential.get_mut().unwrap() {
            assert!(
                !log.contains(&*secret),
                "{secret:?} was printed or reported: {log}"
            );
        }
    }
}

/// The passwords in database URLs, and the webhook's secret.
fn secrets(variables: &Variables) -> Vec<String> {
    let urls = variables
        .values()
        .filter_map(|value| url::Url::parse(value).ok());
    let passwords = urls.filter_map(|url| url.password().map(str::to_owned));
    let webhook = variables.get("CLERK_WEBHOOK_SIGNING_SECRET");
    let webhook = webhook.into_iter().flat_map(|secrets| secrets.split(' '));
    let webhook = webhook.filter(|secret| !secret.is_empty());
    passwords.chain(webhook.map(str::to_owned)).collect()
}
