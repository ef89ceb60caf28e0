//! The flash cookie: what a form could not do, kept for the next page.
//!
//! A form post ends in a redirect, also when its session had expired or the
//! database did not answer. What was typed, and why it was not saved, wait in
//! this cookie for the next page and not in a URL, which would be logged.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clerk_auth::{UserHash, UserId};

use crate::error::{Error, ErrorKind};
use crate::request::Request;

/// Name of the cookie.
const FLASH_COOKIE: &str = "flash";

/// Seconds that it lives: long enough to sign in again.
const FLASH_MAX_AGE: u32 = 300;

/// Longest text kept, in bytes: 500 characters of four bytes. With them the
/// cookie has 2.7 KB, which leaves room for Clerk's cookies at the gateway.
const MAX_TEXT_BYTES: usize = 2_000;

/// What a form could not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    /// Why. One of the program's own texts: the cookie names a code, because a
    /// client can change it.
    pub error: &'static ErrorKind,
    /// What was typed; empty for a form without text. Cut when too long.
    pub text: String,
    /// Hash of the user whose session the form was sent with; empty: unknown.
    author: String,
}

impl Flash {
    /// The flash that a request brings, if any. Not to be trusted: it is text.
    #[must_use]
    pub fn read(request: &Request) -> Option<Self> {
        let value = request.cookie(FLASH_COOKIE)?;
        let mut fields = value.splitn(3, '.');
        let error = ErrorKind::with_code(fields.next()?)?;
        let author = fields.next()?.to_owned();
        let text = URL_SAFE_NO_PAD.decode(fields.next()?).ok()?;
        Some(Self {
            error,
            text: shorten(&String::from_utf8(text).ok()?).to_owned(),
            author,
        })
    }

    /// Whether this may be shown to a user: the next person at the same browser
    /// must not see it.
    #[must_use]
    pub fn is_for(&self, user: &UserId) -> bool {
        self.author.is_empty() || self.author == user.hash().as_str()
    }
}

/// The `Set-Cookie` value that keeps what this form post could not do.
pub(crate) fn keep(request: &Request, error: &Error, author: Option<&UserHash>) -> String {
    let field = request.form_field("message").unwrap_or_default();
    let text = String::from_utf8_lossy(&field).replace('\0', "");
    let author = author.map_or("", UserHash::as_str);
    let text = URL_SAFE_NO_PAD.encode(shorten(&text));
    let value = format!("{}.{author}.{text}", error.code());
    cookie(request, &value, FLASH_MAX_AGE)
}

/// The `Set-Cookie` value that deletes the flash.
#[must_use]
pub fn clear(request: &Request) -> String {
    cookie(request, "", 0)
}

fn cookie(request: &Request, value: &str, max_age: u32) -> String {
    let secure = if request.origin.is_secure() {
        "; Secure"
    } else {
        ""
    };
    format!("{FLASH_COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}")
}

fn shorten(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quote::MessageError;
    use crate::testing::request;

    /// The flash that the next page gets after a form with this body.
    fn after(error: &Error, body: &str) -> Option<Flash> {
        let cookie = keep(&request("POST", &[], body), error, None);
        let (pair, _) = cookie.split_once(';').unwrap();
        Flash::read(&request("GET", &[("cookie", pair)], ""))
    }

    #[test]
    fn the_next_page_gets_the_text_and_why_it_was_not_saved() {
        let flash = after(&Error::Message(MessageError::TooLong), "message=a+b%21").unwrap();
        assert_eq!(flash.error.code, "message-too-long");
        assert_eq!(flash.text, "a b!");
        let deletion = after(&Error::CrossSite, "").unwrap();
        assert_eq!(deletion.text, "");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let body = format!("message={}", "é".repeat(MAX_TEXT_BYTES));
        let flash = after(&Error::TooLarge, &body).unwrap();
        assert_eq!(flash.text, "é".repeat(MAX_TEXT_BYTES / 2));
        assert_eq!(shorten("aé"), "aé");
    }

    #[test]
    fn the_longest_text_fits_whatever_the_error_is() {
        let body = format!("message={}", "😀".repeat(500));
        for code in [
            "not-signed-in",
            "message-control",
            "database-refused",
            "jwks-unavailable",
            "message-too-long",
        ] {
            assert!(ErrorKind::with_code(code).is_some());
            assert!(code.len() <= "database-refused".len());
        }
        let refused = crate::database::DatabaseError::Refused(String::new());
        let cookie = keep(
            &request("POST", &[], &body),
            &Error::Database(refused),
            None,
        );
        let (pair, _) = cookie.split_once(';').unwrap();
        // Without the hash of an author, which has 8 characters.
        assert!(pair.len() + 8 <= 2_700, "{}", pair.len());
    }

    #[test]
    fn the_cookie_lives_shortly_and_only_for_the_server() {
        let cookie = keep(&request("POST", &[], "message=a"), &Error::CrossSite, None);
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=300; Secure"));
        let cleared = clear(&request("GET", &[], ""));
        assert!(cleared.starts_with("flash=; ") && cleared.contains("Max-Age=0"));
    }

    #[test]
    fn what_is_no_flash_is_none() {
        for value in [
            "",
            "x",
            "no-such-code..YQ",
            "cross-site.YQ",
            "cross-site..!",
            "cross-site.._w",
        ] {
            let cookie = format!("flash={value}");
            let flash = Flash::read(&request("GET", &[("cookie", &cookie)], ""));
            assert_eq!(flash, None, "{value}");
        }
    }
}
