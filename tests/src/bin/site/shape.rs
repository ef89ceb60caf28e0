//! Where the application and its Clerk instance are.

use clap::ValueEnum;
use clerk_stand_in::keys::publishable_key;

/// How the application and its Clerk instance are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// A development instance below `/__clerk` of the application, over http.
    Proxy,
    /// The same as `make dev` has it, under `cargo lambda watch`.
    Watch,
    /// A development instance on Clerk's own hosts.
    Development,
    /// A production instance on subdomains of the application's domain.
    Production,
}

/// The public addresses of a shape.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    /// Origin of the application.
    pub(crate) app: String,
    /// The Frontend API.
    pub(crate) frontend_api: String,
    /// The account portal.
    pub(crate) accounts: String,
    /// The instance's publishable key.
    pub(crate) publishable_key: String,
    /// `CLERK_PROXY_URL`; empty where Clerk is at its own host.
    pub(crate) proxy_url: String,
}

impl Addresses {
    /// A second application, which gets the cookies that [`Shape::Production`]
    /// sets for its whole domain.
    pub(crate) fn sibling() -> Self {
        Self::production("shop.example.test", "shop.example.test")
    }

    /// A production instance on subdomains of `domain`.
    fn production(app: &str, domain: &str) -> Self {
        Self {
            app: format!("https://{app}"),
            frontend_api: format!("https://clerk.{domain}"),
            accounts: format!("https://accounts.{domain}"),
            proxy_url: String::new(),
            publishable_key: publishable_key(&format!("clerk.{domain}"), true),
        }
    }

    pub(crate) fn all(&self) -> [&str; 3] {
        [&self.app, &self.frontend_api, &self.accounts]
    }

    /// Whether Clerk is at this host and path.
    pub(crate) fn is_clerk(&self, target: &str) -> bool {
        [&self.frontend_api, &self.accounts]
            .iter()
            .any(|address| is_below(address, target))
    }

    /// Whether the application or Clerk is at this host and path.
    pub(crate) fn contain(&self, target: &str) -> bool {
        self.all().iter().any(|address| is_below(address, target))
    }
}

fn is_below(address: &str, target: &str) -> bool {
    let (_scheme, base) = address.split_once("://").expect("a URL");
    target.starts_with(base)
}

impl Shape {
    /// The addresses; `port` is the application's, where that is visible.
    pub(crate) fn addresses(self, port: u16) -> Addresses {
        let development = publishable_key("happy-hippo-1.clerk.accounts.dev", false);
        match self {
            Self::Proxy | Self::Watch => {
                let app = format!("http://localhost:{port}");
                let stand_in = format!("{app}/__clerk");
                Addresses {
                    app,
                    frontend_api: stand_in.clone(),
                    accounts: stand_in.clone(),
                    proxy_url: stand_in,
                    publishable_key: development,
                }
            }
            Self::Development => Addresses {
                app: "https://www.example.test".to_owned(),
                frontend_api: "https://happy-hippo-1.clerk.accounts.dev".to_owned(),
                accounts: "https://happy-hippo-1.accounts.dev".to_owned(),
                proxy_url: String::new(),
                publishable_key: development,
            },
            Self::Production => Addresses::production("app.example.test", "example.test"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_belongs_to_one_of_two_applications_under_one_domain() {
        let first = Shape::Production.addresses(1);
        let second = Addresses::sibling();
        assert_ne!(first.publishable_key, second.publishable_key);
        for (target, is_second, is_clerk) in [
            ("app.example.test/", false, false),
            ("clerk.example.test/v1/client", false, true),
            ("accounts.example.test/sign-in", false, true),
            ("shop.example.test/", true, false),
            ("clerk.shop.example.test/v1/client", true, true),
            ("accounts.shop.example.test/sign-in", true, true),
        ] {
            let [its, other] = if is_second {
                [&second, &first]
            } else {
                [&first, &second]
            };
            assert!(its.contain(target) && !other.contain(target), "{target}");
            assert_eq!(its.is_clerk(target), is_clerk, "{target}");
        }
    }

    #[test]
    fn a_proxy_is_below_the_application() {
        let addresses = Shape::Proxy.addresses(9000);
        assert!(addresses.is_clerk("localhost:9000/__clerk/v1/client"));
        assert!(!addresses.is_clerk("localhost:9000/"));
    }
}
