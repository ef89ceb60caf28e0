//! What a deployment will give to the functions, judged before anything changes: by the
//! functions' own parser, and by connecting to each database.

use std::ffi::OsString;

use serde_json::{Map, Value};
use shared::config::{Config, ConfigError, Lookup, PageConfig, WebhookConfig, migration_database};
use shared::database::{Database, DatabaseError};
use shared::quote;
use tokio::spawn;

use crate::roles::{ROLES, Role};

/// The roots that the functions trust, seen from the clone's folder.
const ROOTS: &str = "infra/roots.pem";

/// What is wrong, and what is accepted but has a price; one line each.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What a deployment must not go on with.
    pub errors: Vec<String>,
    /// What it may go on with.
    pub warnings: Vec<String>,
}

/// Judges the settings of a stage and its secret. If nothing is wrong with them, connects
/// to each database and asks what its role may do.
///
/// `PREFLIGHT=strict` makes an error of a database that this machine cannot reach.
/// `MIGRATE=1` says that missing migrations will be applied.
pub async fn check(secret: &str, lookup: Lookup<'_>) -> Findings {
    let stage = match Stage::new(secret, lookup) {
        Ok(stage) => stage,
        Err(found) => return found,
    };
    let mut found = stage.judge_settings();
    let configs = stage.judge_functions(&mut found.errors);
    if found.errors.is_empty() {
        stage.judge_databases(configs, &mut found).await;
    }
    found
}

/// The settings and the secret of a stage.
struct Stage<'a> {
    secret: Map<String, Value>,
    lookup: Lookup<'a>,
}

impl<'a> Stage<'a> {
    fn new(secret: &str, lookup: Lookup<'a>) -> Result<Self, Findings> {
        // The parser's own words can quote the secret.
        let Ok(secret) = serde_json::from_str(secret) else {
            let error = "DATABASE_SECRET names a secret that is no object of JSON; it should be as infra/README.md says";
            return Err(Findings {
                errors: vec![error.to_owned()],
                ..Findings::default()
            });
        };
        Ok(Self { secret, lookup })
    }

    /// A setting without blanks around it; `None` when it is unset or empty.
    fn setting(&self, name: &str) -> Option<String> {
        setting(self.lookup, name)
    }

    fn is_on(&self, name: &str) -> bool {
        self.setting(name).as_deref() == Some("true")
    }

    /// Judges what no function reads.
    fn judge_settings(&self) -> Findings {
        let mut found = Findings::default();
        for (name, is_valid, expected) in SETTINGS {
            if self.setting(name).is_some_and(|value| !is_valid(&value)) {
                let error = format!("{name} is malformed; it should be {expected}");
                found.errors.push(error);
            }
        }
        if !found.errors.is_empty() {
            return found;
        }
        let key = self.setting("CLERK_PUBLISHABLE_KEY");
        let is_live = key.is_some_and(|key| key.starts_with("pk_live_"));
        let certificate = self.setting("CERTIFICATE_ARN");
        let region = self.setting("AWS_REGION").unwrap_or_default();
        let error = match (self.setting("DOMAIN_NAME"), &certificate) {
            (None, _) if is_live => {
                "DOMAIN_NAME is not set; a production instance of Clerk (pk_live_) needs a domain"
            }
            (None, Some(_)) => "DOMAIN_NAME is not set; CERTIFICATE_ARN needs it",
            (None, None) if self.setting("HOSTED_ZONE_ID").is_some() => {
                "DOMAIN_NAME is not set; HOSTED_ZONE_ID needs it"
            }
            (Some(_), None) => "CERTIFICATE_ARN is not set; DOMAIN_NAME needs a certificate",
            (Some(_), Some(arn)) if arn.split(':').nth(3) != Some(&region) => {
                "CERTIFICATE_ARN is of another region; it should be a certificate in the stack's region"
            }
            (Some(domain), Some(_)) => {
                if is_live && self.setting("CLERK_AUTHORIZED_PARTIES").is_none() {
                    found.warnings.push(format!(
                        "CLERK_AUTHORIZED_PARTIES is not set, so sessions without azp are accepted; set it to \
                         https://{domain}, and restrict Clerk's allowed subdomains (see SECURITY.md)"
                    ));
                }
                return found;
            }
            (None, None) => return found,
        };
        found.errors.push(error.to_owned());
        found
    }

    /// Judges what each function will read. Those with the same URL read the same, but
    /// for render-page.
    fn judge_functions(&self, errors: &mut Vec<String>) -> Vec<(&'static Role, Config)> {
        let mut configs = Vec::new();
        let roles = ROLES
            .iter()
            .filter(|role| role.key != "eraserUrl" || self.is_on("CLERK_WEBHOOK"));
        for role in roles {
            match self.parse(role.key) {
                Ok(config) => configs.push((role, config)),
                Err(error) => {
                    let error = in_words_of_the_stage(&error, role.key);
                    // A setting of all functions is found with each URL.
                    if !errors.contains(&error) {
                        errors.push(error);
                    }
                }
            }
        }
        // The function would do without it.
        if self.is_on("CLERK_NONCE_HANDSHAKES") && self.of_secret("clerkSecretKey").is_none() {
            errors.push(
                "clerkSecretKey of the secret is not set; CLERK_NONCE_HANDSHAKES needs it"
                    .to_owned(),
            );
        }
        configs
    }

    /// What a function that gets this URL will make of its variables.
    fn parse(&self, key: &str) -> Result<Config, ConfigError> {
        let lookup = |name: &str| match name {
            "DATABASE_URL" => self.of_secret(key),
            "CLERK_SECRET_KEY" if self.is_on("CLERK_NONCE_HANDSHAKES") => {
                self.of_secret("clerkSecretKey")
            }
            "CLERK_WEBHOOK_SIGNING_SECRET" => self.of_secret("webhookSecret"),
            // The template does not set them.
            "CLERK_SECRET_KEY" | "CLERK_API_URL" => None,
            "PUBLIC_ORIGIN" => {
                let domain = self.setting("DOMAIN_NAME").filter(|name| is_domain(name))?;
                Some(format!("https://{domain}").into())
            }
            "PGSSLROOTCERT" => Some(ROOTS.into()),
            _ => (self.lookup)(name),
        };
        let mut config = Config::parse(&lookup)?;
        match key {
            "readOnlyUrl" => drop(PageConfig::parse(&lookup, &mut config)?),
            "eraserUrl" => drop(WebhookConfig::parse(&lookup, &mut config)?),
            _ => {}
        }
        Ok(config)
    }

    fn of_secret(&self, key: &str) -> Option<OsString> {
        self.secret.get(key)?.as_str().map(OsString::from)
    }

    /// Connects to all databases at once and asks what each role may do, and which
    /// migrations are missing.
    async fn judge_databases(&self, configs: Vec<(&'static Role, Config)>, found: &mut Findings) {
        let migrates = self.setting("MIGRATE").as_deref() == Some("1");
        let mut asked = Vec::new();
        for (role, config) in configs {
            let database = Database::new(config.database);
            asked.push((role, spawn(async move { quote::rights(&database).await })));
        }
        let missing = match self.setting("MIGRATION_DATABASE_URL") {
            Some(_) => self.missing_migrations(migrates, found).await,
            None => Vec::new(),
        };
        if !missing.is_empty() && !migrates {
            let missing = missing.join(", ");
            found
                .errors
                .push(format!("migrations are missing ({missing}): set MIGRATE=1"));
        }
        for (role, rights) in asked {
            match rights.await {
                // Without its tables no role may do anything.
                Ok(Ok(_)) if !missing.is_empty() => {}
                Ok(Ok(rights)) => found.errors.extend(role.problem(&rights).map(|problem| {
                    format!("{} of the secret has a role that {problem}", role.key)
                })),
                Ok(Err(error)) => {
                    self.cannot_use(&format!("{} of the secret", role.key), &error, found)
                }
                Err(error) => found.errors.push(error.to_string()),
            }
        }
    }

    async fn missing_migrations(&self, migrates: bool, found: &mut Findings) -> Vec<String> {
        let options = match migration_database(self.lookup) {
            Ok(options) => options,
            Err(error) => {
                found.errors.push(error.to_string());
                return Vec::new();
            }
        };
        let missing = crate::missing(&options).await;
        missing.unwrap_or_else(|error| {
            match error.downcast_ref::<DatabaseError>() {
                Some(cause) if !migrates => self.cannot_use("MIGRATION_DATABASE_URL", cause, found),
                _ => found
                    .errors
                    .push(format!("MIGRATION_DATABASE_URL: {error:#}")),
            }
            Vec::new()
        })
    }

    /// Says why a database cannot be used: a warning if only this machine cannot reach it.
    fn cannot_use(&self, url: &str, error: &DatabaseError, found: &mut Findings) {
        if is_unreachable_from_here(error) && self.setting("PREFLIGHT").is_none() {
            found.warnings.push(format!(
                "{url} cannot be tried from this machine ({error}); only the release itself will be checked"
            ));
        } else {
            found.errors.push(format!("{url} cannot be used: {error}"));
        }
    }
}

/// Neon's proxy refuses a machine that is not on a project's list of allowed addresses.
fn is_unreachable_from_here(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::Unavailable(_) => true,
        DatabaseError::Refused(text) => {
            text.contains("is not allowed to connect") || text.contains("blocked network")
        }
        DatabaseError::Statement(_) | DatabaseError::UserDeleted => false,
    }
}

/// What a function would say of its variables, said of the keys that they come from.
fn in_words_of_the_stage(error: &ConfigError, key: &str) -> String {
    let text = error.to_string();
    for (variable, key) in [
        ("DATABASE_URL ", key),
        ("CLERK_SECRET_KEY ", "clerkSecretKey"),
        ("CLERK_WEBHOOK_SIGNING_SECRET ", "webhookSecret"),
    ] {
        if let Some(rest) = text.strip_prefix(variable) {
            return format!("{key} of the secret {rest}");
        }
    }
    text
}

fn setting(lookup: Lookup<'_>, name: &str) -> Option<String> {
    let value = lookup(name)?.to_string_lossy().trim().to_owned();
    (!value.is_empty()).then_some(value)
}

/// A setting that no function reads: its name, what is one, and what it should be.
type Setting = (&'static str, fn(&str) -> bool, &'static str);

const SETTINGS: [Setting; 15] = [
    (
        "ARCH",
        |it| ["arm64", "x86_64"].contains(&it),
        "arm64 or x86_64",
    ),
    ("CLERK_NONCE_HANDSHAKES", is_switch, "true or false"),
    ("CLERK_WEBHOOK", is_switch, "true or false"),
    ("TRACING", is_switch, "true or false"),
    ("PREFLIGHT", |it| it == "strict", "strict, or not set"),
    (
        "DOMAIN_NAME",
        is_domain,
        "a domain in lower case such as quotes.example.com",
    ),
    (
        "CERTIFICATE_ARN",
        |it| is_arn(it, "acm"),
        "the ARN of an ACM certificate in the stack's region",
    ),
    (
        "HOSTED_ZONE_ID",
        is_zone,
        "the id of a Route 53 hosted zone such as Z0123456789ABCDEFGHIJ",
    ),
    (
        "ALARM_TOPIC_ARN",
        |it| is_arn(it, "sns"),
        "the ARN of an SNS topic",
    ),
    (
        "PERMISSIONS_BOUNDARY",
        |it| is_arn(it, "iam"),
        "the ARN of a policy, which make account prints",
    ),
    (
        "EXECUTION_ROLE_ARN",
        |it| is_arn(it, "iam"),
        "the ARN of a role, which make account prints",
    ),
    (
        "LOG_RETENTION_DAYS",
        |it| RETENTION_DAYS.contains(&it),
        "1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 or 365 (days)",
    ),
    ("REQUESTS_PER_SECOND", is_count, "a number from 1 to 9999"),
    ("BURST", is_count, "a number from 1 to 9999"),
    (
        "RESERVED_CONCURRENCY",
        is_count,
        "a number from 1 to 9999, or not set",
    ),
];

/// Those that CloudWatch knows, up to a year.
const RETENTION_DAYS: [&str; 12] = [
    "1", "3", "5", "7", "14", "30", "60", "90", "120", "150", "180", "365",
];

fn is_switch(text: &str) -> bool {
    ["true", "false"].contains(&text)
}

fn is_count(text: &str) -> bool {
    let is_number = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    is_number && (1..=4).contains(&text.len())
}

fn is_domain(text: &str) -> bool {
    let is_label_byte = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(is_label_byte)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_letter = |b: u8| b.is_ascii_lowercase();
    text.split('.').all(is_label)
        && text
            .rsplit_once('.')
            .is_some_and(|(_, last)| last.bytes().all(is_letter))
}

fn is_zone(text: &str) -> bool {
    let is_id_byte = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    text.starts_with('Z') && (6..=33).contains(&text.len()) && text.bytes().all(is_id_byte)
}

/// `arn:aws:<service>:<region>:<account>:<resource>`
fn is_arn(text: &str, service: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    let [arn, partition, of, region, account, resource] = parts[..] else {
        return false;
    };
    arn == "arn"
        && partition.starts_with("aws")
        && of == service
        && region.is_empty() == (service == "iam")
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && !resource.is_empty()
}

/// The values of a template's parameters, from the settings, as SAM reads them.
///
/// All are there, the defaults too: a parameter that is left out keeps its value of the
/// last deployment. A parameter's variable is its name in capitals: `LogRetentionDays` is
/// `LOG_RETENTION_DAYS`.
#[must_use]
pub fn parameters(template: &str, lookup: Lookup<'_>) -> Map<String, Value> {
    let mut values = Map::new();
    let section = template.split("\nParameters:\n").nth(1).unwrap_or_default();
    let is_inside = |line: &&str| line.is_empty() || line.starts_with(' ');
    let mut parameter = "";
    for line in section.lines().take_while(is_inside) {
        let name = line
            .strip_prefix("  ")
            .and_then(|line| line.strip_suffix(':'));
        if let Some(name) = name.filter(|name| !name.starts_with([' ', '#'])) {
            parameter = name;
            if let Some(value) = value(parameter, lookup) {
                values.insert(parameter.to_owned(), value.into());
            }
        } else if let Some(default) = line.strip_prefix("    Default: ") {
            let default = || default.trim_matches('\'').into();
            values.entry(parameter).or_insert_with(default);
        }
    }
    values
}

/// What the settings say for a parameter.
fn value(parameter: &str, lookup: Lookup<'_>) -> Option<String> {
    let publishable_key = || setting(lookup, "CLERK_PUBLISHABLE_KEY");
    let is_live = |key: &String| key.starts_with("pk_live_");
    match parameter {
        "Architecture" => setting(lookup, "ARCH"),
        "ClerkLiveKey" => publishable_key().filter(is_live),
        "ClerkTestKey" => publishable_key().filter(|key| !is_live(key)),
        _ => setting(lookup, &variable(parameter)),
    }
}

fn variable(parameter: &str) -> String {
    let mut variable = String::new();
    for letter in parameter.chars() {
        if letter.is_ascii_uppercase() && !variable.is_empty() {
            variable.push('_');
        }
        variable.push(letter.to_ascii_uppercase());
    }
    variable
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../../infra/template.yaml");
    const CERTIFICATE: &str = "arn:aws:acm:eu-west-1:123456789012:certificate/ab-12";
    const TEST_KEY: &str = "pk_test_cXVvdGVzLmNsZXJrLmFjY291bnRzLmRldiQ";
    const LIVE_KEY: &str = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k";

    /// All keys that a secret can have, as they should be. Tests run in the package's
    /// folder, and the system's roots would take longer to load.
    const SECRET: &str = r#"{
        "url": "postgres://a:hunter@localhost/d?sslrootcert=../infra/roots.pem",
        "readOnlyUrl": "postgres://r:hunter@localhost/d?sslrootcert=../infra/roots.pem",
        "eraserUrl": "postgres://e:hunter@localhost/d?sslrootcert=../infra/roots.pem",
        "webhookSecret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "clerkSecretKey": "sk_test_c2VjcmV0"}"#;

    type Settings<'a> = &'a [(&'a str, &'a str)];

    /// The first of a name counts.
    fn lookup(settings: Settings<'_>) -> impl Fn(&str) -> Option<OsString> {
        let defaults = [
            ("AWS_REGION", "eu-west-1"),
            ("CLERK_PUBLISHABLE_KEY", TEST_KEY),
        ];
        let all = settings.iter().chain(&defaults);
        let all: Vec<(String, OsString)> = all.map(|(n, v)| ((*n).to_owned(), v.into())).collect();
        move |name| {
            let found = all.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        }
    }

    /// What is found about these before any database is connected to.
    fn judge(secret: &str, settings: Settings<'_>) -> Findings {
        let lookup = lookup(settings);
        match Stage::new(secret, &lookup) {
            Ok(stage) => {
                let mut found = stage.judge_settings();
                stage.judge_functions(&mut found.errors);
                found
            }
            Err(found) => found,
        }
    }

    #[test]
    fn a_setting_is_told_right_from_wrong() {
        let nothing = Findings::default();
        for (name, right, wrong) in [
            ("ARCH", vec!["arm64", "x86_64"], vec!["arm"]),
            (
                "CLERK_WEBHOOK",
                vec!["", "false", " true\r\n"],
                vec!["True", "whsec_c2VjcmV0"],
            ),
            (
                "CLERK_NONCE_HANDSHAKES",
                vec!["", "true"],
                vec!["yes", "sk_test_c2VjcmV0"],
            ),
            ("TRACING", vec!["true", "false"], vec!["Active"]),
            ("PREFLIGHT", vec!["", "strict"], vec!["off"]),
            (
                "LOG_RETENTION_DAYS",
                vec!["", "3", "365"],
                vec!["0", "31", "or"],
            ),
            (
                "BURST",
                vec!["", "1", "9999"],
                vec!["0", "-1", "+1", "01", "10000", "ten"],
            ),
            ("RESERVED_CONCURRENCY", vec!["", "10"], vec!["0", "ten"]),
            (
                "ALARM_TOPIC_ARN",
                vec![
                    "arn:aws:sns:eu-west-1:123456789012:a",
                    "arn:aws-cn:sns:x:123456789012:a",
                ],
                vec![
                    "alarms",
                    "arn:aws:sqs:eu-west-1:123456789012:a",
                    "arn:aws:sns:eu-west-1:1:a",
                ],
            ),
        ] {
            for value in right {
                assert_eq!(judge(SECRET, &[(name, value)]), nothing, "{name} {value}");
            }
            for value in wrong {
                let errors = judge(SECRET, &[(name, value)]).errors;
                let malformed = format!("{name} is malformed; it should be ");
                assert!(
                    errors.len() == 1 && errors[0].starts_with(&malformed),
                    "{errors:?}"
                );
            }
        }
        let domain = |name| {
            judge(
                SECRET,
                &[("DOMAIN_NAME", name), ("CERTIFICATE_ARN", CERTIFICATE)],
            )
        };
        assert_eq!(domain("quotes.example-1.com"), nothing);
        for name in [
            "https://a.example.com",
            "example",
            "A.example.com",
            "a..com",
            "-a.com",
            "a.1",
        ] {
            let errors = domain(name).errors;
            let malformed = "DOMAIN_NAME is malformed";
            assert!(
                errors.len() == 1 && errors[0].starts_with(malformed),
                "{errors:?}"
            );
        }
    }

    #[test]
    fn settings_that_need_each_other_are_judged_together() {
        let live = ("CLERK_PUBLISHABLE_KEY", LIVE_KEY);
        let domain = ("DOMAIN_NAME", "a.example.com");
        let certificate = ("CERTIFICATE_ARN", CERTIFICATE);
        let parties = ("CLERK_AUTHORIZED_PARTIES", "https://a.example.com");
        for (settings, error) in [
            (vec![live], "DOMAIN_NAME is not set; a production instance"),
            (vec![live, domain], "CERTIFICATE_ARN is not set"),
            (vec![domain], "CERTIFICATE_ARN is not set"),
            (vec![certificate], "DOMAIN_NAME is not set; CERTIFICATE_ARN"),
            (
                vec![("HOSTED_ZONE_ID", "Z0123456789")],
                "DOMAIN_NAME is not set; HOSTED_ZONE_ID",
            ),
            (
                vec![domain, certificate, ("AWS_REGION", "us-east-1")],
                "CERTIFICATE_ARN is of another region",
            ),
        ] {
            let errors = judge(SECRET, &settings).errors;
            assert!(
                errors.len() == 1 && errors[0].starts_with(error),
                "{errors:?}"
            );
        }
        let found = judge(SECRET, &[live, domain, certificate, parties]);
        assert_eq!(found, Findings::default());
        let found = judge(SECRET, &[live, domain, certificate]);
        assert_eq!((found.errors.len(), found.warnings.len()), (0, 1));
        let advice = "set it to https://a.example.com, and restrict Clerk's allowed subdomains";
        assert!(found.warnings[0].contains(advice));
    }

    /// Values that fit a pattern and would stop a function.
    #[test]
    fn a_setting_that_would_stop_a_function_is_found_by_its_own_parser() {
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\\n{}\\n-----END PUBLIC KEY-----",
            "A".repeat(392)
        );
        for (name, value) in [
            ("CLERK_PUBLISHABLE_KEY", ""),
            ("CLERK_PUBLISHABLE_KEY", "pk_test_AAAAAAAAAAAAAAAAAAAAAAAA"),
            ("CLERK_PUBLISHABLE_KEY", "sk_test_c2VjcmV0"),
            ("CLERK_JWT_KEY", &pem),
            ("CLERK_AUTHORIZED_PARTIES", "https://"),
            ("CLERK_AUTHORIZED_PARTIES", "https://b.example:99999"),
            ("CLERK_ISSUER", "https://b.example x"),
            ("CLERK_PROXY_URL", "https://b.example:99999/__clerk"),
            ("CLERK_SIGN_IN_URL", "https://b.example:99999/"),
            // This application itself.
            ("CLERK_SIGN_IN_URL", "https://a.example.com/"),
        ] {
            let settings = [
                (name, value),
                ("DOMAIN_NAME", "a.example.com"),
                ("CERTIFICATE_ARN", CERTIFICATE),
            ];
            let errors = judge(SECRET, &settings).errors;
            assert!(
                errors.len() == 1 && errors[0].starts_with(&format!("{name} ")),
                "{errors:?}"
            );
            assert!(!errors[0].contains("b.example"), "{errors:?}");
        }
    }

    #[test]
    fn a_key_of_the_secret_that_would_stop_a_function_is_found() {
        let all = [
            ("CLERK_WEBHOOK", "true"),
            ("CLERK_NONCE_HANDSHAKES", "true"),
        ];
        for (key, value, problem) in [
            ("url", "", "is not set"),
            ("url", "mysql://o:hunter@localhost/d", "does not begin with"),
            (
                "readOnlyUrl",
                "postgres://o:hunter@localhost/d?sslmode=disable",
                "has sslmode=disable",
            ),
            ("eraserUrl", "hunter", "does not begin with"),
            ("webhookSecret", "whsec_hunter", "is malformed"),
            ("webhookSecret", "", "is not set"),
            ("clerkSecretKey", "sk_live_hunter", "is of another kind"),
        ] {
            let mut secret: Map<String, Value> = serde_json::from_str(SECRET).unwrap();
            secret.insert(key.to_owned(), value.into());
            let errors = judge(&Value::from(secret.clone()).to_string(), &all).errors;
            let expected = format!("{key} of the secret {problem}");
            assert!(
                errors.len() == 1 && errors[0].starts_with(&expected),
                "{errors:?}"
            );
            assert!(!errors[0].contains("hunter"), "{errors:?}");
            secret.remove(key);
            let errors = judge(&Value::from(secret).to_string(), &all).errors;
            assert!(
                errors[0].starts_with(&format!("{key} of the secret is not set")),
                "{errors:?}"
            );
        }
        let needed = r#"{"url": "postgres://a:x@localhost/d?sslrootcert=../infra/roots.pem",
            "readOnlyUrl": "postgres://r:x@localhost/d?sslrootcert=../infra/roots.pem", "clerkSecretKey": "hunter"}"#;
        assert_eq!(judge(needed, &[]), Findings::default());
        for secret in ["{hunter", "[]", ""] {
            let errors = judge(secret, &[]).errors;
            assert!(errors[0].starts_with("DATABASE_SECRET ") && !errors[0].contains("hunter"));
        }
    }

    #[test]
    fn every_parameter_of_the_template_has_a_value() {
        let made_by_the_command = [
            ("RELEASE", "r1"),
            ("DATABASE_SECRET", "quotes/a/database"),
            ("DATABASE_SECRET_VERSION", "v1"),
        ];
        let values = parameters(TEMPLATE, &lookup(&made_by_the_command));
        for (name, value) in [
            ("Release", "r1"),
            ("DatabaseSecret", "quotes/a/database"),
            ("Architecture", "arm64"),
            ("ClerkTestKey", TEST_KEY),
            ("ClerkLiveKey", ""),
            ("ClerkWebhook", "false"),
            ("LogRetentionDays", "30"),
            ("ReservedConcurrency", ""),
        ] {
            assert_eq!(values[name], value, "{name}");
        }
        let settings = [
            ("ARCH", "x86_64"),
            ("CLERK_PUBLISHABLE_KEY", LIVE_KEY),
            ("LOG_RETENTION_DAYS", " 7\r"),
            ("CLERK_JWT_KEY", r"a\nb"),
        ];
        let values = parameters(TEMPLATE, &lookup(&settings));
        for (name, value) in [
            ("Architecture", "x86_64"),
            ("ClerkTestKey", ""),
            ("ClerkLiveKey", LIVE_KEY),
            ("LogRetentionDays", "7"),
            ("ClerkJwtKey", r"a\nb"),
        ] {
            assert_eq!(values[name], value, "{name}");
        }
    }

    #[test]
    fn a_machine_that_neon_does_not_allow_is_told_from_a_role() {
        let refused =
            |text: &str| is_unreachable_from_here(&DatabaseError::Refused(text.to_owned()));
        assert!(refused(
            "This IP address 192.0.2.1 is not allowed to connect to this endpoint. (XX000)"
        ));
        assert!(!refused(
            "password authentication failed for user 'quotes_app' (28P01)"
        ));
    }
}
