//! The stand-in for Clerk of one clone and one port.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clerk_stand_in::{Config, StandIn, keys::publishable_key};

use crate::{files, workspace::Workspace};

/// How long a session token is valid, in seconds; Clerk's are as short.
const SESSION_TOKEN_AGE: u64 = 60;

/// The variable without which clerk-webhook does not start.
pub(crate) const WEBHOOK_SECRET: &str = "CLERK_WEBHOOK_SIGNING_SECRET";

/// The instance for this clone and port.
pub(crate) struct LocalClerk {
    config: Config,
}

impl LocalClerk {
    /// Describes the instance; files are made by [`LocalClerk::variables`].
    pub(crate) fn new(workspace: &Workspace, port: u16) -> Self {
        let origin = origin(port);
        let address = format!("{origin}/__clerk");
        Self {
            config: Config {
                dir: workspace.dev_path("clerk").join(port.to_string()),
                publishable_key: publishable_key(&host(workspace.root(), port), false),
                frontend_api: address.clone(),
                accounts: address,
                app_origin: origin,
                node_modules: workspace.dev_path("npm").join("node_modules"),
                token_ttl_secs: SESSION_TOKEN_AGE,
            },
        }
    }

    /// The environment variables of the functions and of the stand-in itself.
    ///
    /// # Errors
    /// If the key cannot be read or made.
    pub(crate) fn variables(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let config = &self.config;
        let stand_in = StandIn::open(config.clone())?;
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        Ok(vec![
            ("CLERK_PUBLISHABLE_KEY", config.publishable_key.clone()),
            ("CLERK_JWT_KEY", stand_in.jwt_key()),
            ("CLERK_PROXY_URL", config.frontend_api.clone()),
            ("CLERK_SIGN_IN_URL", format!("{}/sign-in", config.accounts)),
            (WEBHOOK_SECRET, stand_in.webhook_secret().to_owned()),
            ("CLERK_STAND_IN_DIR", text(&config.dir)),
            ("CLERK_STAND_IN_NODE_MODULES", text(&config.node_modules)),
        ])
    }

    /// A session token for `user_id` that lives for `ttl_secs`.
    ///
    /// # Errors
    /// If `make dev` has not made this instance yet.
    pub(crate) fn token(&self, user_id: &str, ttl_secs: u64) -> anyhow::Result<String> {
        ensure!(
            self.config.dir.exists(),
            "make dev has not run here at {}: start it first, or name its port with PORT=",
            self.config.app_origin
        );
        StandIn::open(self.config.clone())?.token(user_id, ttl_secs)
    }
}

/// The origin of the application, as browsers see it.
pub(crate) fn origin(port: u16) -> String {
    format!("http://localhost:{port}")
}

/// The host of the instance. The names of its cookies are made of it, and all
/// ports of localhost share their cookies: each instance needs a host of its own.
fn host(clone: &Path, port: u16) -> String {
    let mut text = clone.as_os_str().as_encoded_bytes().to_vec();
    text.extend_from_slice(format!(":{port}").as_bytes());
    format!("quotes-{}.clerk.accounts.dev", files::short_name(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clones_and_two_ports_have_instances_of_their_own() {
        let first = host(Path::new("/a"), 9000);
        assert_eq!(first, host(Path::new("/a"), 9000));
        assert_ne!(first, host(Path::new("/b"), 9000));
        assert_ne!(first, host(Path::new("/a"), 9001));
        assert!(first.starts_with("quotes-") && first.ends_with(".clerk.accounts.dev"));
    }
}
