//! The roles that the functions connect as, and what each may do.

use std::collections::HashMap;

use anyhow::{Context, Result, anyhow, bail, ensure};
use openssl::rand::rand_bytes;
use serde_json::{Map, Value};
use shared::config::{Lookup, migration_database, owner_url};
use shared::database::{Database, DatabaseError, connect};
use shared::quote;
use tokio_postgres::types::Type;

/// Length of a generated password, before it is written in hexadecimal digits.
const PASSWORD_BYTES: usize = 24;

/// A role that functions connect as.
pub struct Role {
    /// Key of its URL in a stage's secret.
    pub key: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its privileges and on what, as infra/README.md documents them.
    pub grants: &'static [(&'static str, &'static str)],
}

/// What changes quotes, what only reads them, and what forgets deleted users.
pub const ROLES: [Role; 3] = [
    Role {
        key: "url",
        name: "quotes_app",
        grants: &[("SELECT, INSERT, UPDATE, DELETE", "user_messages")],
    },
    Role {
        key: "readOnlyUrl",
        name: "quotes_reader",
        grants: &[("SELECT", "user_messages")],
    },
    Role {
        key: "eraserUrl",
        name: "quotes_eraser",
        grants: &[
            ("SELECT (user_id), DELETE", "user_messages"),
            ("SELECT, INSERT, DELETE", "deleted_users"),
        ],
    },
];

/// What [`make`] did.
pub struct Made {
    /// The URLs of the roles, by their keys in a stage's secret.
    pub secret: Value,
    /// What was done, without any secret.
    pub summary: String,
}

/// Makes the roles; with `replace`, those that exist get a new password. Grants them what they
/// need and takes away what else they may do with the tables. Then it connects as each
/// of them and proves it.
///
/// # Errors
/// `MIGRATION_DATABASE_URL` is missing or malformed, or its role may not make others; a
/// migration is missing; a role exists, and may be in use, without `replace`; a role still
/// may do more or less than it should.
pub async fn make(lookup: Lookup<'_>, replace: bool) -> Result<Made> {
    let owner = owner_url(lookup)?;
    let options = migration_database(lookup)?;
    let missing = crate::missing(&options).await?.join(", ");
    ensure!(
        missing.is_empty(),
        "{missing} must be applied first: run make migrate"
    );
    let (mut client, _driver) = connect(&options)
        .await
        .context("cannot connect to the database")?;
    let mut passwords = Vec::new();
    let mut done = Vec::new();
    // All roles or none.
    let transaction = client.transaction().await.map_err(DatabaseError::from)?;
    for Role { name, grants, .. } in &ROLES {
        let password = generate_password()?;
        let same_name = "SELECT FROM pg_roles WHERE rolname = $1";
        let found = transaction
            .query_typed(same_name, &[(name, Type::TEXT)])
            .await;
        let exists = !found.map_err(DatabaseError::from)?.is_empty();
        ensure!(
            replace || !exists,
            "{name} exists already, and what uses it could not connect any more: \
             give --replace for a new password"
        );
        let (verb, says) = if exists {
            ("ALTER", "has a new password")
        } else {
            ("CREATE", "was created")
        };
        let mut sql = format!(
            "{verb} ROLE {name} LOGIN PASSWORD '{password}';
             REVOKE ALL ON user_messages, deleted_users FROM {name};"
        );
        for (privileges, table) in *grants {
            sql += &format!("GRANT {privileges} ON {table} TO {name};");
        }
        let made = transaction.batch_execute(&sql).await;
        made.map_err(DatabaseError::from)
            .with_context(|| format!("cannot make the role {name}"))?;
        passwords.push(password);
        done.push(format!("{name} {says}"));
    }
    transaction.commit().await.map_err(DatabaseError::from)?;

    let mut secret = Map::new();
    for (role, password) in ROLES.iter().zip(passwords) {
        prove(role, lookup, &url_of(&owner, role.name, &password)?).await?;
        let pooled = url_of(&pooled(&owner), role.name, &password)?;
        secret.insert(role.key.to_owned(), pooled.into());
    }
    Ok(Made {
        secret: secret.into(),
        summary: done.join(", "),
    })
}

/// A password that a URL and a statement can hold as it is.
fn generate_password() -> Result<String> {
    let mut bytes = [0; PASSWORD_BYTES];
    rand_bytes(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Connects as a role and asks what it may do.
async fn prove(role: &Role, lookup: Lookup<'_>, url: &str) -> Result<()> {
    let of_role = |name: &str| match name {
        "MIGRATION_DATABASE_URL" => Some(url.into()),
        _ => lookup(name),
    };
    let database = Database::new(migration_database(&of_role)?);
    let rights = quote::rights(&database).await;
    let rights = rights.with_context(|| format!("cannot connect as {}", role.name))?;
    match role.problem(&rights) {
        Some(problem) => bail!("{} {problem}", role.name),
        None => Ok(()),
    }
}

impl Role {
    /// What is wrong with a role that may do this, as [`quote::rights`] says it.
    pub(crate) fn problem(&self, rights: &str) -> Option<String> {
        let rights: HashMap<&str, Vec<&str>> = serde_json::from_str(rights).unwrap_or_default();
        let may = |privilege: &str, table: &str| {
            rights
                .get(table)
                .is_some_and(|all| all.contains(&privilege))
        };
        for (privileges, table) in self.grants {
            let mut lacking: Vec<_> = privileges.split(", ").collect();
            // A privilege on a column is none on the table.
            lacking.retain(|privilege| !privilege.contains('(') && !may(privilege, table));
            if !lacking.is_empty() {
                let lacking = lacking.join(", ");
                return Some(format!(
                    "lacks {lacking} on {table}: a grant or a migration is missing"
                ));
            }
        }
        let only_reads = self
            .grants
            .iter()
            .all(|(privileges, _)| *privileges == "SELECT");
        let changes = ["INSERT", "UPDATE", "DELETE"];
        (only_reads && changes.iter().any(|change| may(change, "user_messages")))
            .then(|| "can change user_messages, and must only read".to_owned())
    }
}

/// The URL of another role on the same host.
fn url_of(owner: &str, role: &str, password: &str) -> Result<String> {
    let (scheme, place) = split(owner).ok_or_else(|| {
        anyhow!("MIGRATION_DATABASE_URL has no user before its host; it should be postgresql://user:password@host/database")
    })?;
    Ok(format!("{scheme}://{role}:{password}@{place}"))
}

/// The scheme of a URL and what follows its user.
fn split(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    Some((scheme, rest.split_once('@')?.1))
}

/// The URL by way of Neon's pooler, if its host is an endpoint of Neon.
fn pooled(url: &str) -> String {
    let Some((_, place)) = split(url) else {
        return url.to_owned();
    };
    let host = place.split(['/', ':', '?']).next().unwrap_or_default();
    let endpoint = host.split('.').next().unwrap_or_default();
    let is_direct = host.to_ascii_lowercase().ends_with(".neon.tech")
        && endpoint.to_ascii_lowercase().starts_with("ep-")
        && !endpoint.to_ascii_lowercase().ends_with("-pooler");
    if is_direct {
        url.replacen(&format!("@{endpoint}."), &format!("@{endpoint}-pooler."), 1)
    } else {
        url.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_role_is_that_of_neons_pooler() {
        for (owner, expected) in [
            (
                "postgresql://o:p@ep-a-b-1.c-2.eu-central-1.aws.neon.tech/db?sslmode=require",
                "postgresql://r:x@ep-a-b-1-pooler.c-2.eu-central-1.aws.neon.tech/db?sslmode=require",
            ),
            (
                "postgres://o:p@ep-a-1-pooler.aws.neon.tech:5432/db",
                "postgres://r:x@ep-a-1-pooler.aws.neon.tech:5432/db",
            ),
            (
                "postgres://o:p?w@EP-a.neon.tech?dbname=d",
                "postgres://r:x@EP-a-pooler.neon.tech?dbname=d",
            ),
            (
                "postgres://o:p@pg.neon.tech/d?options=endpoint%3Dep-a",
                "postgres://r:x@pg.neon.tech/d?options=endpoint%3Dep-a",
            ),
            (
                "postgres://o:p@ep-a.neon.tech.example.com/d",
                "postgres://r:x@ep-a.neon.tech.example.com/d",
            ),
            (
                "postgres://o:p@localhost:5433/d",
                "postgres://r:x@localhost:5433/d",
            ),
        ] {
            assert_eq!(url_of(&pooled(owner), "r", "x").unwrap(), expected);
        }
        assert!(url_of("postgres://h/d?user=o&password=p", "r", "x").is_err());
    }

    #[test]
    fn passwords_are_long_and_differ() {
        let (one, other) = (generate_password().unwrap(), generate_password().unwrap());
        assert_eq!(one.len(), 2 * PASSWORD_BYTES);
        assert_ne!(one, other);
    }
}
