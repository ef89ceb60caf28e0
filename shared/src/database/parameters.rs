//! The parameters of a Postgres URL: those that are obeyed, and no others.

use percent_encoding::percent_decode_str;

/// Parameters that mean here what they mean to libpq.
const KEPT: [&str; 7] = [
    "application_name",
    "channel_binding",
    "dbname",
    "options",
    "password",
    "sslnegotiation",
    "user",
];

/// Parameters about waiting: every wait has a deadline here already.
const IGNORED: [&str; 6] = [
    "connect_timeout",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
];

/// A URL whose parameters have been read.
pub(super) struct Parameters {
    /// The URL with the parameters that its parser knows.
    pub(super) url: String,
    /// `sslrootcert`.
    pub(super) roots: Option<String>,
}

impl Parameters {
    /// Reads the parameters of a URL.
    ///
    /// # Errors
    /// What is wrong with one, by its name and never with its value.
    pub(super) fn read(url: &str) -> Result<Self, String> {
        // Not by the first question mark: a password may have one as well.
        let host = url.find('@').unwrap_or(0);
        let Some(query) = url[host..].find('?') else {
            return Ok(Self {
                url: url.to_owned(),
                roots: None,
            });
        };
        let (base, query) = url.split_at(host + query);
        let mut kept = Vec::new();
        let mut roots = None;
        let parameters = query[1..].split('&');
        for parameter in parameters.filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "sslmode" => check_ssl_mode(value)?,
                "sslrootcert" => roots = Some(decode(value)),
                name if KEPT.contains(&name) => kept.push(parameter),
                name if IGNORED.contains(&name) => {}
                name => return Err(unsupported(name)),
            }
        }
        Ok(Self {
            url: format!("{base}?{}", kept.join("&")),
            roots,
        })
    }
}

/// Names a parameter, unless it looks like a part of something confidential.
fn unsupported(name: &str) -> String {
    if name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
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

fn decode(value: &str) -> String {
    percent_decode_str(value).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(parameters: &str) -> String {
        let url = format!("postgres://o:secret@h/db?{parameters}");
        Parameters::read(&url).err().unwrap_or_default()
    }

    #[test]
    fn an_unknown_parameter_is_named() {
        for name in ["sslmod", "hostaddr", "target_session_attrs", "pgbouncer"] {
            let problem = problem(&format!("{name}=secret"));
            assert!(problem.contains(&format!("`{name}`")), "{problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
        assert_eq!(problem("connect_timeout=10"), "");
    }

    #[test]
    fn a_mode_without_tls_is_refused_with_the_reason() {
        for mode in ["disable", "allow", "prefer"] {
            let problem = problem(&format!("sslmode={mode}"));
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
