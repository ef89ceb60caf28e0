//! Where the stand-in is, and which application it is for.

use std::{env, path::PathBuf};

use anyhow::{Context as _, ensure};
use http::Uri;

/// What one instance needs to know. Addresses have no slash at the end.
#[derive(Clone)]
pub struct Config {
    /// Folder of the signing key and the sign-ins; made with mode 0700.
    pub dir: PathBuf,
    /// The key that the application is configured with; its host is the issuer.
    pub publishable_key: String,
    /// Public address of the Frontend API, such as
    /// `http://localhost:9000/__clerk` or `https://clerk.example.test`.
    pub frontend_api: String,
    /// Public address of the account portal; its page is `{accounts}/sign-in`.
    pub accounts: String,
    /// Origin of the application: `azp` of the tokens, and the only place that
    /// browsers are sent back to.
    pub app_origin: String,
    /// The folder in which npm put @clerk/clerk-js and @clerk/ui.
    pub node_modules: PathBuf,
    /// Life of a session token, in seconds. Clerk's is 60; under 20 clerk-js
    /// does little else than refresh.
    pub token_ttl_secs: u64,
}

/// What Clerk may do and what the stand-in does only where a test turns it on,
/// see [`StandIn::with`](crate::StandIn::with).
#[derive(Clone, Default)]
pub struct Switches {
    /// `azp` is the `Origin` of the request that the token is made for. A page
    /// load has none, so that the token of a handshake has no `azp`.
    pub azp_from_origin: bool,
    /// Length of a custom claim in each session token, in bytes. Browsers drop
    /// a cookie whose name and value have more than 4,096, which the cookie of
    /// a handshake reaches first, because it contains two session tokens.
    pub custom_claim_bytes: usize,
    /// `iss` is the address of the Frontend API, which may be a proxy's,
    /// instead of the host in the publishable key.
    pub proxy_issuer: bool,
    /// The key set is refused (403) to a request without `User-Agent`.
    pub key_set_needs_user_agent: bool,
    /// `Location` of a redirect in place of the key set, which is then at
    /// `/.well-known/jwks.json/moved`.
    pub key_set_location: Option<String>,
}

impl Config {
    /// Reads `CLERK_STAND_IN_DIR`, `CLERK_STAND_IN_NODE_MODULES`,
    /// `CLERK_PUBLISHABLE_KEY`, `CLERK_PROXY_URL` and `PUBLIC_ORIGIN`. Portal
    /// and Frontend API share the proxy's address.
    ///
    /// # Errors
    /// A variable that is missing or malformed; the error names it.
    pub fn from_env() -> anyhow::Result<Self> {
        let proxy = required("CLERK_PROXY_URL", "such as http://localhost:9000/__clerk")?;
        ensure!(
            is_loopback(&proxy),
            "CLERK_PROXY_URL must be on localhost: the stand-in is for this machine only"
        );
        Ok(Self {
            dir: required("CLERK_STAND_IN_DIR", "a folder to keep state in")?.into(),
            publishable_key: required("CLERK_PUBLISHABLE_KEY", "such as pk_test_…")?,
            accounts: proxy.clone(),
            frontend_api: proxy,
            app_origin: required("PUBLIC_ORIGIN", "such as http://localhost:9000")?,
            node_modules: required(
                "CLERK_STAND_IN_NODE_MODULES",
                "the folder that npm ci filled",
            )?
            .into(),
            token_ttl_secs: 60,
        })
    }

    /// The same without slashes at the end of addresses, if all are addresses.
    pub(crate) fn checked(mut self) -> anyhow::Result<Self> {
        let addresses = [
            ("Frontend API", &mut self.frontend_api),
            ("account portal", &mut self.accounts),
            ("application", &mut self.app_origin),
        ];
        for (name, address) in addresses {
            address.truncate(address.trim_end_matches('/').len());
            ensure!(
                address.starts_with("https://") || address.starts_with("http://"),
                "the address of the {name} must start with https:// or http://"
            );
        }
        ensure!(
            path_of(&self.app_origin).is_empty(),
            "the origin of the application must have no path"
        );
        Ok(self)
    }

    /// The path below which the Frontend API is served: `/__clerk`, or empty.
    pub(crate) fn base_path(&self) -> &str {
        path_of(&self.frontend_api)
    }
}

/// The origin (scheme, host and port) of an address.
pub(crate) fn origin_of(address: &str) -> &str {
    &address[..address.len() - path_of(address).len()]
}

fn path_of(address: &str) -> &str {
    let (_scheme, rest) = address.split_once("://").unwrap_or(("", address));
    rest.find('/').map_or("", |slash| &rest[slash..])
}

/// The host of an address, without port; an IPv6 address has brackets.
pub(crate) fn host_of(address: &str) -> Option<String> {
    address.parse::<Uri>().ok()?.host().map(str::to_owned)
}

fn is_loopback(address: &str) -> bool {
    let host = host_of(address);
    matches!(host.as_deref(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

fn required(name: &str, meaning: &str) -> anyhow::Result<String> {
    let value = env::var(name).ok().filter(|value| !value.is_empty());
    value.with_context(|| format!("{name} must be set: {meaning}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_an_origin_and_a_path() {
        let address = "http://localhost:9000/__clerk";
        assert_eq!(origin_of(address), "http://localhost:9000");
        assert_eq!(path_of(address), "/__clerk");
        assert_eq!(path_of("https://clerk.example.test"), "");
    }

    #[test]
    fn loopback_is_told_from_look_alikes() {
        for address in [
            "http://localhost:9000/__clerk",
            "http://127.0.0.1",
            "http://[::1]/x",
        ] {
            assert!(is_loopback(address), "{address}");
        }
        for address in [
            "https://clerk.example.com",
            "http://localhost.example.com:1/x",
        ] {
            assert!(!is_loopback(address), "{address}");
        }
    }
}
