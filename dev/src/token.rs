//! `make token`: a session token for curl.

use std::env;

use anyhow::{Context, bail, ensure};
use clerk_stand_in::users;

use crate::{env_file, local_clerk::LocalClerk, ports, workspace::Workspace};

/// How long a token is valid unless `TTL` says otherwise, in seconds.
const DEFAULT_TOKEN_AGE: u64 = 3600;

/// Largest `TTL`, in seconds: a year.
const MAX_TOKEN_AGE: u64 = 365 * 24 * 3600;

/// A token for `USER_ID` (the first demo user) that lives for `TTL` seconds
/// (an hour), for the `make dev` at `PORT`.
///
/// # Errors
/// A variable that is not sensible, or an instance that does not exist.
pub fn token() -> anyhow::Result<String> {
    let workspace = Workspace::find()?;
    if env_file::read(&workspace.root().join(".env"))?.contains_key("CLERK_PUBLISHABLE_KEY") {
        bail!("this clone uses a real Clerk instance (.env): sign in there to get a token");
    }
    let port = ports::parse(read_variable("PORT").as_deref())?;
    let first = users().first().context("there are no demo users")?;
    let user_id = read_variable("USER_ID").unwrap_or_else(|| first.id.to_owned());
    ensure!(
        user_id.len() <= 255 && user_id.bytes().all(|byte| byte.is_ascii_graphic()),
        "USER_ID is not a user's id: use one such as {}",
        first.id
    );
    LocalClerk::new(&workspace, port).token(&user_id, parse_ttl(read_variable("TTL").as_deref())?)
}

/// Reads the value of the variable `TTL`.
fn parse_ttl(value: Option<&str>) -> anyhow::Result<u64> {
    match value.map(str::parse) {
        None => Ok(DEFAULT_TOKEN_AGE),
        Some(Ok(seconds)) if (1..=MAX_TOKEN_AGE).contains(&seconds) => Ok(seconds),
        Some(_) => bail!("TTL is not a number of seconds from 1 to {MAX_TOKEN_AGE} (a year)"),
    }
}

/// An environment variable of the caller; an empty one counts as unset.
fn read_variable(name: &str) -> Option<String> {
    let value = env::var_os(name)?.to_string_lossy().into_owned();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_a_sensible_number_of_seconds() {
        assert_eq!(parse_ttl(None).unwrap(), 3600);
        assert_eq!(parse_ttl(Some("60")).unwrap(), 60);
        for wrong in ["0", "-5", "1h", "31536001", "99999999999999999999"] {
            assert!(parse_ttl(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
