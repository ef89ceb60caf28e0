//! The configuration: the only reader of the environment.
//!
//! Everything is read and checked at the start. A value that is missing or
//! malformed stops it with one line that names the variable and what it should
//! look like; the value itself is never printed, because it may be a secret.

use url::{Host, Url};

use crate::clerk::{AuthorizedParties, DEFAULT_CLOCK_SKEW_MS, Instance, Key, PublishableKey};
use crate::database::Target;

/// What the four functions need to know.
///
/// No `Debug`: it holds the database password.
pub struct Config {
    /// The Clerk instance and what its tokens must say.
    pub clerk: Instance,
    /// The instance's public key; `None`: its key set is fetched.
    pub jwt_key: Option<Key>,
    /// Where signed-out visitors go; default: the instance's account portal.
    pub sign_in_url: String,
    /// Origin that browsers see; `None`: the domain name of each request.
    pub public_origin: Option<String>,
    /// The database.
    pub database: Target,
}

/// How to log, as Lambda's advanced logging controls say it.
pub struct LogSettings {
    /// Lines of JSON (`AWS_LAMBDA_LOG_FORMAT`).
    pub json: bool,
    /// The finest level to log (`AWS_LAMBDA_LOG_LEVEL`; default: info).
    pub level: tracing::Level,
}

impl LogSettings {
    /// Reads the environment. What Lambda does not say, or says in another
    /// way, has its default: a log is no reason not to start.
    #[must_use]
    pub fn from_env() -> Self {
        let read = |name| std::env::var(name).unwrap_or_default();
        Self {
            json: read("AWS_LAMBDA_LOG_FORMAT").eq_ignore_ascii_case("json"),
            level: read("AWS_LAMBDA_LOG_LEVEL")
                .parse()
                .unwrap_or(tracing::Level::INFO),
        }
    }
}

/// A variable that is missing or malformed. Its value is not kept.
#[derive(Debug, thiserror::Error)]
#[error("{name} {problem}; it should be {expected}")]
pub struct Invalid {
    name: &'static str,
    problem: String,
    expected: &'static str,
}

/// A variable and what it should look like.
struct Variable {
    name: &'static str,
    expected: &'static str,
}

const DATABASE_URL: Variable = Variable {
    name: "DATABASE_URL",
    expected: "a Postgres URL such as postgresql://user:password@host/database?sslmode=require",
};
const PUBLISHABLE_KEY: Variable = Variable {
    name: "CLERK_PUBLISHABLE_KEY",
    expected: "pk_test_… or pk_live_… from the API keys page of Clerk's dashboard",
};
const JWT_KEY: Variable = Variable {
    name: "CLERK_JWT_KEY",
    expected: "the instance's PEM public key (RSA, 2048 bits or more; literal \\n is fine)",
};
const AUTHORIZED_PARTIES: Variable = Variable {
    name: "CLERK_AUTHORIZED_PARTIES",
    expected: "origins separated by commas, such as https://quotes.example.com",
};
const ISSUER: Variable = Variable {
    name: "CLERK_ISSUER",
    expected: "the issuer of the tokens, such as https://clerk.example.com",
};
const PROXY_URL: Variable = Variable {
    name: "CLERK_PROXY_URL",
    expected: "an https URL without query, such as https://quotes.example.com/__clerk (http only for loopback)",
};
const SIGN_IN_URL: Variable = Variable {
    name: "CLERK_SIGN_IN_URL",
    expected: "an https URL, such as https://accounts.example.com/sign-in (http only for loopback)",
};
const PUBLIC_ORIGIN: Variable = Variable {
    name: "PUBLIC_ORIGIN",
    expected: "an origin without a slash at the end, such as https://quotes.example.com (http only for loopback)",
};

impl Variable {
    fn invalid(&self, problem: impl Into<String>) -> Invalid {
        Invalid {
            name: self.name,
            problem: problem.into(),
            expected: self.expected,
        }
    }

    /// The value; `None` when unset or empty.
    fn read(&self) -> Result<Option<String>, Invalid> {
        match std::env::var(self.name) {
            Ok(value) if value.trim().is_empty() => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(self.invalid("is not UTF-8")),
        }
    }

    fn required(&self) -> Result<String, Invalid> {
        self.read()?.ok_or_else(|| self.invalid("is not set"))
    }

    /// An optional value, parsed; a value that does not parse is malformed.
    fn parsed<T>(&self, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Invalid> {
        self.read()?
            .map(|value| parse(&value).ok_or_else(|| self.invalid("is malformed")))
            .transpose()
    }
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_env() -> Result<Self, Invalid> {
        let public_origin = PUBLIC_ORIGIN.parsed(origin)?;
        let publishable_key = publishable_key(public_origin.as_deref())?;
        let issuer = ISSUER.parsed(issuer)?;
        let parties = AUTHORIZED_PARTIES.parsed(origins)?;
        let sign_in_url = SIGN_IN_URL.parsed(secure_url)?;
        Ok(Self {
            sign_in_url: sign_in_url
                .unwrap_or_else(|| format!("{}/sign-in", publishable_key.accounts_origin())),
            clerk: Instance {
                issuer: Some(issuer.unwrap_or_else(|| publishable_key.frontend_api())),
                publishable_key,
                proxy_url: PROXY_URL.parsed(base_url)?,
                authorized_parties: parties
                    .map_or(AuthorizedParties::PublicOrigin, AuthorizedParties::Listed),
                clock_skew_ms: DEFAULT_CLOCK_SKEW_MS,
            },
            jwt_key: JWT_KEY.parsed(Key::from_pem)?,
            public_origin,
            database: database("DATABASE_URL")?,
        })
    }
}

/// The database that migrations run on: the owner's, unpooled URL.
///
/// # Errors
/// The variable that is missing or malformed.
pub fn migration_database() -> Result<Target, Invalid> {
    let owner = std::env::var_os("MIGRATION_DATABASE_URL").is_some_and(|url| !url.is_empty());
    database(if owner {
        "MIGRATION_DATABASE_URL"
    } else {
        "DATABASE_URL"
    })
}

fn database(name: &'static str) -> Result<Target, Invalid> {
    let variable = Variable {
        name,
        ..DATABASE_URL
    };
    let url = variable.required()?;
    let roots = std::env::var("PGSSLROOTCERT")
        .ok()
        .filter(|path| !path.is_empty());
    Target::parse(&url, roots.as_deref()).map_err(|problem| variable.invalid(problem))
}

fn publishable_key(public_origin: Option<&str>) -> Result<PublishableKey, Invalid> {
    let key = PublishableKey::parse(&PUBLISHABLE_KEY.required()?)
        .ok_or_else(|| PUBLISHABLE_KEY.invalid("is malformed"))?;
    if key.is_cleartext() && public_origin.is_none_or(|origin| origin.starts_with("https://")) {
        return Err(PUBLISHABLE_KEY.invalid("names an http host, which only loopback may use"));
    }
    Ok(key)
}

/// An https URL, or an http one on loopback, without user, query and fragment.
fn secure(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let allowed = match url.scheme() {
        "https" => url.host().is_some(),
        "http" => url.host().is_some_and(|host| is_loopback(&host)),
        _ => false,
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (allowed && plain).then_some(url)
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    }
}

fn origin(text: &str) -> Option<String> {
    // An exact comparison: browsers send origins without a slash, in lower
    // case and without the default port, and `azp` is compared as text.
    (secure(text)?.origin().ascii_serialization() == text).then(|| text.to_owned())
}

fn origins(text: &str) -> Option<Vec<String>> {
    text.split(',').map(|part| origin(part.trim())).collect()
}

fn secure_url(text: &str) -> Option<String> {
    secure(text).map(|_| text.to_owned())
}

fn base_url(text: &str) -> Option<String> {
    let url = secure(text)?;
    url.query()
        .is_none()
        .then(|| text.trim_end_matches('/').to_owned())
}

fn issuer(text: &str) -> Option<String> {
    (!text.contains(char::is_whitespace)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for good in [
            "https://quotes.example.com",
            "http://localhost:9000",
            "http://127.0.0.1:1",
        ] {
            assert_eq!(origin(good).as_deref(), Some(good));
        }
        for bad in [
            "https://quotes.example.com/",
            "https://Quotes.example.com",
            "https://quotes.example.com:443",
            "http://quotes.example.com",
            "https://user@quotes.example.com",
            "quotes.example.com",
            "null",
        ] {
            assert_eq!(origin(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_proxy_url_is_a_base() {
        assert_eq!(
            base_url("https://a.example/x/").as_deref(),
            Some("https://a.example/x")
        );
        assert_eq!(base_url("https://a.example/x?y"), None);
        assert_eq!(base_url("http://a.example/x"), None);
    }

    #[test]
    fn a_message_names_the_variable_and_not_its_value() {
        let message = PUBLISHABLE_KEY.invalid("is malformed").to_string();
        assert!(message.starts_with("CLERK_PUBLISHABLE_KEY is malformed; it should be pk_test_"));
        assert!(!message.contains('\n'));
    }
}
