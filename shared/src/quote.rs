//! The quote: what a message may be, and all the SQL there is.

use clerk_auth::UserId;
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::database::{Database, DatabaseError};

/// Longest message, in characters (Unicode scalar values).
pub const MAX_CHARACTERS: usize = 500;

/// A message that may be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(String);

/// Why a text is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// Nothing is left after trimming.
    Empty,
    /// Longer than [`MAX_CHARACTERS`].
    TooLong,
    /// A control character other than a line break.
    ControlCharacter,
}

impl Message {
    /// Trims a text and checks it. A tab, which a pasted text may have, becomes a
    /// blank.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        let text = text.trim_matches(is_invisible).replace('\t', " ");
        if text.is_empty() {
            return Err(MessageError::Empty);
        }
        if text.chars().count() > MAX_CHARACTERS {
            return Err(MessageError::TooLong);
        }
        // Postgres cannot hold NUL; a terminal would act on the others.
        if text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r'))
        {
            return Err(MessageError::ControlCharacter);
        }
        Ok(Self(text))
    }

    /// The message, trimmed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether nobody sees a character at the end of a text. Within a text some of them
/// matter.
fn is_invisible(c: char) -> bool {
    // Zero-width space, word joiner, byte order mark: pasted, but no white space.
    c.is_whitespace() || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}')
}

/// Longest id of a deleted user, in bytes. Clerk's have 32; Postgres has no index
/// over texts of some thousand.
const MAX_USER_ID_BYTES: usize = 1000;

/// The id of a user whom Clerk deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedUser(String);

impl DeletedUser {
    /// An id that Postgres can hold.
    #[must_use]
    pub fn parse(id: String) -> Option<Self> {
        let valid = !id.is_empty() && id.len() <= MAX_USER_ID_BYTES && !id.contains('\0');
        valid.then_some(Self(id))
    }
}

/// A saved quote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    /// What was saved.
    pub message: String,
    /// When the text last changed: RFC 3339, UTC.
    pub saved_at: String,
    /// Tells it from every other quote of the user.
    #[serde(skip)]
    pub version: Version,
}

/// Which text a quote has, and since when: what an entity tag has in its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// What a client sent, if it can be a version.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        ((1..=16).contains(&text.len()) && text.bytes().all(is_digit))
            .then(|| Self(text.to_owned()))
    }

    /// Up to 16 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What must be saved now for a change to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Anything or nothing.
    Always,
    /// No quote.
    NoQuote,
    /// A quote.
    AnyQuote,
    /// A quote of one of these versions.
    Versions(Vec<Version>),
}

impl Condition {
    /// The versions that may be replaced; `None`: each.
    fn versions(&self) -> Option<Vec<&str>> {
        match self {
            Self::Always | Self::AnyQuote => None,
            Self::NoQuote => Some(Vec::new()),
            Self::Versions(versions) => Some(versions.iter().map(Version::as_str).collect()),
        }
    }
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Its condition does not hold, and what it would do is not done. This is saved
    /// now.
    #[error("the quote was changed")]
    Changed(Option<Quote>),
    /// The user was deleted, or the database cannot be reached or refuses.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// What saving did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The quote as it is now.
    pub quote: Quote,
    /// Whether there was none before. Where that is not known: `false`.
    pub created: bool,
}

/// The version of a row, which no setting of the session changes. 64 bits, because it
/// need only differ from the others of one user.
macro_rules! version {
    ($row:literal) => {
        concat!(
            "to_hex(hash_record_extended((",
            $row,
            ".create_ts, ",
            $row,
            ".message), 0))"
        )
    };
}

/// A row as a [`Quote`], with `create_ts` as RFC 3339 in UTC. The original
/// application's column has no time zone; `extract(epoch …)` reads such a time as
/// UTC whatever the session's zone is, which behind a pooler another client may
/// have set.
macro_rules! quote {
    ($row:literal) => {
        concat!(
            $row,
            ".message, to_char(to_timestamp(extract(epoch FROM ",
            $row,
            r#".create_ts)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), "#,
            version!($row)
        )
    };
}

/// The statement of [`find`]; the benchmark gives it to what it compares with.
pub const FIND_QUOTE_SQL: &str = concat!(
    "SELECT ",
    quote!("user_messages"),
    " FROM user_messages WHERE user_id = $1"
);

/// The row to save, $1 and $2.
///
/// The time goes in as text through the row's own type: `…Z` is right for a
/// column with and without time zone, where a `timestamptz` would be turned
/// into the session's local time by the latter.
macro_rules! new_row {
    () => {
        r#" FROM json_populate_record(
           NULL::user_messages,
           json_build_object('user_id', $1, 'message', $2, 'create_ts',
               to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))) "#
    };
}

/// Replaces a row of a version in $3, or any where that is null.
///
/// A text that did not change keeps its time. A row of another version is updated
/// to what it is: so the statement returns what is saved now, also when that is
/// newer than what the statement can see. A new row has no `xmax`.
macro_rules! replace {
    () => {
        concat!(
            "SET message = CASE WHEN ",
            is_kept!(),
            " THEN user_messages.message ELSE excluded.message END,
                 create_ts = CASE WHEN ",
            is_kept!(),
            " THEN user_messages.create_ts ELSE excluded.create_ts END "
        )
    };
}

macro_rules! is_kept {
    () => {
        concat!(
            "user_messages.message = excluded.message OR ",
            version!("user_messages"),
            " <> ALL ($3)"
        )
    };
}

const SAVE: &str = concat!(
    "INSERT INTO user_messages (user_id, message, create_ts) SELECT user_id, message, create_ts",
    new_row!(),
    "ON CONFLICT (user_id) DO UPDATE ",
    replace!(),
    "RETURNING ",
    quote!("user_messages"),
    ", user_messages.xmax = 0"
);

/// Saves only over a quote. An INSERT could not see that one was just deleted.
const REPLACE: &str = concat!(
    "UPDATE user_messages ",
    replace!(),
    new_row!(),
    "AS excluded WHERE user_messages.user_id = excluded.user_id RETURNING ",
    quote!("user_messages"),
    ", false"
);

/// Whether a row has a version in $2, or that is null.
macro_rules! is_deletable {
    ($row:literal) => {
        concat!("coalesce(", version!($row), " = ANY ($2), true)")
    };
}

/// Returns the quote that there was, and whether it was deleted. FOR UPDATE finds
/// the newest one, and keeps it until it is deleted.
const DELETE: &str = concat!(
    "WITH found AS (SELECT * FROM user_messages WHERE user_id = $1 FOR UPDATE),
          deleted AS (DELETE FROM user_messages WHERE user_id = $1 AND ",
    is_deletable!("user_messages"),
    ") SELECT ",
    quote!("found"),
    ", ",
    is_deletable!("found"),
    " FROM found"
);

/// See V2 in `migrations/sql`.
const FORGET: &str = "SELECT forget_user($1)";

/// One object of JSON. A table that is not there has no privileges.
const RIGHTS: &str = "
    SELECT json_object_agg(name, ARRAY(
        SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
        WHERE has_table_privilege(to_regclass(name), privilege)))::text
    FROM unnest(ARRAY['user_messages', 'deleted_users']) AS name";

/// The privileges that the role of this function has on each table, as JSON:
/// `{"user_messages":["SELECT"],"deleted_users":[]}`.
///
/// # Errors
/// The database cannot be reached or refuses.
pub async fn rights(database: &Database) -> Result<String, DatabaseError> {
    let answer = database.run(RIGHTS, &[]).await?;
    let row = answer.rows.first();
    let row = row.ok_or_else(|| DatabaseError::Statement("no answer".to_owned()))?;
    Ok(row.try_get(0)?)
}

/// The user's quote, or `None` if none is saved.
///
/// # Errors
/// The database cannot be reached or refuses.
pub async fn find(database: &Database, user: &UserId) -> Result<Option<Quote>, DatabaseError> {
    let parameters = [(&user.as_str() as _, Type::TEXT)];
    let found = database.run(FIND_QUOTE_SQL, &parameters).await?;
    found.rows.first().map(quote).transpose()
}

/// Saves the user's quote in place of the one before.
///
/// # Errors
/// The condition does not hold and another text is saved, the user was deleted, or
/// the database cannot be reached or refuses.
pub async fn save(
    database: &Database,
    user: &UserId,
    message: &Message,
    condition: &Condition,
) -> Result<Saved, ChangeError> {
    let parameters = [
        (&user.as_str() as _, Type::TEXT),
        (&message.as_str() as _, Type::TEXT),
        (&condition.versions() as _, Type::TEXT_ARRAY),
    ];
    let sql = match condition {
        Condition::Always | Condition::NoQuote => SAVE,
        Condition::AnyQuote | Condition::Versions(_) => REPLACE,
    };
    let saved = database.run(sql, &parameters).await?;
    let row = saved.rows.first().ok_or(ChangeError::Changed(None))?;
    let quote = quote(row)?;
    // What was to be saved may be saved already, by an attempt whose answer was lost:
    // then the condition does not matter (RFC 9110, 13.1.1).
    if quote.message != message.as_str() {
        return Err(ChangeError::Changed(Some(quote)));
    }
    // After a repeat the row is new or not as chance had it: whether the first
    // attempt came to write it.
    let created = flag(row)? && !saved.may_be_repeated;
    Ok(Saved { quote, created })
}

/// Deletes the user's quote and returns it; one that is not there is no error.
///
/// # Errors
/// The condition does not hold for the quote, or the database cannot be reached or
/// refuses.
pub async fn delete(
    database: &Database,
    user: &UserId,
    condition: &Condition,
) -> Result<Option<Quote>, ChangeError> {
    let parameters = [
        (&user.as_str() as _, Type::TEXT),
        (&condition.versions() as _, Type::TEXT_ARRAY),
    ];
    let found = database.run(DELETE, &parameters).await?;
    let Some(row) = found.rows.first() else {
        return Ok(None);
    };
    let quote = Some(quote(row)?);
    match flag(row)? {
        true => Ok(quote),
        false => Err(ChangeError::Changed(quote)),
    }
}

/// Deletes the quote of a user whom Clerk deleted, if there is one, and lets none
/// be saved while one of the user's session tokens can still be valid.
///
/// # Errors
/// The database cannot be reached or refuses.
pub async fn forget(database: &Database, user: &DeletedUser) -> Result<(), DatabaseError> {
    database.run(FORGET, &[(&user.0, Type::TEXT)]).await?;
    Ok(())
}

fn quote(row: &Row) -> Result<Quote, DatabaseError> {
    Ok(Quote {
        message: row.try_get(0)?,
        saved_at: row.try_get(1)?,
        version: Version(row.try_get(2)?),
    })
}

/// What a statement returns beside the quote.
fn flag(row: &Row) -> Result<bool, DatabaseError> {
    Ok(row.try_get(3)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_trimmed_and_the_rest_is_kept() {
        for (text, message) in [
            (" \u{a0}a\r\nb\n ", "a\r\nb"),
            ("\u{feff}a\u{200b}\u{2060} \u{3000}", "a"),
            ("\ta\tb\t", "a b"),
            ("a\u{200b}b", "a\u{200b}b"),
            // Joiners and marks of direction change how a text looks.
            ("\u{200f}a\u{200d}", "\u{200f}a\u{200d}"),
            ("e\u{301}  \u{2028}x", "e\u{301}  \u{2028}x"),
            ("\u{fffd}", "\u{fffd}"),
        ] {
            let parsed = Message::parse(text).unwrap();
            assert_eq!(parsed.as_str(), message, "{text:?}");
        }
    }

    #[test]
    fn characters_are_counted_and_not_bytes() {
        assert!(Message::parse(&"😀".repeat(500)).is_ok());
        assert_eq!(Message::parse(&"a".repeat(501)), Err(MessageError::TooLong));
        let padded = format!("\t{}\u{feff}\n", "a".repeat(500));
        assert!(Message::parse(&padded).is_ok());
        for text in [" \n\t ", "\u{feff}", "\u{200b}\u{2060}"] {
            assert_eq!(Message::parse(text), Err(MessageError::Empty), "{text:?}");
        }
    }

    #[test]
    fn control_characters_are_refused() {
        for text in ["a\0b", "a\u{b}b", "a\u{1b}[31mb", "a\u{85}b"] {
            assert_eq!(
                Message::parse(text),
                Err(MessageError::ControlCharacter),
                "{text:?}"
            );
        }
    }
}
