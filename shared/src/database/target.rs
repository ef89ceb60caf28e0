//! A Postgres URL as people have it, and the TLS that it is reached with.

use std::time::Duration;

use native_tls::{Certificate, Protocol};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};

use super::parameters::Parameters;
use super::{Failure, dial};

/// Longest wait for a connection of [`Target::connect`].
const TOOL: Duration = Duration::from_secs(15);

/// Where the database is and how to prove that it is the one.
///
/// No `Debug`: it holds the password.
pub struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) config: tokio_postgres::Config,
    /// Built once: loading certificates is most of what a connection costs.
    connector: native_tls::TlsConnector,
}

impl Target {
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
        let Parameters {
            url,
            roots: url_roots,
        } = Parameters::read(url)?;
        let mut config: tokio_postgres::Config = url.parse().map_err(|error| explain(&error))?;
        config.ssl_mode(SslMode::Require);
        let host = match config.get_hosts() {
            [Host::Tcp(host)] => host.clone(),
            _ => return Err("does not name exactly one host".to_owned()),
        };
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("names a host that cannot be one".to_owned());
        }
        if config.get_user().is_none() {
            return Err("names no user".to_owned());
        }
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
        let roots = url_roots.as_deref().or(roots).unwrap_or("system");
        Ok(Self {
            host,
            port,
            connector: connector(roots, direct)?,
            config,
        })
    }

    pub(super) fn tls(&self) -> postgres_native_tls::TlsConnector {
        postgres_native_tls::TlsConnector::new(self.connector.clone(), &self.host)
    }

    /// One connection for a tool that keeps it, such as the migrations: the
    /// client, and the task that drives it. A database that is waking up is
    /// waited for.
    ///
    /// # Errors
    /// The database cannot be reached within 15 s, or refuses.
    pub async fn connect(&self) -> Result<(Client, JoinHandle<()>), Failure> {
        dial::open(self, TOOL).await
    }
}

/// The parser's own words: they name the parameter and never its value.
fn explain(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("cannot be read ({cause})"),
        None => "cannot be read".to_owned(),
    }
}

fn connector(roots: &str, direct: bool) -> Result<native_tls::TlsConnector, String> {
    let mut builder = native_tls::TlsConnector::builder();
    builder.min_protocol_version(Some(Protocol::Tlsv12));
    if direct {
        // Without it the server closes a direct connection.
        postgres_native_tls::set_postgresql_alpn(&mut builder);
    }
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
    let unusable = || format!("needs the certificates in {path}, which is no readable PEM file");
    let pem = std::fs::read(path).map_err(|_| unusable())?;
    let certificates = Certificate::stack_from_pem(&pem).map_err(|_| unusable())?;
    if certificates.is_empty() {
        return Err(unusable());
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(url: &str) -> String {
        Target::parse(url, None).err().unwrap_or_default()
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
        let target = Target::parse("postgres://o:p%40s@[::1]:5433/db", None).unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 5433));
        assert_eq!(target.config.get_password(), Some(&b"p@s"[..]));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, words) in [
            ("mysql://o:secret@h/db", "postgres://"),
            ("postgres://o:secret@h1,h2/db", "one host"),
            ("postgres://h/db", "user"),
            ("postgres://o:secret@h/db?sslmod=require", "`sslmod`"),
            (
                "postgres://o:secret@h/db?sslrootcert=/nowhere.pem",
                "/nowhere.pem",
            ),
            (
                "postgres://o:secret@h/db?channel_binding=perhaps",
                "`channel_binding`",
            ),
        ] {
            let problem = problem(url);
            assert!(problem.contains(words), "{problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
