//! How a connection begins: what saves a round trip is tried, and left out where
//! the server turns out not to understand it.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, SslNegotiation};

use super::tls::Stage;

/// How one connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    /// Begin with TLS and not with the question for it.
    pub(super) direct: bool,
    /// Assume the server's offer of SCRAM-SHA-256-PLUS.
    pub(super) early_sasl: bool,
}

/// How connections to one server begin.
pub(super) struct Negotiation {
    direct: AtomicBool,
    early_sasl: AtomicBool,
    /// Whether the URL leaves `sslnegotiation` open.
    is_open: bool,
}

impl Negotiation {
    /// As the URL says. Where it does not say, direct for Neon's hosts, whose
    /// proxy supports that.
    pub(super) fn new(config: &Config, host: &str, is_named: bool) -> Self {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_neon = host == "neon.tech" || host.ends_with(".neon.tech");
        let is_direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
        let is_bound = config.get_channel_binding() == ChannelBinding::Require;
        Self {
            direct: AtomicBool::new(is_direct || is_neon && !is_named),
            early_sasl: AtomicBool::new(is_bound),
            is_open: !is_named,
        }
    }

    /// How the next connection begins.
    pub(super) fn manner(&self) -> Manner {
        Manner {
            direct: self.direct.load(Ordering::Relaxed),
            early_sasl: self.early_sasl.load(Ordering::Relaxed),
        }
    }

    /// How to try again after a connection that began in this manner ended at
    /// this stage; `None` where the manner was not the reason.
    pub(super) fn after_end(&self, manner: Manner, stage: Stage) -> Option<Manner> {
        match stage {
            Stage::Begun if manner.direct && self.is_open => Some(Manner {
                direct: false,
                ..manner
            }),
            Stage::Encrypted | Stage::OtherOffer if manner.early_sasl => Some(Manner {
                early_sasl: false,
                ..manner
            }),
            Stage::Silent
            | Stage::Begun
            | Stage::Heard
            | Stage::Encrypted
            | Stage::OtherOffer
            | Stage::Answered => None,
        }
    }

    /// Begins in this manner from now on.
    pub(super) fn remember(&self, manner: Manner) {
        self.direct.store(manner.direct, Ordering::Relaxed);
        self.early_sasl.store(manner.early_sasl, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiation(host: &str, parameters: &str) -> Negotiation {
        let url = format!("postgres://o:p@{host}/db?{parameters}");
        let is_named = parameters.contains("sslnegotiation");
        Negotiation::new(&url.parse().unwrap(), host, is_named)
    }

    #[test]
    fn neons_hosts_are_direct_unless_the_url_says_otherwise() {
        for (host, parameters, direct) in [
            ("ep-a.eu-central-1.aws.neon.tech", "", true),
            ("EP-A-pooler.aws.Neon.Tech.", "", true),
            ("ep-a.neon.tech", "sslnegotiation=postgres", false),
            ("neon.tech.example.com", "", false),
            ("notneon.tech", "", false),
            ("db.example.com", "", false),
            ("db.example.com", "sslnegotiation=direct", true),
        ] {
            let manner = negotiation(host, parameters).manner();
            assert_eq!(manner.direct, direct, "{host} {parameters}");
        }
    }

    #[test]
    fn the_ordinary_manner_follows_only_where_the_other_may_be_the_reason() {
        let bound = "channel_binding=require";
        let neon = negotiation("ep-a.neon.tech", bound);
        let whole = neon.manner();
        let asked = Manner {
            direct: false,
            ..whole
        };
        let late = Manner {
            early_sasl: false,
            ..whole
        };
        for (stage, next) in [
            (Stage::Begun, Some(asked)),
            (Stage::Heard, None),
            (Stage::Encrypted, Some(late)),
            (Stage::OtherOffer, Some(late)),
            (Stage::Answered, None),
        ] {
            assert_eq!(neon.after_end(whole, stage), next, "{stage:?}");
        }
        assert_eq!(neon.after_end(asked, Stage::Begun), None);
        assert_eq!(neon.after_end(late, Stage::Encrypted), None);
        assert_eq!(neon.manner(), whole);
        neon.remember(asked);
        assert_eq!(neon.manner(), asked);

        let named = negotiation("ep-a.neon.tech", "sslnegotiation=direct");
        assert_eq!(named.after_end(named.manner(), Stage::Begun), None);
        assert!(!named.manner().early_sasl);
    }
}
