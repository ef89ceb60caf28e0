//! The pages: the quote, and the errors in the same design.

use askama::Template;
use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use shared::clerk::{Decision, Reason};
use shared::error::RETRY_AFTER_SECS;
use shared::http::draft::{Draft, Obstacle};
use shared::http::{self, origin};
use shared::quote::{MAX_CHARACTERS, Quote};
use shared::{App, Error, Failed};

use crate::routes;

#[derive(Template)]
#[template(path = "quote.html")]
struct QuotePage<'a> {
    nonce: &'a str,
    clerk: ClerkScripts<'a>,
    quote: Option<&'a Quote>,
    /// The quote's text, or nothing.
    saved: &'a str,
    /// What the field holds: what could not be saved, or what is.
    text: &'a str,
    /// Why it could not be saved; shown beside the field.
    error: Option<&'static str>,
    /// Why something else was not done.
    notice: Option<&'static str>,
    max_characters: usize,
    long: usize,
}

/// What the page tells clerk-js.
struct ClerkScripts<'a> {
    publishable_key: &'a str,
    proxy_url: Option<&'a str>,
    frontend_api: String,
    sign_in_url: &'a str,
    account_url: String,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    nonce: &'a str,
    title: &'a str,
    explanation: &'a str,
    code: Option<&'a str>,
    retry_secs: Option<u32>,
    way_out: &'static str,
}

/// Longest text that is centred and large, in characters.
const LONG: usize = 120;

impl QuotePage<'_> {
    fn is_long(&self, text: &str) -> bool {
        text.chars().count() > LONG
    }
}

/// The page of a signed-in visitor.
///
/// # Errors
/// [`Error::Internal`] when it cannot be rendered.
pub(crate) fn quote(
    app: &App,
    request: &Request,
    quote: Option<&Quote>,
    draft: Option<&Draft>,
) -> Result<Response<Body>, Error> {
    let nonce = http::nonce()?;
    let instance = &app.clerk.instance;
    let saved = quote.map_or("", |quote| quote.message.as_str());
    let (typed, other) = match draft {
        Some(draft) if draft.text.is_empty() && draft.obstacle != Obstacle::Empty => {
            (None, Some(draft))
        }
        typed => (typed, None),
    };
    let explanation = |draft: &Draft| draft.obstacle.explanation();
    let page = QuotePage {
        nonce: &nonce,
        clerk: ClerkScripts {
            publishable_key: instance.publishable_key.as_str(),
            proxy_url: instance.proxy_url.as_deref(),
            frontend_api: instance.frontend_api(origin(request)),
            sign_in_url: &app.sign_in_url,
            account_url: account_url(&app.sign_in_url),
        },
        quote,
        saved,
        text: typed.map_or(saved, |draft| draft.text.as_str()),
        error: typed.map(explanation),
        notice: other.map(explanation),
        max_characters: MAX_CHARACTERS,
        long: LONG,
    };
    let html = page
        .render()
        .map_err(|error| Error::Internal(error.into()))?;
    Ok(http::html(
        StatusCode::OK,
        html,
        &policy(app, origin(request), &nonce),
    ))
}

/// Content-Security-Policy of the page: our own inline script and style by
/// nonce, and what clerk-js loads from the Frontend API. Chromium applies
/// `form-action` to the redirects after a post, so sign-in is named too.
fn policy(app: &App, origin: &str, nonce: &str) -> String {
    let api = origin_of(&app.clerk.instance.frontend_api(origin));
    let accounts = app.clerk.instance.publishable_key.accounts_origin();
    let sign_in = origin_of(&app.sign_in_url);
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' {api}; connect-src 'self' {api}; \
         img-src 'self' data: https://img.clerk.com; style-src 'self' 'nonce-{nonce}'; \
         worker-src 'self' blob:; frame-src https://challenges.cloudflare.com; \
         form-action 'self' {api} {accounts} {sign_in}; base-uri 'none'; frame-ancestors 'none'"
    )
}

fn origin_of(url: &str) -> String {
    url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/")
}

/// The account page beside the sign-in page, for visitors without clerk-js.
fn account_url(sign_in_url: &str) -> String {
    match sign_in_url.strip_suffix("/sign-in") {
        Some(portal) => format!("{portal}/user"),
        None => sign_in_url.to_owned(),
    }
}

/// A redirect to a handshake or back from one.
pub(crate) fn detour(decision: &Decision, location: &str) -> Response<Body> {
    let mut response = http::redirect(StatusCode::TEMPORARY_REDIRECT, location);
    http::describe(&mut response, decision);
    response
}

/// Development: the handshake that came back is another instance's.
pub(crate) fn switched_keys() -> Response<Body> {
    error_page(
        StatusCode::INTERNAL_SERVER_ERROR,
        "These cookies belong to another application",
        "The sign-in came back with a signature of other keys. If the Clerk keys were \
         switched, delete the cookies of this site and sign in again.",
        Some("handshake-signature"),
        None,
    )
}

/// The page for a request that failed; problem details below `/api/`.
pub(crate) fn error(failed: &Failed<'_>) -> Response<Body> {
    let error = failed.error;
    if routes::is_api(failed.request) {
        return http::problem(error);
    }
    let (title, explanation) = texts(error);
    let code = if let Error::Unauthorized { reason, .. } = error {
        Some(reason.as_str())
    } else {
        matches!(error, Error::Internal(_)).then_some(failed.request_id)
    };
    let retry = (error.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_SECS);
    let mut response = error_page(error.status(), title, explanation, code, retry);
    http::explain(&mut response, error);
    response
}

fn texts(error: &Error) -> (&'static str, &'static str) {
    match error {
        Error::Unauthorized { reason, .. } => {
            ("You are signed in, but not for this page", misfit(*reason))
        }
        Error::NotFound | Error::NoQuote => ("Nothing is here", "The address leads nowhere."),
        Error::MethodNotAllowed { .. } => {
            ("That does not work here", "This page can only be read.")
        }
        Error::DatabaseUnavailable(_) => (
            "The database is waking up",
            "It sleeps when nobody needs it. This page tries again by itself.",
        ),
        Error::KeySetUnavailable(_) => (
            "The sign-in service cannot be reached",
            "This page tries again by itself.",
        ),
        Error::Unreadable(_)
        | Error::CrossSite
        | Error::TooLarge
        | Error::UnsupportedMediaType { .. }
        | Error::Refused(_) => (
            "That request cannot be read",
            "Please go back and try again.",
        ),
        Error::Internal(_) => (
            "Something broke on our side",
            "It was written down with the number below. Please try again in a moment.",
        ),
    }
}

/// What is probably wrong when a session is there that does not verify.
fn misfit(reason: Reason) -> &'static str {
    match reason {
        Reason::TokenInvalidSignature | Reason::JwkKidMismatch => {
            "The session was signed with another key. Probably the keys of two Clerk instances are mixed: \
             the publishable key and the JWT key must belong to the same one."
        }
        Reason::TokenInvalidAuthorizedParties => {
            "The session was made for another address. Open the application at its own address, \
             or add this one to its authorized parties."
        }
        Reason::TokenInvalidIssuer => {
            "The session comes from another issuer. Probably the keys of two Clerk instances are mixed."
        }
        Reason::SessionTokenNbf | Reason::SessionTokenIatInTheFuture => {
            "The session is not valid yet. Probably a clock is wrong: the server's or, in development, yours."
        }
        Reason::TokenInvalid
        | Reason::TokenInvalidAlgorithm
        | Reason::TokenVerificationFailed
        | Reason::TokenTypeMismatch => {
            "The session cookie is not one of a sign-in. Delete the cookies of this site and sign in again."
        }
        Reason::DevBrowserMissing
        | Reason::DevBrowserSync
        | Reason::SessionTokenAndUatMissing
        | Reason::SessionTokenButNoClientUat
        | Reason::ClientUatButNoSessionToken
        | Reason::SessionTokenIatBeforeClientUat
        | Reason::SessionTokenMissing
        | Reason::SessionTokenExpired
        | Reason::SessionTokenExpiredNonGet
        | Reason::SessionPending
        | Reason::PrimaryDomainCrossOriginSync => {
            "Signing in led back here several times. Probably cookies are switched off, or the \
             publishable key is that of another Clerk instance."
        }
    }
}

fn error_page(
    status: StatusCode,
    title: &str,
    explanation: &str,
    code: Option<&str>,
    retry_secs: Option<u32>,
) -> Response<Body> {
    // A page without its nonce only loses its style.
    let nonce = http::nonce().unwrap_or_default();
    let page = ErrorPage {
        nonce: &nonce,
        title,
        explanation,
        code,
        retry_secs,
        way_out: match status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "To the start page",
            _ => "Try again now",
        },
    };
    let html = page.render().unwrap_or_else(|_| title.to_owned());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; connect-src 'self'; \
         style-src 'nonce-{nonce}'; img-src data:; form-action 'none'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    http::html(status, html, &policy)
}
