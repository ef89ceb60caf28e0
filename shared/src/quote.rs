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
    /// Trims a text and checks it.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        let text = text.trim();
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
        Ok(Self(text.to_owned()))
    }

    /// The message, trimmed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
}

/// What saving did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The quote as it is now.
    pub quote: Quote,
    /// Whether there was none before. Where that is not known: `false`.
    pub created: bool,
}

/// `create_ts` as RFC 3339 in UTC. The original application's column has no
/// time zone; `extract(epoch …)` reads such a time as UTC whatever the
/// session's zone is, which behind a pooler another client may have set.
macro_rules! saved_at {
    () => {
        r#"to_char(to_timestamp(extract(epoch FROM create_ts)) AT TIME ZONE 'UTC',
                   'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"#
    };
}

const FIND: &str = concat!(
    "SELECT message, ",
    saved_at!(),
    " FROM user_messages WHERE user_id = $1"
);

/// The time goes in as text through the row's own type: `…Z` is right for a
/// column with and without time zone, where a `timestamptz` would be turned
/// into the session's local time by the latter.
///
/// A text that did not change keeps its time. A new row has no `xmax`.
const SAVE: &str = concat!(
    r#"INSERT INTO user_messages (user_id, message, create_ts)
       SELECT user_id, message, create_ts FROM json_populate_record(
           NULL::user_messages,
           json_build_object('user_id', $1, 'message', $2, 'create_ts',
               to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
       ON CONFLICT (user_id) DO UPDATE SET
           message = excluded.message,
           create_ts = CASE WHEN user_messages.message = excluded.message
                            THEN user_messages.create_ts ELSE excluded.create_ts END
       RETURNING message, "#,
    saved_at!(),
    ", xmax = 0"
);

const DELETE: &str = "DELETE FROM user_messages WHERE user_id = $1";

/// See V2 in `migrations/sql`.
const FORGET: &str = "SELECT forget_user($1)";

/// The user's quote, or `None` if none is saved.
///
/// # Errors
/// The database cannot be reached or refuses.
pub async fn find(database: &Database, user: &UserId) -> Result<Option<Quote>, DatabaseError> {
    let parameters = [(&user.as_str() as _, Type::TEXT)];
    let found = database.run(FIND, &parameters).await?;
    found.rows.first().map(quote).transpose()
}

/// Saves the user's quote in place of the one before.
///
/// # Errors
/// The user was deleted, or the database cannot be reached or refuses.
pub async fn save(
    database: &Database,
    user: &UserId,
    message: &Message,
) -> Result<Saved, DatabaseError> {
    let parameters = [
        (&user.as_str() as _, Type::TEXT),
        (&message.as_str() as _, Type::TEXT),
    ];
    let saved = database.run(SAVE, &parameters).await?;
    let row = saved
        .rows
        .first()
        .ok_or_else(|| DatabaseError::Statement("nothing was saved".to_owned()))?;
    Ok(Saved {
        quote: quote(row)?,
        // After a repeat the row is new or not as chance had it: whether the first
        // attempt came to write it.
        created: row.try_get(2)? && !saved.may_be_repeated,
    })
}

/// Deletes the user's quote; one that is not there is no error.
///
/// # Errors
/// The database cannot be reached or refuses.
pub async fn delete(database: &Database, user: &UserId) -> Result<(), DatabaseError> {
    let parameters = [(&user.as_str() as _, Type::TEXT)];
    database.run(DELETE, &parameters).await?;
    Ok(())
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_trimmed_and_keeps_its_line_breaks() {
        assert_eq!(
            Message::parse(" \u{a0}a\r\nb\n ").unwrap().as_str(),
            "a\r\nb"
        );
    }

    #[test]
    fn characters_are_counted_and_not_bytes() {
        assert!(Message::parse(&"😀".repeat(500)).is_ok());
        assert_eq!(Message::parse(&"a".repeat(501)), Err(MessageError::TooLong));
        assert_eq!(Message::parse(" \n\t "), Err(MessageError::Empty));
    }

    #[test]
    fn control_characters_are_refused() {
        for text in ["a\0b", "a\tb", "a\u{1b}[31mb", "a\u{85}b"] {
            assert_eq!(
                Message::parse(text),
                Err(MessageError::ControlCharacter),
                "{text:?}"
            );
        }
    }
}
