//! Who sent a request, as a verified token says.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::sha::sha1;
use serde_json::Value;

use super::token::Token;

/// Who sent a request, as verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The user (`sub`).
    pub user: UserId,
    /// The session (`sid`) as the token has it; the SDK does not look inside.
    pub session_id: Option<Value>,
    /// Tasks are left before the user counts as signed in (`sts`).
    pub(super) pending: bool,
}

/// A short hash of a user id, to tell users apart where nothing is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserMark(String);

impl UserMark {
    /// The mark of whoever an unverified token says it is.
    pub(super) fn claimed_by(token: &Token<'_>) -> Option<Self> {
        token.text("sub").map(Self::of)
    }

    fn of(user_id: &str) -> Self {
        let mut mark = URL_SAFE_NO_PAD.encode(sha1(user_id.as_bytes()));
        mark.truncate(8);
        Self(mark)
    }

    /// The mark as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A user of the Clerk instance. Only verifying a token makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserId(String);

impl UserId {
    /// The subject of a token that was verified.
    pub(super) fn of_verified(sub: &str) -> Self {
        Self(sub.to_owned())
    }

    /// The id as Clerk has it, such as `user_2abc`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The user's mark.
    #[must_use]
    pub fn mark(&self) -> UserMark {
        UserMark::of(&self.0)
    }
}
