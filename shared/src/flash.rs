//! The flash cookie: what a form could not do, or deleted, kept for the next page.
//!
//! A form post ends in a redirect, also when its session had expired or the
//! database did not answer. What was typed, and why it was not saved, wait in
//! this cookie for the next page and not in a URL, which would be logged. So does a
//! quote that was deleted, until the page has offered to undo that.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clerk_auth::UserId;

use crate::error::{Error, ErrorKind};
use crate::quote::Version;
use crate::request::Request;

/// Name of the cookie over http, which only loopback uses.
const FLASH_COOKIE: &str = "flash";

/// Name of the cookie over https. With this prefix no other host, such as a sibling
/// subdomain, can set it.
const SECURE_FLASH_COOKIE: &str = "__Host-flash";

/// Seconds that it lives: long enough to sign in again.
const FLASH_MAX_AGE: u32 = 300;

/// Longest text kept, in bytes: 500 characters of four bytes. With them the
/// cookie has 2.7 KB, which leaves room for Clerk's cookies at the gateway.
const MAX_TEXT_BYTES: usize = 2_000;

/// What follows a text that was cut.
const CUT_MARK: &str = ".";

/// In the place of an error's code: a form deleted the text.
const DELETED_CODE: &str = "deleted";

/// In the place of a version: the form did not say.
const NO_VERSION: &str = "-";

/// What a form could not do, or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    /// Why it could not; `None`: it deleted the text. One of the program's own texts:
    /// the cookie names a code, because a client can change it.
    pub error: Option<&'static ErrorKind>,
    /// What was typed or deleted; empty for a form without text.
    pub text: String,
    /// Whether that is only the beginning.
    pub is_cut: bool,
    /// The version of the quote that the form's page showed; empty: none. `None`: the
    /// form did not say. Saving the text depends on it as it did before.
    pub version: Option<String>,
    /// Hash of the user whose page the form was on; empty: no page of ours.
    author: String,
}

impl Flash {
    /// The flash that a request brings, if any. Not to be trusted: it is text.
    #[must_use]
    pub fn read(request: &Request) -> Option<Self> {
        let value = request.cookie(name(request))?;
        let mut fields = value.splitn(4, '.');
        let error = match fields.next()? {
            DELETED_CODE => None,
            code => Some(ErrorKind::with_code(code)?),
        };
        let author = fields.next()?.to_owned();
        let version = Some(fields.next()?).filter(|text| is_version(text));
        let text = fields.next()?;
        let whole = text.strip_suffix(CUT_MARK);
        let bytes = URL_SAFE_NO_PAD.decode(whole.unwrap_or(text)).ok()?;
        Some(Self {
            error,
            text: shorten(&String::from_utf8(bytes).ok()?).to_owned(),
            is_cut: whole.is_some(),
            version: version.map(str::to_owned),
            author,
        })
    }

    /// Whether this may be shown to a user: the next person at the same browser
    /// must not see it.
    #[must_use]
    pub fn is_for(&self, user: &UserId) -> bool {
        self.author == user.hash() || (self.author.is_empty() && self.text.is_empty())
    }
}

/// The `Set-Cookie` value that keeps what this form post could not do. A text that
/// comes from no page of ours has no author and is not kept.
pub(crate) fn keep(request: &Request, error: &Error) -> String {
    let author = author(request);
    let field = request.form_field("message").filter(|_| author.is_some());
    let text = String::from_utf8_lossy(&field.unwrap_or_default()).replace('\0', "");
    let author = author.unwrap_or_default();
    let version = request.form_field("version");
    let version = version.and_then(|field| String::from_utf8(field).ok());
    let version = version.filter(|text| is_version(text));
    let version = version.as_deref().unwrap_or(NO_VERSION);
    keep_text(
        request,
        &format!("{}.{author}.{version}", error.code()),
        &text,
    )
}

/// The `Set-Cookie` value that keeps what this form post deleted, if it comes from a
/// page of ours.
pub(crate) fn keep_deleted(request: &Request, text: &str) -> Option<String> {
    let author = author(request)?;
    let about = format!("{DELETED_CODE}.{author}.{NO_VERSION}");
    Some(keep_text(request, &about, text))
}

/// The user's hash that a form has. A client may send what is none.
fn author(request: &Request) -> Option<String> {
    let is_hash_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_hash = |author: &String| author.len() == 8 && author.bytes().all(is_hash_byte);
    request.author().filter(is_hash)
}

fn is_version(text: &str) -> bool {
    text.is_empty() || Version::parse(text).is_some()
}

fn keep_text(request: &Request, about: &str, text: &str) -> String {
    let kept = shorten(text);
    let mark = if kept == text { "" } else { CUT_MARK };
    let kept = URL_SAFE_NO_PAD.encode(kept);
    let value = format!("{about}.{kept}{mark}");
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
    let name = name(request);
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}")
}

fn name(request: &Request) -> &'static str {
    if request.origin.is_secure() {
        SECURE_FLASH_COOKIE
    } else {
        FLASH_COOKIE
    }
}

fn shorten(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quote::MessageError;
    use crate::testing::request;

    /// A form on the page of a user, with these fields.
    fn form(fields: &str) -> Request {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        request("POST", &form, &format!("user=aaaa-_09&{fields}"))
    }

    /// The flash that the next page gets after a form with this body.
    fn after(error: &Error, body: &str) -> Option<Flash> {
        let cookie = keep(&form(body), error);
        let (pair, _) = cookie.split_once(';').unwrap();
        Flash::read(&request("GET", &[("cookie", pair)], ""))
    }

    #[test]
    fn the_next_page_gets_the_text_and_why_it_was_not_saved() {
        let flash = after(&Error::Message(MessageError::TooLong), "message=a+b%21").unwrap();
        assert_eq!(flash.error.unwrap().code, "message-too-long");
        assert_eq!((&*flash.text, flash.is_cut), ("a b!", false));
        let deletion = after(&Error::CrossSite, "").unwrap();
        assert_eq!(deletion.text, "");
    }

    #[test]
    fn the_next_page_gets_what_the_text_was_based_on() {
        let version = |fields: &str| after(&Error::CrossSite, fields).unwrap().version;
        assert_eq!(version("version=0a1b"), Some("0a1b".to_owned()));
        assert_eq!(version("version="), Some(String::new()));
        for fields in ["", "version=-", "version=a.b", "version=%ff", "version=XY"] {
            assert_eq!(version(fields), None, "{fields}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let body = format!("message={}", "é".repeat(MAX_TEXT_BYTES));
        let flash = after(&Error::TooLarge, &body).unwrap();
        assert_eq!(flash.text, "é".repeat(MAX_TEXT_BYTES / 2));
        assert!(flash.is_cut);
        assert_eq!(shorten("aé"), "aé");
    }

    #[test]
    fn the_longest_text_fits_whatever_the_error_is() {
        let version = "0123456789abcdef";
        let body = format!("version={version}&message={}", "😀".repeat(500));
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
        let cookie = keep(&form(&body), &Error::Database(refused));
        let (pair, _) = cookie.split_once(';').unwrap();
        let value = pair.strip_prefix("__Host-flash=").unwrap();
        assert!(value.len() <= 2_710, "{}", value.len());
    }

    #[test]
    fn the_cookie_lives_shortly_and_only_for_the_server() {
        let cookie = keep(&form("message=a"), &Error::CrossSite);
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=300; Secure"));
        let cleared = clear(&request("GET", &[], ""));
        assert!(cleared.starts_with("__Host-flash=; ") && cleared.contains("Max-Age=0"));
    }

    #[test]
    fn a_text_from_no_page_of_ours_is_not_kept() {
        let kept = |fields: &str| {
            let headers = [("content-type", "application/x-www-form-urlencoded")];
            keep(&request("POST", &headers, fields), &Error::CrossSite)
        };
        for fields in ["message=a", "user=&message=a", "user=aaaa.aaa&message=a"] {
            assert!(kept(fields).starts_with("__Host-flash=cross-site..-.;"));
        }
    }

    #[test]
    fn a_name_after_another_blank_is_another_name() {
        for (blank, known) in [
            (" ", true),
            ("\t", true),
            ("\u{2000}", false),
            ("\u{a0}", false),
        ] {
            let cookie = format!("{blank}__Host-flash=internal..-.");
            let flash = Flash::read(&request("GET", &[("cookie", &cookie)], ""));
            assert_eq!(flash.is_some(), known, "{blank:?}");
        }
    }

    #[test]
    fn what_is_no_flash_is_none() {
        for value in [
            "",
            "x",
            "no-such-code..-.YQ",
            "cross-site..YQ",
            "cross-site..-.!",
            "cross-site..-._w",
        ] {
            let cookie = format!("__Host-flash={value}");
            let flash = Flash::read(&request("GET", &[("cookie", &cookie)], ""));
            assert_eq!(flash, None, "{value}");
        }
    }
}
