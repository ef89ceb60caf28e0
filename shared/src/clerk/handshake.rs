//! The handshake: a detour over the Frontend API that brings fresh cookies.
//!
//! A session cookie lives 60 seconds. A browser that comes back later is sent
//! to the Frontend API, which knows whether the visitor is still signed in and
//! sends the answer back as signed cookies.

use serde_json::Value;
use url::form_urlencoded;

use super::instance::Keys;
use super::reason::Reason;
use super::token::{Session, Token};
use super::view::{RequestView, Visit};

/// Clerk API version that the protocol below is taken from.
const API_VERSION: &str = "2026-05-12";

/// Redirects in a row after which something is wrong with the configuration.
const REDIRECT_LIMIT: u64 = 3;

/// Seconds that the redirect counter lives: longer than one redirect takes,
/// shorter than it takes a person to try again.
const REDIRECT_COUNTER_SECS: u64 = 2;

/// What happened to a wish for a handshake.
pub(super) enum Handshake {
    /// Redirect to this URL and count it with this cookie.
    Redirect {
        /// URL at the Frontend API.
        location: String,
        /// The counter as a `Set-Cookie` value.
        counter: String,
    },
    /// The request is not one that a browser would follow a redirect for.
    NotEligible,
    /// Too many in a row: another one would loop.
    LoopStopped,
}

/// Starts a handshake, if the request can be redirected.
pub(super) fn start(visit: &Visit<'_>, reason: Reason, header_token: Option<&str>) -> Handshake {
    if !is_eligible(visit.request) {
        return Handshake::NotEligible;
    }
    if visit.redirect_count >= REDIRECT_LIMIT {
        return Handshake::LoopStopped;
    }
    Handshake::Redirect {
        location: location(visit, reason, header_token),
        counter: format!(
            "__clerk_redirect_count={}; SameSite=Lax; HttpOnly; Max-Age={REDIRECT_COUNTER_SECS}",
            visit.redirect_count + 1
        ),
    }
}

/// Only a page load may be redirected: a script's request would fail on the
/// other origin, and a form post would be repeated against it.
fn is_eligible(request: &RequestView<'_>) -> bool {
    request.method == "GET"
        && match request.sec_fetch_dest {
            Some("document" | "iframe") => true,
            None | Some("") => request
                .accept
                .is_some_and(|accept| accept.starts_with("text/html")),
            Some(_) => false,
        }
}

fn location(visit: &Visit<'_>, reason: Reason, header_token: Option<&str>) -> String {
    let return_url = visit
        .request
        .url_without(&["__clerk_db_jwt", "__dev_session"]);
    let suffixed = if visit.cookies.suffixed {
        "true"
    } else {
        "false"
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("redirect_url", &return_url)
        .append_pair("__clerk_api_version", API_VERSION)
        .append_pair("suffixed_cookies", suffixed)
        .append_pair("__clerk_hs_reason", reason.as_str());
    if let Some(session) = visit.cookies.session.as_deref().or(header_token) {
        query.append_pair("__session", session);
    }
    if visit.is_development()
        && let Some(dev_browser) = &visit.dev_browser
    {
        query.append_pair("__clerk_db_jwt", dev_browser);
    }
    format!(
        "{}/v1/client/handshake?{}",
        visit.instance.frontend_api(visit.request.origin),
        query.finish()
    )
}

/// What a returning handshake brought.
pub(super) enum Return {
    /// A session that verifies, and the cookies to set.
    SignedIn(Session, Vec<String>),
    /// No session any more, and the cookies to set.
    SignedOut(Vec<String>),
    /// Nothing to rely on: decide as if it had not been there.
    Ignored,
    /// Development: not readable. Another instance's cookie on this host, or
    /// keys that were switched; a redirect would only bring it back.
    Unreadable,
}

/// Reads a handshake token and the session in it.
///
/// Nothing is emitted unless every directive can be: they are signed as a
/// whole, and half of them would mix two sessions.
pub(super) fn finish(visit: &Visit<'_>, handshake: &str, keys: &Keys) -> Return {
    let Some(token) = Token::decode(handshake) else {
        return unreadable(visit);
    };
    let Ok(directives) = token.handshake_directives(keys.of(&token)) else {
        return unreadable(visit);
    };
    let Some(directives) = header_values(directives) else {
        return Return::Ignored;
    };
    match session_of(&directives) {
        None => Return::SignedOut(directives),
        Some(session) => match verify(visit, &session, keys) {
            Ok(session) => Return::SignedIn(session, directives),
            Err(_) => Return::Ignored,
        },
    }
}

/// In production another application on the same parent domain may own the
/// cookie, so that it is passed over.
fn unreadable(visit: &Visit<'_>) -> Return {
    if visit.is_development() {
        Return::Unreadable
    } else {
        Return::Ignored
    }
}

/// Verifies the session that a handshake brought.
///
/// A developer's clock may be off by hours; the handshake is signed, so that a
/// day is forgiven in development.
fn verify(visit: &Visit<'_>, session: &str, keys: &Keys) -> Result<Session, Reason> {
    let token = Token::decode(session).ok_or(Reason::TokenInvalid)?;
    let verify_with = |skew_ms| {
        let rules = visit.instance.rules(visit.request.origin, skew_ms);
        token.verify(keys.of(&token), &rules, visit.now_ms)
    };
    match verify_with(visit.instance.clock_skew_ms) {
        Err(
            Reason::SessionTokenExpired
            | Reason::SessionTokenNbf
            | Reason::SessionTokenIatInTheFuture,
        ) if visit.is_development() => verify_with(DEVELOPMENT_SKEW_MS),
        verified => verified,
    }
}

/// Clock skew forgiven right after a handshake of a development instance.
const DEVELOPMENT_SKEW_MS: i64 = 86_400_000;

/// The directives as header values, or `None` if one of them is not legal: a
/// line break would begin a header of its own, and a `Set-Cookie` is ASCII.
fn header_values(directives: &[Value]) -> Option<Vec<String>> {
    directives
        .iter()
        .map(|directive| {
            let text = directive.as_str()?;
            let legal = text.bytes().all(|b| b == b'\t' || matches!(b, b' '..=b'~'));
            legal.then(|| text.to_owned())
        })
        .collect()
}

/// The value of the last directive that sets a session cookie.
///
/// As in the SDK the value ends at a second `=`.
fn session_of(directives: &[String]) -> Option<String> {
    let directive = directives.iter().rev().find(|directive| {
        let name = directive.split('=').next().unwrap_or_default();
        name.starts_with("__session")
    })?;
    let value = directive.split('=').nth(1)?.split(';').next()?;
    (!value.is_empty()).then(|| value.to_owned())
}
