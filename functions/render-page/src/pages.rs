//! The pages: the quote, and the errors in the same design.

use askama::Template;
use clerk_auth::Reason;
use http::StatusCode;
use shared::config::PageConfig;
use shared::flash::Flash;
use shared::quote::{MAX_CHARACTERS, Quote};
use shared::{Error, Request, Response, response};

use crate::routes;

/// What the handler works with.
pub(crate) type App = shared::App<PageConfig>;

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
    error: Option<String>,
    /// Why something else was not done.
    notice: Option<String>,
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

#[derive(Default, Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    nonce: String,
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

/// The page of a signed-in user.
///
/// # Errors
/// [`Error::Internal`] when it cannot be rendered.
pub(crate) fn quote(
    app: &App,
    request: &Request,
    quote: Option<&Quote>,
    flash: Option<&Flash>,
) -> Result<Response, Error> {
    let nonce = response::nonce()?;
    let instance = app.auth.instance();
    let origin = request.origin.as_str();
    let sign_in_url = &app.config.sign_in_url;
    let saved = quote.map_or("", |quote| quote.message.as_str());
    // The text goes back into the field, or there was none: what failed was the
    // deletion.
    let (typed, other) = match flash {
        Some(flash) if flash.text.is_empty() && flash.error.code != "message-empty" => {
            (None, Some(flash))
        }
        typed => (typed, None),
    };
    let explain = |flash: &Flash| match flash.error.code {
        "not-signed-in" => format!("{} {}", flash.error.detail, flash.error.hint),
        _ => flash.error.detail.to_owned(),
    };
    let page = QuotePage {
        nonce: &nonce,
        clerk: ClerkScripts {
            publishable_key: instance.publishable_key.as_str(),
            proxy_url: instance.proxy_url.as_deref(),
            frontend_api: instance.frontend_api(origin),
            sign_in_url,
            account_url: account_url(sign_in_url),
        },
        quote,
        saved,
        text: typed.map_or(saved, |flash| flash.text.as_str()),
        error: typed.map(explain),
        notice: other.map(explain),
        max_characters: MAX_CHARACTERS,
        long: LONG,
    };
    let html = page
        .render()
        .map_err(|error| Error::Internal(error.into()))?;
    let clerk = instance.csp_directives(origin, sign_in_url, &nonce);
    let policy = format!("default-src 'none'; {clerk}; base-uri 'none'; frame-ancestors 'none'");
    Ok(response::html(StatusCode::OK, html, &policy))
}

/// The account page beside the sign-in page, for users without clerk-js.
fn account_url(sign_in_url: &str) -> String {
    let portal = sign_in_url.strip_suffix("/sign-in");
    portal.map_or_else(|| sign_in_url.to_owned(), |portal| format!("{portal}/user"))
}

/// Development: the handshake that came back is another instance's.
pub(crate) fn switched_keys() -> Response {
    let page = ErrorPage {
        title: "These cookies belong to another application",
        explanation: "The sign-in came back with a signature of other keys. If the Clerk keys were \
                      switched, delete the cookies of this site and sign in again.",
        code: Some("handshake-signature"),
        ..ErrorPage::default()
    };
    page.respond(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The page for a request that could not be answered; problem details below
/// `/api/`.
pub(crate) fn error(_: &App, request: &Request, error: &Error) -> Response {
    if routes::is_api(request) {
        return response::problem(error);
    }
    let kind = error.kind();
    let (explanation, code) = if let Error::Unauthorized { reason, .. } = error {
        (verification_hint(*reason), Some(reason.as_str()))
    } else {
        let id = (kind.code == "internal").then_some(&*request.id);
        (kind.hint, id)
    };
    let page = ErrorPage {
        title: kind.title,
        explanation,
        code,
        retry_secs: kind.retry_after_secs,
        ..ErrorPage::default()
    };
    let mut response = page.respond(error.status());
    response::add_error_headers(&mut response, error);
    response
}

/// What is probably wrong when a session is there that does not verify.
fn verification_hint(reason: Reason) -> &'static str {
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

impl ErrorPage<'_> {
    fn respond(mut self, status: StatusCode) -> Response {
        // A page without its nonce only loses its style.
        self.nonce = response::nonce().unwrap_or_default();
        self.way_out = match status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "To the start page",
            _ => "Try again now",
        };
        let html = self.render().unwrap_or_else(|_| self.title.to_owned());
        let nonce = &self.nonce;
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; connect-src 'self'; \
             style-src 'nonce-{nonce}'; img-src data:; form-action 'none'; base-uri 'none'; \
             frame-ancestors 'none'"
        );
        response::html(status, html, &policy)
    }
}
