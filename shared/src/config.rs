//! The configuration: the only reader of the environment.
//!
//! Everything is read and checked at the start. A value that is missing or
//! malformed stops it with one line that names the variable and what it should
//! look like; the value itself is never printed, because it may be a secret.
//!
//! Parsing is a pure function of a [`Lookup`]: [`Config::parse`] for what all
//! functions need, [`PageConfig::parse`] and [`WebhookConfig::parse`] for what
//! only one of them needs.

use std::ffi::OsString;

use clerk_auth::{
    AuthorizedParties, BACKEND_API_URL, BackendApi, Instance, JwksCache, KeySource, Origin,
    PublicKeys, PublishableKey, WebhookSecrets, parse_secure_url,
};

use crate::database::ConnectOptions;

/// The value of a variable; `None` when it is not set.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of this process.
#[must_use]
pub fn from_env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// What every function needs to know.
///
/// No `Debug`: it holds the database password.
pub struct Config {
    /// The Clerk instance and what its tokens must say.
    pub clerk: Instance,
    /// The instance's public keys, or its key set.
    pub keys: KeySource,
    /// Origin that browsers see; `None`: the domain name of each request.
    pub public_origin: Option<Origin>,
    /// The database.
    pub database: ConnectOptions,
    /// Whether to connect to it while the environment starts, and not with the first
    /// statement.
    pub connects_at_start: bool,
}

/// What only render-page needs to know.
pub struct PageConfig {
    /// Where signed-out users go; default: the instance's account portal.
    pub sign_in_url: String,
}

/// What only clerk-webhook needs to know.
///
/// No `Debug`: it holds the secrets.
pub struct WebhookConfig {
    /// Those that Clerk may sign its messages with.
    pub secrets: WebhookSecrets,
}

/// How to log, as Lambda's advanced logging controls say it.
pub struct LogConfig {
    /// Lines of JSON (`AWS_LAMBDA_LOG_FORMAT`).
    pub json: bool,
    /// The finest level to log (`AWS_LAMBDA_LOG_LEVEL`; default: info).
    pub level: tracing::Level,
}

/// A variable that is missing or malformed. Its value is not kept.
#[derive(Debug, thiserror::Error)]
#[error("{name} {problem}; it should be {expected}")]
pub struct ConfigError {
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
const MIGRATION_DATABASE_URL: Variable = Variable {
    name: "MIGRATION_DATABASE_URL",
    ..DATABASE_URL
};
const PGSSLROOTCERT: Variable = Variable {
    name: "PGSSLROOTCERT",
    expected: "a PEM file with the roots to trust, or system",
};
const PUBLISHABLE_KEY: Variable = Variable {
    name: "CLERK_PUBLISHABLE_KEY",
    expected: "pk_test_… or pk_live_… from the API keys page of Clerk's dashboard",
};
const JWT_KEY: Variable = Variable {
    name: "CLERK_JWT_KEY",
    expected: "the instance's PEM public key (RSA, 2048 bits or more; literal \\n is fine; several while rotating)",
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
const SECRET_KEY: Variable = Variable {
    name: "CLERK_SECRET_KEY",
    expected: "sk_test_… or sk_live_… of the same Clerk instance as CLERK_PUBLISHABLE_KEY",
};
const API_URL: Variable = Variable {
    name: "CLERK_API_URL",
    expected: "an https URL without query, such as https://api.clerk.com (http only for loopback)",
};
const WEBHOOK_SIGNING_SECRET: Variable = Variable {
    name: "CLERK_WEBHOOK_SIGNING_SECRET",
    expected: "whsec_… from the endpoint's page in Clerk's dashboard (several with blanks between them while rotating)",
};
const PUBLIC_ORIGIN: Variable = Variable {
    name: "PUBLIC_ORIGIN",
    expected: "an origin without a slash at the end, such as https://quotes.example.com (http only for loopback)",
};

impl Variable {
    fn error(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError {
            name: self.name,
            problem: problem.into(),
            expected: self.expected,
        }
    }

    /// The value without blanks and line breaks around it; `None` when unset or
    /// empty.
    fn read(&self, lookup: Lookup<'_>) -> Result<Option<String>, ConfigError> {
        let Some(value) = lookup(self.name) else {
            return Ok(None);
        };
        let value = value
            .into_string()
            .map_err(|_| self.error("is not UTF-8"))?;
        let value = value.trim();
        Ok((!value.is_empty()).then(|| value.to_owned()))
    }

    fn read_required(&self, lookup: Lookup<'_>) -> Result<String, ConfigError> {
        self.read(lookup)?.ok_or_else(|| self.error("is not set"))
    }

    /// An optional value, parsed; a value that does not parse is malformed.
    fn parse<T>(
        &self,
        lookup: Lookup<'_>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        self.read(lookup)?
            .map(|value| parse(&value).ok_or_else(|| self.error("is malformed")))
            .transpose()
    }
}

impl Config {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::parse(&from_env)
    }

    /// Reads the variables that every function needs.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn parse(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let public_origin = PUBLIC_ORIGIN.parse(lookup, Origin::parse)?;
        let publishable_key = publishable_key(lookup, public_origin.as_ref())?;
        let mut clerk = Instance::new(publishable_key);
        clerk.proxy_url = PROXY_URL.parse(lookup, base_url)?;
        if let Some(issuer) = ISSUER.parse(lookup, issuer)? {
            clerk.issuer = Some(issuer);
        }
        if let Some(parties) = AUTHORIZED_PARTIES.parse(lookup, parties)? {
            clerk.authorized_parties = AuthorizedParties::Listed(parties);
        }
        Ok(Self {
            clerk,
            keys: JWT_KEY
                .parse(lookup, PublicKeys::from_pem)?
                .map_or_else(|| KeySource::Jwks(JwksCache::default()), KeySource::Fixed),
            public_origin,
            database: database(&DATABASE_URL, lookup)?,
            connects_at_start: true,
        })
    }
}

impl PageConfig {
    /// Reads the variables that only render-page needs.
    ///
    /// # Errors
    /// The variable that is malformed, or a sign-in page that is this page: it
    /// would redirect to itself without end.
    pub fn parse(lookup: Lookup<'_>, config: &mut Config) -> Result<Self, ConfigError> {
        config.clerk.backend = backend(lookup, &config.clerk.publishable_key)?;
        let configured = SIGN_IN_URL.parse(lookup, |text| {
            parse_secure_url(text).map(|_| text.to_owned())
        })?;
        let sign_in_url = configured.unwrap_or_else(|| {
            let portal = config.clerk.publishable_key.accounts_origin();
            format!("{portal}/sign-in")
        });
        if let Some(origin) = config
            .public_origin
            .as_ref()
            .filter(|origin| origin.contains(&sign_in_url))
        {
            let proxy = config.clerk.frontend_api(origin.as_str()) + "/";
            let normal = parse_secure_url(&sign_in_url);
            if !normal.is_some_and(|url| url.as_str().starts_with(&proxy)) {
                let problem = "is a page of this application, which redirects to it without end";
                return Err(SIGN_IN_URL.error(problem));
            }
        }
        Ok(Self { sign_in_url })
    }
}

impl WebhookConfig {
    /// Reads the variable that only clerk-webhook needs. A stranger can start it, and
    /// must not wake the database: it connects with the first message that is
    /// genuine.
    ///
    /// # Errors
    /// The variable is missing or malformed.
    pub fn parse(lookup: Lookup<'_>, config: &mut Config) -> Result<Self, ConfigError> {
        config.connects_at_start = false;
        let secrets = WEBHOOK_SIGNING_SECRET.parse(lookup, WebhookSecrets::parse)?;
        let secrets = secrets.ok_or_else(|| WEBHOOK_SIGNING_SECRET.error("is not set"))?;
        Ok(Self { secrets })
    }
}

impl LogConfig {
    /// Reads the variables about logging. What Lambda does not say, or says in
    /// another way, has its default: a log is no reason not to start.
    #[must_use]
    pub fn parse(lookup: Lookup<'_>) -> Self {
        let read = |name| {
            let value = lookup(name).unwrap_or_default();
            value.to_string_lossy().trim().to_owned()
        };
        Self {
            json: read("AWS_LAMBDA_LOG_FORMAT").eq_ignore_ascii_case("json"),
            level: read("AWS_LAMBDA_LOG_LEVEL")
                .parse()
                .unwrap_or(tracing::Level::INFO),
        }
    }
}

/// The database that migrations run on: the owner's, unpooled URL.
///
/// # Errors
/// The variable that is missing or malformed.
pub fn migration_database(lookup: Lookup<'_>) -> Result<ConnectOptions, ConfigError> {
    match MIGRATION_DATABASE_URL.read(lookup)? {
        Some(_) => database(&MIGRATION_DATABASE_URL, lookup),
        None => database(&DATABASE_URL, lookup),
    }
}

/// The same database's URL as it is written. There is no default: what needs it makes
/// the roles that the functions' URLs name.
///
/// # Errors
/// The variable is missing.
pub fn owner_url(lookup: Lookup<'_>) -> Result<String, ConfigError> {
    MIGRATION_DATABASE_URL.read_required(lookup)
}

fn database(variable: &Variable, lookup: Lookup<'_>) -> Result<ConnectOptions, ConfigError> {
    let url = variable.read_required(lookup)?;
    let roots = PGSSLROOTCERT.read(lookup)?;
    ConnectOptions::parse(&url, roots.as_deref()).map_err(|problem| variable.error(problem))
}

fn publishable_key(
    lookup: Lookup<'_>,
    public_origin: Option<&Origin>,
) -> Result<PublishableKey, ConfigError> {
    let key = PublishableKey::parse(&PUBLISHABLE_KEY.read_required(lookup)?)
        .ok_or_else(|| PUBLISHABLE_KEY.error("is malformed"))?;
    if key.is_cleartext() && public_origin.is_none_or(Origin::is_secure) {
        return Err(PUBLISHABLE_KEY.error("names an http host, which only loopback may use"));
    }
    Ok(key)
}

/// Origins of the web, and those of applications: `capacitor://localhost`,
/// `tauri://localhost`, `chrome-extension://<id>`.
fn parties(text: &str) -> Option<Vec<String>> {
    let parties = text.split(',').map(str::trim);
    parties.map(party_of).collect()
}

fn party_of(text: &str) -> Option<String> {
    let (scheme, host) = text.split_once("://")?;
    let is_host = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
    let valid = match &*scheme.to_ascii_lowercase() {
        "http" | "https" => Origin::parse(text).is_some(),
        _ => !scheme.is_empty() && !host.is_empty() && is_host(scheme) && is_host(host),
    };
    valid.then(|| text.to_owned())
}

/// The Backend API, where a secret key is configured.
fn backend(
    lookup: Lookup<'_>,
    publishable_key: &PublishableKey,
) -> Result<Option<BackendApi>, ConfigError> {
    let url = API_URL.parse(lookup, base_url)?;
    let url = url.unwrap_or_else(|| BACKEND_API_URL.to_owned());
    let Some(secret_key) = SECRET_KEY.read(lookup)? else {
        return Ok(None);
    };
    let kind = if publishable_key.is_development() {
        "sk_test_"
    } else {
        "sk_live_"
    };
    let is_secret_key = secret_key.starts_with("sk_test_") || secret_key.starts_with("sk_live_");
    if !is_secret_key || !secret_key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(SECRET_KEY.error("is malformed"));
    }
    if !secret_key.starts_with(kind) {
        return Err(
            SECRET_KEY.error("is of another kind (test or live) than CLERK_PUBLISHABLE_KEY")
        );
    }
    Ok(Some(BackendApi::new(secret_key, url)))
}

fn base_url(text: &str) -> Option<String> {
    let url = parse_secure_url(text)?;
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

    const REQUIRED: [(&str, &str); 2] = [
        (
            "DATABASE_URL",
            "postgres://app:hunter2@localhost/quotes?sslmode=require",
        ),
        ("CLERK_PUBLISHABLE_KEY", "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"),
    ];

    /// A lookup of the required variables and these; the last one of a name counts.
    fn variables(more: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
        let all: Vec<(String, OsString)> = REQUIRED
            .iter()
            .chain(more)
            .map(|(name, value)| ((*name).to_owned(), value.into()))
            .collect();
        move |name| {
            let mut all = all.iter().rev();
            all.find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        }
    }

    fn parse(more: &[(&str, &str)]) -> Result<(Config, PageConfig), ConfigError> {
        let lookup = variables(more);
        let mut config = Config::parse(&lookup)?;
        let page = PageConfig::parse(&lookup, &mut config)?;
        Ok((config, page))
    }

    /// The line that these variables stop the start with.
    fn refusal(more: &[(&str, &str)]) -> String {
        parse(more)
            .err()
            .map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn what_is_required_is_enough() {
        let (config, page) = parse(&[]).ok().unwrap();
        assert_eq!(
            config.clerk.issuer.as_deref(),
            Some("https://clerk.example.com")
        );
        assert_eq!(page.sign_in_url, "https://accounts.example.com/sign-in");
        assert!(matches!(config.keys, KeySource::Jwks(_)));
        assert_eq!(config.public_origin, None);
    }

    #[test]
    fn the_one_line_says_what_is_wrong() {
        for (name, value, line) in [
            (
                "DATABASE_URL",
                "",
                "DATABASE_URL is not set; it should be a Postgres URL",
            ),
            ("DATABASE_URL", "  \n", "DATABASE_URL is not set"),
            (
                "DATABASE_URL",
                "mysql://a:hunter2@h/db",
                "DATABASE_URL does not begin with postgres://",
            ),
            (
                "DATABASE_URL",
                "postgres://app@h/db",
                "DATABASE_URL has no password",
            ),
            (
                "DATABASE_URL",
                "postgres://app:@h/db",
                "DATABASE_URL has no password",
            ),
            (
                "DATABASE_URL",
                "postgres://app:p@ss?hunter&two@h/db",
                "DATABASE_URL has more than one @; write the one in the password as %40",
            ),
            (
                "CLERK_PUBLISHABLE_KEY",
                "",
                "CLERK_PUBLISHABLE_KEY is not set",
            ),
            // The hosts `..` and `clerk.example.com:+80`.
            (
                "CLERK_PUBLISHABLE_KEY",
                "pk_live_Li4k",
                "CLERK_PUBLISHABLE_KEY is malformed",
            ),
            (
                "CLERK_PUBLISHABLE_KEY",
                "pk_live_Y2xlcmsuZXhhbXBsZS5jb206KzgwJA==",
                "CLERK_PUBLISHABLE_KEY is malformed",
            ),
            (
                "CLERK_JWT_KEY",
                "not a key",
                "CLERK_JWT_KEY is malformed; it should be the instance's PEM",
            ),
            (
                "CLERK_AUTHORIZED_PARTIES",
                "a.example.com",
                "CLERK_AUTHORIZED_PARTIES is malformed",
            ),
            (
                "CLERK_AUTHORIZED_PARTIES",
                "HTTPS://a.example.com",
                "CLERK_AUTHORIZED_PARTIES is malformed",
            ),
            (
                "CLERK_AUTHORIZED_PARTIES",
                "capacitor://",
                "CLERK_AUTHORIZED_PARTIES is malformed",
            ),
            (
                "CLERK_AUTHORIZED_PARTIES",
                "tauri://localhost/",
                "CLERK_AUTHORIZED_PARTIES is malformed",
            ),
            (
                "CLERK_ISSUER",
                "https://clerk example.com",
                "CLERK_ISSUER is malformed",
            ),
            (
                "CLERK_PROXY_URL",
                "https://a.example/x?y",
                "CLERK_PROXY_URL is malformed",
            ),
            (
                "CLERK_PROXY_URL",
                "http://a.example/x",
                "CLERK_PROXY_URL is malformed",
            ),
            (
                "CLERK_SIGN_IN_URL",
                "https://a.example/sign\nin",
                "CLERK_SIGN_IN_URL is malformed",
            ),
            (
                "CLERK_SIGN_IN_URL",
                "https://a.example/é",
                "CLERK_SIGN_IN_URL is malformed",
            ),
            (
                "CLERK_SECRET_KEY",
                "sk_hunter",
                "CLERK_SECRET_KEY is malformed",
            ),
            (
                "CLERK_SECRET_KEY",
                "sk_test_hunter",
                "CLERK_SECRET_KEY is of another kind",
            ),
            (
                "CLERK_API_URL",
                "https://a.example/?hunter",
                "CLERK_API_URL is malformed",
            ),
            (
                "PUBLIC_ORIGIN",
                "https://quotes.example.com/",
                "PUBLIC_ORIGIN is malformed",
            ),
            (
                "PUBLIC_ORIGIN",
                "http://quotes.example.com",
                "PUBLIC_ORIGIN is malformed",
            ),
        ] {
            let refusal = refusal(&[(name, value)]);
            assert!(refusal.starts_with(line), "{value:?}: {refusal}");
            assert!(!refusal.contains('\n'), "{refusal}");
            for piece in ["hunter", "two@"] {
                assert!(!refusal.contains(piece), "{refusal}");
            }
        }
    }

    #[test]
    fn blanks_and_line_breaks_around_every_value_go() {
        let (config, page) = parse(&[
            ("CLERK_SIGN_IN_URL", " https://a.example/sign-in\n"),
            ("PUBLIC_ORIGIN", "\thttps://quotes.example.com\r\n"),
            (
                "CLERK_PUBLISHABLE_KEY",
                "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k\n",
            ),
            (
                "DATABASE_URL",
                " postgres://app:hunter2@localhost/quotes \n",
            ),
            ("PGSSLROOTCERT", " system\n"),
        ])
        .ok()
        .unwrap();
        assert_eq!(page.sign_in_url, "https://a.example/sign-in");
        assert_eq!(
            config.public_origin,
            Origin::parse("https://quotes.example.com")
        );
        let log = LogConfig::parse(&variables(&[
            ("AWS_LAMBDA_LOG_FORMAT", "JSON\n"),
            ("AWS_LAMBDA_LOG_LEVEL", " WARN "),
        ]));
        assert!(log.json && log.level == tracing::Level::WARN);
        assert!(!LogConfig::parse(&variables(&[])).json);
    }

    #[test]
    fn parties_of_applications_are_text_to_compare() {
        let parties = "https://quotes.example.com, capacitor://localhost,tauri://localhost,\
                       chrome-extension://abcdefghijklmnop";
        let (config, _) = parse(&[("CLERK_AUTHORIZED_PARTIES", parties)])
            .ok()
            .unwrap();
        let AuthorizedParties::Listed(listed) = config.clerk.authorized_parties else {
            panic!("listed");
        };
        assert_eq!(listed.len(), 4);
        assert_eq!(listed[1], "capacitor://localhost");
    }

    #[test]
    fn a_sign_in_page_is_not_this_page() {
        let own = ("PUBLIC_ORIGIN", "https://quotes.example.com");
        let line = "CLERK_SIGN_IN_URL is a page of this application";
        for url in [
            "https://quotes.example.com/",
            "https://quotes.example.com/sign-in",
            "https://quotes.example.com/__clerk-else/sign-in",
            "https://quotes.example.com/__clerk/../sign-in",
        ] {
            let proxy = ("CLERK_PROXY_URL", "https://quotes.example.com/__clerk");
            for more in [
                &[own, ("CLERK_SIGN_IN_URL", url)][..],
                &[own, proxy, ("CLERK_SIGN_IN_URL", url)],
            ] {
                assert!(refusal(more).starts_with(line), "{url}: {}", refusal(more));
            }
        }
        let behind_proxy = [
            own,
            ("CLERK_PROXY_URL", "https://quotes.example.com/__clerk"),
            (
                "CLERK_SIGN_IN_URL",
                "https://quotes.example.com/__clerk/sign-in",
            ),
        ];
        assert_eq!(refusal(&behind_proxy), "");
    }

    #[test]
    fn what_only_one_function_needs_is_no_error_elsewhere() {
        for name in ["CLERK_SIGN_IN_URL", "CLERK_WEBHOOK_SIGNING_SECRET"] {
            let nonsense = [(name, "nonsense")];
            let lookup = variables(&nonsense);
            assert!(Config::parse(&lookup).is_ok(), "{name}");
        }
    }

    #[test]
    fn the_webhook_needs_its_secrets_and_connects_later() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        for (value, line) in [
            (
                "",
                "CLERK_WEBHOOK_SIGNING_SECRET is not set; it should be whsec_…",
            ),
            ("whsec_hunter", "CLERK_WEBHOOK_SIGNING_SECRET is malformed"),
            (
                &format!("{secret} hunter"),
                "CLERK_WEBHOOK_SIGNING_SECRET is malformed",
            ),
            (secret, ""),
            (&format!("{secret}\n{secret} "), ""),
        ] {
            let more = [("CLERK_WEBHOOK_SIGNING_SECRET", value)];
            let lookup = variables(&more);
            let mut config = Config::parse(&lookup).ok().unwrap();
            assert!(config.connects_at_start);
            let refusal = WebhookConfig::parse(&lookup, &mut config)
                .err()
                .map_or_else(String::new, |error| error.to_string());
            assert!(refusal.starts_with(line), "{value:?}: {refusal}");
            assert_eq!(refusal.is_empty(), line.is_empty(), "{refusal}");
            assert!(!refusal.contains("hunter"), "{refusal}");
            assert!(!config.connects_at_start);
        }
    }

    #[test]
    fn migrations_run_on_the_owners_url_where_there_is_one() {
        let broken = variables(&[("MIGRATION_DATABASE_URL", "nonsense")]);
        let error = migration_database(&broken).err().unwrap().to_string();
        assert!(error.starts_with("MIGRATION_DATABASE_URL does not begin"));
        assert!(migration_database(&variables(&[])).is_ok());
        assert!(migration_database(&variables(&[("MIGRATION_DATABASE_URL", " ")])).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf_8_is_named() {
        use std::os::unix::ffi::OsStringExt;
        let lookup = |_: &str| Some(OsString::from_vec(b"\xff".to_vec()));
        let error = Config::parse(&lookup).err().unwrap().to_string();
        assert!(error.contains("is not UTF-8"), "{error}");
    }
}
