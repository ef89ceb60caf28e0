//! The environment variables of the functions: which parts are local, which real.

use std::{collections::BTreeMap, env, ffi::OsStr, process::Command};

use anyhow::bail;

use crate::{
    console, env_file,
    local_clerk::{self, LocalClerk},
    workspace::Workspace,
};

/// The settings of one run, from `.env` and the port.
pub(crate) struct Settings {
    variables: BTreeMap<String, String>,
    /// Whether Postgres is the local one.
    pub(crate) local_database: bool,
    /// Whether Clerk is the stand-in.
    pub(crate) local_clerk: bool,
}

impl Settings {
    /// Reads `.env`.
    ///
    /// # Errors
    /// A malformed `.env`, or one with half of Clerk's settings.
    pub(crate) fn read(workspace: &Workspace, port: u16) -> anyhow::Result<Self> {
        let variables = env_file::read(&workspace.root().join(".env"))?;
        for name in variables.keys().filter(|name| configures_clerk(name)) {
            if !env_file::known_names().any(|known| known == name) {
                console::print(format_args!(
                    "{name} in .env is not a setting of this application"
                ));
            }
        }
        Self::from_variables(variables, port)
    }

    pub(crate) fn from_variables(
        mut variables: BTreeMap<String, String>,
        port: u16,
    ) -> anyhow::Result<Self> {
        let local_clerk = !variables.contains_key("CLERK_PUBLISHABLE_KEY");
        if local_clerk && let Some(name) = variables.keys().find(|name| configures_clerk(name)) {
            bail!(".env has {name} but no CLERK_PUBLISHABLE_KEY: set that too, or neither");
        }
        let local_database = !variables.contains_key("DATABASE_URL");
        if local_database {
            variables.remove("PGSSLROOTCERT");
        }
        // The owner's password is for `make migrate` only.
        variables.remove("MIGRATION_DATABASE_URL");
        if local_clerk || !variables.contains_key("PUBLIC_ORIGIN") {
            variables.insert("PUBLIC_ORIGIN".to_owned(), local_clerk::origin(port));
        }
        Ok(Self {
            variables,
            local_database,
            local_clerk,
        })
    }

    /// Fills in the stand-in for Clerk, unless `.env` names an instance: then only
    /// the secret of its webhook, if that is missing.
    ///
    /// # Errors
    /// If the stand-in's key cannot be read or made.
    pub(crate) fn add_clerk(&mut self, clerk: &LocalClerk) -> anyhow::Result<()> {
        for (name, value) in clerk.variables()? {
            if self.local_clerk || name == local_clerk::WEBHOOK_SECRET {
                self.variables.entry(name.to_owned()).or_insert(value);
            }
        }
        Ok(())
    }

    /// Fills in the local database.
    pub(crate) fn add_database(&mut self, url: String) {
        self.variables.insert("DATABASE_URL".to_owned(), url);
    }

    /// The value of a variable, if it is set.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Gives `command` these settings and none of the caller's: what the
    /// functions do depends on the clone only.
    pub(crate) fn apply_to(&self, command: &mut Command) {
        for (name, _value) in env::vars_os() {
            if configures_functions(&name) {
                command.env_remove(name);
            }
        }
        command.envs(&self.variables);
    }
}

/// Whether a variable of the caller would change what the functions do.
fn configures_functions(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    configures_clerk(&name)
        || ["AWS_LAMBDA_", "CARGO_LAMBDA_", "CARGO_PKG_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        || [
            "DATABASE_URL",
            "MIGRATION_DATABASE_URL",
            "PGSSLROOTCERT",
            "PUBLIC_ORIGIN",
        ]
        .contains(&&*name)
}

fn configures_clerk(name: &str) -> bool {
    name.starts_with("CLERK_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings_from(variables: &[(&str, &str)]) -> anyhow::Result<Settings> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        Settings::from_variables(variables.collect(), 9000)
    }

    #[test]
    fn without_a_file_everything_is_local() {
        let settings = settings_from(&[]).unwrap();
        assert!(settings.local_clerk && settings.local_database);
        assert_eq!(settings.get("PUBLIC_ORIGIN"), Some("http://localhost:9000"));
    }

    #[test]
    fn each_part_is_replaced_by_itself() {
        let database = settings_from(&[("DATABASE_URL", "x"), ("PGSSLROOTCERT", "y")]).unwrap();
        assert!(database.local_clerk && !database.local_database);
        assert_eq!(database.get("PGSSLROOTCERT"), Some("y"));

        let clerk =
            settings_from(&[("CLERK_PUBLISHABLE_KEY", "x"), ("PGSSLROOTCERT", "y")]).unwrap();
        assert!(!clerk.local_clerk && clerk.local_database);
        assert_eq!(clerk.get("PGSSLROOTCERT"), None);
    }

    #[test]
    fn half_of_clerks_settings_are_refused() {
        let error = settings_from(&[("CLERK_JWT_KEY", "secret")])
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("CLERK_JWT_KEY") && !error.contains("secret"),
            "{error}"
        );
    }

    #[test]
    fn the_callers_own_variables_do_not_get_through() {
        for name in ["DATABASE_URL", "CLERK_ISSUER", "CARGO_LAMBDA_INVOKE_PORT"] {
            assert!(configures_functions(OsStr::new(name)), "{name}");
        }
        assert!(!configures_functions(OsStr::new("PATH")));
    }
}
