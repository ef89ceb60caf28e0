//! A Postgres URL as Neon prints it, and the TLS to connect with.

use native_tls::{Certificate, Protocol};
use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Host, SslMode};

use super::negotiation::Negotiation;

/// Parameters of a URL that mean here what they mean to libpq.
const KEPT_PARAMETERS: [&str; 7] = [
    "application_name",
    "channel_binding",
    "dbname",
    "options",
    "password",
    "sslnegotiation",
    "user",
];

/// Parameters about waiting: every wait has a deadline here already.
const IGNORED_PARAMETERS: [&str; 6] = [
    "connect_timeout",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
];

/// Where the database is, and how its server proves that it is the right one.
///
/// No `Debug`: it holds the password.
pub struct ConnectOptions {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) config: tokio_postgres::Config,
    /// Whether statements are prepared by name.
    pub(super) prepares: bool,
    pub(super) negotiation: Negotiation,
    /// Which of the host's addresses was good.
    pub(super) addresses: tcp_race::Memory,
    /// Built once: loading certificates is most of what a connection costs.
    connector: native_tls::TlsConnector,
}

impl ConnectOptions {
    /// Reads a Postgres URL. `roots` is `PGSSLROOTCERT`: a PEM file, or
    /// `system`; an `sslrootcert` in the URL wins.
    ///
    /// TLS is always required, and certificate and host name are always
    /// verified, whatever `sslmode` says: `require` alone would be satisfied by
    /// anyone's certificate.
    ///
    /// # Errors
    /// What is wrong with the URL, without its password.
    pub fn parse(url: &str, roots: Option<&str>) -> Result<Self, String> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err("does not begin with postgres:// or postgresql://".to_owned());
        }
        if url.matches('@').count() > 1 {
            return Err("has more than one @; write the one in the password as %40".to_owned());
        }
        let Parameters {
            url,
            roots: url_roots,
            prepares,
            names_negotiation,
        } = Parameters::read(url)?;
        let mut config: tokio_postgres::Config = url.parse().map_err(|error| explain(&error))?;
        config.ssl_mode(SslMode::Require);
        let host = match config.get_hosts() {
            [Host::Tcp(host)] => host.clone(),
            _ => return Err("does not name exactly one host".to_owned()),
        };
        let is_host_byte = |b: u8| b.is_ascii_alphanumeric() || b".-_:".contains(&b);
        if host.is_empty() || !host.bytes().all(is_host_byte) {
            return Err("names a host that cannot be one".to_owned());
        }
        if config.get_user().is_none() {
            return Err("names no user".to_owned());
        }
        if config.get_password().is_none_or(<[u8]>::is_empty) {
            return Err("has no password".to_owned());
        }
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let roots = url_roots.as_deref().or(roots).unwrap_or("system");
        Ok(Self {
            prepares: prepares.unwrap_or_else(|| is_direct_neon_endpoint(&host)),
            negotiation: Negotiation::new(&config, &host, names_negotiation),
            addresses: tcp_race::Memory::default(),
            host,
            port,
            connector: connector(roots)?,
            config,
        })
    }

    pub(super) fn tls(&self) -> postgres_native_tls::TlsConnector {
        postgres_native_tls::TlsConnector::new(self.connector.clone(), &self.host)
    }
}

/// Whether this host gives each connection a Postgres session of its own: Neon's
/// do, but for its pooler's. Behind a pooler that shares sessions, what one
/// function has prepared as `s0` may be another one's DELETE.
fn is_direct_neon_endpoint(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host.starts_with("ep-") && host.ends_with(".neon.tech") && !host.contains("-pooler")
}

/// The parser's own words: they name the parameter and never its value.
fn explain(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("cannot be read ({cause})"),
        None => "cannot be read".to_owned(),
    }
}

fn connector(roots: &str) -> Result<native_tls::TlsConnector, String> {
    let mut builder = native_tls::TlsConnector::builder();
    builder.min_protocol_version(Some(Protocol::Tlsv12));
    // Without it a server closes a direct connection; others do not mind.
    postgres_native_tls::set_postgresql_alpn(&mut builder);
    if roots != "system" {
        builder.disable_built_in_roots(true);
        for certificate in read_roots(roots)? {
            builder.add_root_certificate(certificate);
        }
    }
    builder
        .build()
        .map_err(|error| format!("needs TLS, which cannot be set up: {error}"))
}

fn read_roots(path: &str) -> Result<Vec<Certificate>, String> {
    let unusable =
        || "needs PGSSLROOTCERT, or its own sslrootcert, to be a readable PEM file".to_owned();
    let pem = std::fs::read(path).map_err(|_| unusable())?;
    let certificates = Certificate::stack_from_pem(&pem).map_err(|_| unusable())?;
    if certificates.is_empty() {
        return Err(unusable());
    }
    Ok(certificates)
}

/// A URL whose parameters have been read.
struct Parameters {
    /// The URL with the parameters that its parser knows.
    url: String,
    /// `sslrootcert`.
    roots: Option<String>,
    /// `prepared_statements`.
    prepares: Option<bool>,
    /// Whether `sslnegotiation` is there.
    names_negotiation: bool,
}

impl Parameters {
    /// Reads the parameters of a URL.
    ///
    /// # Errors
    /// What is wrong with one, by its name and never with its value.
    fn read(url: &str) -> Result<Self, String> {
        // Not by the first question mark: a password may have one as well.
        let host = url.find('@').unwrap_or(0);
        let Some(query) = url[host..].find('?') else {
            return Ok(Self {
                url: url.to_owned(),
                roots: None,
                prepares: None,
                names_negotiation: false,
            });
        };
        let (base, query) = url.split_at(host + query);
        // Only where the password certainly ended before.
        let ended = host > 0 && base[host..].contains('/');
        let may_name = ended && !query.contains("%40") && !query.contains("password");
        let mut kept = Vec::new();
        let mut roots = None;
        let mut prepares = None;
        let parameters = query[1..].split('&');
        for parameter in parameters.filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "sslmode" => check_ssl_mode(value)?,
                "sslrootcert" => roots = Some(decode(value)),
                "prepared_statements" => prepares = Some(read_prepared_statements(value)?),
                name if KEPT_PARAMETERS.contains(&name) => kept.push(parameter),
                name if IGNORED_PARAMETERS.contains(&name) => {}
                name => return Err(unsupported(name, may_name && parameter.contains('='))),
            }
        }
        Ok(Self {
            url: format!("{base}?{}", kept.join("&")),
            roots,
            prepares,
            names_negotiation: kept.iter().any(|it| it.starts_with("sslnegotiation=")),
        })
    }
}

/// Names a parameter, unless it may be a part of a password.
fn unsupported(name: &str, may_name: bool) -> String {
    if may_name && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
        format!("has the parameter `{name}`, which is not supported: remove it")
    } else {
        "has a parameter that is not supported; is there a ? or an & that should be %3F or %26?"
            .to_owned()
    }
}

fn check_ssl_mode(mode: &str) -> Result<(), String> {
    match mode {
        "require" | "verify-ca" | "verify-full" => Ok(()),
        "disable" | "allow" | "prefer" => Err(format!(
            "has sslmode={mode}, which would allow a connection without TLS; use sslmode=require"
        )),
        _ => Err("has an unknown sslmode; use sslmode=require".to_owned()),
    }
}

fn read_prepared_statements(value: &str) -> Result<bool, String> {
    let unknown = |_| "has an unknown prepared_statements; use true or false".to_owned();
    value.parse().map_err(unknown)
}

fn decode(value: &str) -> String {
    percent_decode_str(value).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(url: &str) -> String {
        ConnectOptions::parse(url, None).err().unwrap_or_default()
    }

    #[test]
    fn urls_as_neon_prints_them_are_read() {
        for url in [
            "postgresql://o:pw@ep-a-b-123.eu-central-1.aws.neon.tech/neondb?sslmode=require&channel_binding=require",
            "postgres://o:pw@ep-a-b-123-pooler.eu-central-1.aws.neon.tech/neondb?sslmode=require",
            "postgres://o:pw@pg.neon.tech/neondb?sslmode=verify-full&options=endpoint%3Dep-a-b-123",
            "postgres://o:p%40ss%2Fw%3Ard@[::1]:5433/db?sslnegotiation=direct&sslmode=verify-ca",
        ] {
            assert_eq!(problem(url), "", "{url}");
        }
        let options = ConnectOptions::parse("postgres://o:p%40s@[::1]:5433/db", None).unwrap();
        assert_eq!((options.host.as_str(), options.port), ("::1", 5433));
        assert_eq!(options.config.get_password(), Some(&b"p@s"[..]));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, words) in [
            ("mysql://o:secret@h/db", "postgres://"),
            ("postgres://o:secret@h1,h2/db", "one host"),
            ("postgres://h/db", "user"),
            ("postgres://o@h/db", "password"),
            ("postgres://o:@h/db", "password"),
            ("postgres://app:p@ss?hunter&two@h/db", "%40"),
            ("postgres://o:secret@h&x/db", "host"),
            ("postgres://app:p@ss?hunter&two%40h/db", "%26"),
            ("postgres://app:p@s/s?hunter=two%40h/db", "%26"),
            ("postgres://app@h/db?password=hunter&two=x", "%26"),
            ("postgres://app:hunter?two=x", "%26"),
            ("postgres://app:hunter?two", "%26"),
            ("postgres://o:secret@h/db?sslmod=require", "`sslmod`"),
            (
                "postgres://o:secret@h/db?sslrootcert=/nowhere.pem",
                "PGSSLROOTCERT",
            ),
            (
                "postgres://o:secret@h/db?channel_binding=perhaps",
                "`channel_binding`",
            ),
        ] {
            let problem = problem(url);
            assert!(problem.contains(words), "{problem}");
            for piece in ["secret", "hunter", "two"] {
                assert!(!problem.contains(piece), "{problem}");
            }
        }
    }

    #[test]
    fn statements_are_prepared_only_where_the_session_is_certainly_ours() {
        for (rest, prepares) in [
            ("ep-a-b-123.eu-central-1.aws.neon.tech/db", true),
            ("EP-a-b-123.eu-central-1.aws.neon.tech/db", true),
            ("ep-a-b-123-pooler.eu-central-1.aws.neon.tech/db", false),
            ("EP-A-B-123-POOLER.eu-central-1.aws.neon.tech/db", false),
            // The endpoint is named elsewhere, and may be a pooler.
            (
                "pg.neon.tech/db?options=endpoint%3Dep-a-b-123-pooler",
                false,
            ),
            ("ep-a-b-123.neon.tech.example.com/db", false),
            ("ep-a-b-123.example.com/db", false),
            ("localhost/db", false),
            ("localhost/db?prepared_statements=true", true),
            (
                "ep-a-b-123-pooler.neon.tech/db?prepared_statements=true",
                true,
            ),
            ("ep-a-b-123.neon.tech/db?prepared_statements=false", false),
        ] {
            let options = ConnectOptions::parse(&format!("postgres://o:secret@{rest}"), None);
            assert_eq!(options.ok().unwrap().prepares, prepares, "{rest}");
        }
        for value in ["", "1", "yes", "True"] {
            let problem = problem_with(&format!("prepared_statements={value}"));
            assert!(problem.contains("use true or false"), "{value}: {problem}");
        }
    }

    fn problem_with(parameters: &str) -> String {
        problem(&format!("postgres://o:secret@h/db?{parameters}"))
    }

    #[test]
    fn an_unknown_parameter_is_named() {
        for name in ["sslmod", "hostaddr", "target_session_attrs", "pgbouncer"] {
            let problem = problem_with(&format!("{name}=secret"));
            assert!(problem.contains(&format!("`{name}`")), "{problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
        assert_eq!(problem_with("connect_timeout=10"), "");
    }

    #[test]
    fn a_mode_without_tls_is_refused_with_the_reason() {
        for mode in ["disable", "allow", "prefer"] {
            let problem = problem_with(&format!("sslmode={mode}"));
            assert!(problem.contains("without TLS"), "{problem}");
            assert!(!problem.contains("secret"));
        }
    }

    #[test]
    fn a_question_mark_in_a_password_begins_no_parameters() {
        let url = "postgres://o:se?cret=1&x@h/db?sslmode=require&application_name=a";
        let read = Parameters::read(url).ok().unwrap();
        assert_eq!(read.url, "postgres://o:se?cret=1&x@h/db?application_name=a");
        for url in [
            "postgres://o:p@ss?word@h/db?sslmode=require",
            "postgres://h/db?se/cret=1",
        ] {
            let problem = Parameters::read(url).err().unwrap();
            assert!(
                !problem.contains("word") && !problem.contains("cret"),
                "{problem}"
            );
        }
    }
}
