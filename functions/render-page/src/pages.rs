//! The pages: the quote, and the errors in the same design.

use std::sync::LazyLock;

use askama::Template;
use clerk_auth::{Obstacle, Reason, Session};
use http::{Method, StatusCode};
use shared::auth::Refusal;
use shared::config::PageConfig;
use shared::error::ErrorKind;
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
    /// Hash of the user, which a form brings back.
    user: String,
    /// The user, where somebody else acts as them.
    acting_as: Option<&'a str>,
    quote: Option<&'a Quote>,
    /// The quote's version and text, or nothing.
    version: &'a str,
    /// The version that saving depends on.
    based_on: &'a str,
    saved: &'a str,
    /// What the field holds: what could not be saved, or what is.
    text: &'a str,
    /// Why it could not be saved; shown beside the field.
    error: Option<String>,
    /// Whether the quote and the text in the field are to be compared.
    both: bool,
    /// Why something else was not done.
    notice: Option<String>,
    /// What a form deleted.
    deleted: Option<&'a Flash>,
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

#[derive(Template)]
#[template(path = "renew.html")]
struct RenewPage<'a> {
    nonce: &'a str,
    clerk: ClerkScripts<'a>,
}

/// The scripts and the style, as the pages have them.
static STYLE: LazyLock<String> = LazyLock::new(|| compact(include_str!("../templates/style.css")));
static SCRIPT: LazyLock<String> = LazyLock::new(|| compact(include_str!("../templates/script.js")));

/// Longest text of one line that is centred and large, in characters.
const LONG: usize = 120;

/// What a form says whose condition did not hold: the text is in the field, and the
/// page shows what is saved.
const CHANGED_ELSEWHERE: &str =
    "Not saved: the quote was changed elsewhere meanwhile. Saving replaces it.";
const DELETED_ELSEWHERE: &str =
    "Not saved: the quote was deleted elsewhere meanwhile. Saving brings it back as you typed it.";
const NOT_DELETED: &str = "Not deleted: the quote was changed elsewhere meanwhile.";

/// What is said of a text that did not fit into the cookie.
const ONLY_BEGINNING: &str = "Only the beginning of the text is here.";

impl QuotePage<'_> {
    fn is_long(&self, text: &str) -> bool {
        text.contains('\n') || text.chars().count() > LONG
    }
}

/// A script or a style without what only its readers need: lines that are comments,
/// indentation, and what means nothing beside punctuation in either language: blanks,
/// ends of lines, the last semicolon of a block. They are more than a
/// quarter of it, and every page load carries it. Statements end with a semicolon,
/// and no name ends in "if".
fn compact(source: &str) -> String {
    let mut compact = String::new();
    for line in source.lines().map(str::trim) {
        if line.is_empty() || line.starts_with("//") || line.starts_with("/*") {
            continue;
        }
        let mut quote = None;
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            let before = compact.chars().next_back();
            let is_blank = c == ' '
                && (before.is_some_and(|c| "\n{};,:=?&|<>('`".contains(c))
                    || chars.peek().is_some_and(|c| "{}=?&|<>'`!".contains(*c))
                    || compact.ends_with("if"));
            if quote.is_none() && c == '}' {
                compact.truncate(compact.trim_end_matches([';', '\n']).len());
            }
            if quote.is_some() || !is_blank {
                compact.push(c);
            }
            if quote == Some(c) {
                quote = None;
            } else if quote.is_none() && matches!(c, '\'' | '`') {
                quote = Some(c);
            }
        }
        if !compact.ends_with(['{', '}', ';', ',', '(']) {
            compact.push('\n');
        }
    }
    compact
}

/// What browsers and search engines ask for by themselves.
pub(crate) fn file(request: &Request) -> Option<Response> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    match request.path() {
        // Every browser takes a PNG here.
        "/favicon.ico" => {
            let icon = include_bytes!("../templates/icon.png");
            Some(response::file("image/png", icon))
        }
        "/robots.txt" => {
            let nothing = b"User-agent: *\nDisallow: /\n";
            Some(response::file("text/plain; charset=utf-8", nothing))
        }
        _ => None,
    }
}

/// The page of a signed-in user.
///
/// # Errors
/// [`Error::Internal`] when it cannot be rendered.
pub(crate) fn quote(
    app: &App,
    request: &Request,
    session: &Session,
    quote: Option<&Quote>,
    flash: Option<&Flash>,
) -> Result<Response, Error> {
    let nonce = response::nonce()?;
    let saved = quote.map_or("", |quote| quote.message.as_str());
    let deleted = flash.filter(|flash| flash.error.is_none());
    let failure = flash.and_then(|flash| Some((flash, flash.error?)));
    // The text goes back into the field, or there was none: what failed was the
    // deletion.
    let (typed, other) = match failure {
        Some((flash, error)) if flash.text.is_empty() && error.code != "message-empty" => {
            (None, failure)
        }
        typed => (typed, None),
    };
    let explain = |(flash, error): (&Flash, &ErrorKind)| {
        let sentence = match (error.code, typed, quote) {
            ("changed", Some(_), Some(_)) => CHANGED_ELSEWHERE,
            ("changed", Some(_), None) => DELETED_ELSEWHERE,
            ("changed", None, _) => NOT_DELETED,
            _ => error.detail,
        };
        let hint = match error.code {
            "not-signed-in" => error.hint,
            _ => "",
        };
        let cut = if flash.is_cut { ONLY_BEGINNING } else { "" };
        let parts = [sentence, hint, cut].into_iter();
        parts
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let version = quote.map_or("", |quote| quote.version.as_str());
    // A form that brings its text back has not shown what is saved now, but where the
    // page shows both.
    let both = typed.is_some_and(|(_, error)| error.code == "changed");
    let brought = typed.filter(|_| !both);
    let based_on = brought.and_then(|(flash, _)| flash.version.as_deref());
    let page = QuotePage {
        nonce: &nonce,
        clerk: ClerkScripts::new(app, request),
        user: session.user.hash(),
        acting_as: session.actor().map(|_| session.user.as_str()),
        quote,
        version,
        based_on: based_on.unwrap_or(version),
        saved,
        text: typed.map_or(saved, |(flash, _)| flash.text.as_str()),
        error: typed.map(explain),
        both: both && quote.is_some(),
        notice: other.map(explain),
        deleted,
        max_characters: MAX_CHARACTERS,
        long: LONG,
    };
    with_clerk(app, request, StatusCode::OK, &nonce, &page)
}

/// The page on which clerk-js gets another session and which then loads again.
///
/// # Errors
/// [`Error::Internal`] when it cannot be rendered.
pub(crate) fn renew(app: &App, request: &Request) -> Result<Response, Error> {
    let nonce = response::nonce()?;
    let page = RenewPage {
        nonce: &nonce,
        clerk: ClerkScripts::new(app, request),
    };
    with_clerk(app, request, StatusCode::UNAUTHORIZED, &nonce, &page)
}

/// A page that runs clerk-js.
fn with_clerk(
    app: &App,
    request: &Request,
    status: StatusCode,
    nonce: &str,
    page: &impl Template,
) -> Result<Response, Error> {
    let html = page
        .render()
        .map_err(|error| Error::Internal(error.into()))?;
    let instance = app.auth.instance();
    let clerk = instance.csp_directives(request.origin.as_str(), &app.config.sign_in_url, nonce);
    let policy = format!("default-src 'none'; {clerk}; base-uri 'none'; frame-ancestors 'none'");
    let mut response = response::html(status, html, &policy);
    if status == StatusCode::UNAUTHORIZED {
        response::challenge(&mut response, false);
    }
    Ok(response)
}

impl<'a> ClerkScripts<'a> {
    fn new(app: &'a App, request: &Request) -> Self {
        let instance = app.auth.instance();
        let sign_in_url = &app.config.sign_in_url;
        Self {
            publishable_key: instance.publishable_key.as_str(),
            proxy_url: instance.proxy_url.as_deref(),
            frontend_api: instance.frontend_api(request.origin.as_str()),
            sign_in_url,
            account_url: account_url(sign_in_url),
        }
    }
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
    let code = (kind.code == "internal").then_some(&*request.id);
    let page = ErrorPage {
        title: kind.title,
        explanation: kind.hint,
        code,
        retry_secs: kind.retry_after_secs,
        ..ErrorPage::default()
    };
    let mut response = page.respond(error.status());
    response::add_error_headers(&mut response, error);
    response
}

/// The page for a session that does not verify, or that redirects do not bring.
pub(crate) fn refused(refusal: &Refusal) -> Response {
    let Refusal {
        reason,
        handshake_refused,
        obstacle,
    } = *refusal;
    let explanation = match (handshake_refused, reason, obstacle) {
        (_, reason, None)
        | (Some(reason), _, Some(_))
        | (
            None,
            reason @ (Reason::SessionTokenNbf
            | Reason::SessionTokenIatInTheFuture
            | Reason::SessionPending),
            Some(_),
        ) => explain_reason(reason),
        (None, _, Some(obstacle)) => explain_obstacle(obstacle),
    };
    let code = match handshake_refused {
        Some(refused) => format!("{reason}, handshake: {refused}"),
        None => reason.to_string(),
    };
    let page = ErrorPage {
        title: match obstacle {
            Some(_) => "Signing in does not work",
            None => "You are signed in, but not for this page",
        },
        explanation,
        code: Some(&code),
        ..ErrorPage::default()
    };
    let mut response = page.respond(StatusCode::UNAUTHORIZED);
    response::challenge(&mut response, false);
    response
}

fn explain_obstacle(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::CookiesOff => {
            "Signing in led back here several times, and your browser sends no cookies, which signing in needs. If it \
             refuses them, allow them for this site. Otherwise the operator of this site finds more in its log."
        }
        Obstacle::CookieLost => {
            "Signing in worked, but its cookie did not come back, while others did. A browser drops a cookie of more \
             than 4,096 bytes: custom claims of the session may be too large. Or Clerk's domain is not above this one."
        }
        Obstacle::Loop | Obstacle::AzpMissing => {
            "Signing in led back here several times without a session. Wait a minute and try again. If it happens \
             again, the operator of this site finds more in its log."
        }
    }
}

/// What a session that does not verify shows.
fn explain_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::TokenInvalidSignature | Reason::JwkKidMismatch => {
            "The session was signed with another key. The publishable key and the JWT key must belong to the same \
             Clerk instance; if they do, the session is another instance's: delete the cookies of this site."
        }
        Reason::TokenInvalidAuthorizedParties => {
            "The session was made for another address. Open the application at its own address, \
             or add this one to its authorized parties."
        }
        Reason::TokenInvalidIssuer => {
            "The session comes from another issuer than the one that is expected. Behind a proxy of Clerk's Frontend \
             API the issuer may be the proxy's address: set CLERK_ISSUER to it."
        }
        Reason::SessionTokenNbf | Reason::SessionTokenIatInTheFuture => {
            "The session is not valid yet: the clock of this server is behind Clerk's."
        }
        Reason::SessionTokenExpired | Reason::SessionTokenExpiredNonGet => {
            "A session that was just made had expired already: the clock of this server is ahead of Clerk's."
        }
        Reason::SessionTokenIatBeforeClientUat => {
            "The session that came back is older than the last sign-in. Sign out and in again."
        }
        Reason::SessionPending => {
            "You are not signed in completely: a step is left, such as choosing an organization. The sign-in page led \
             back without it."
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
        | Reason::SessionTokenMissing
        | Reason::PrimaryDomainCrossOriginSync => explain_obstacle(Obstacle::Loop),
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
             style-src 'nonce-{nonce}'; img-src 'self' data:; form-action 'none'; base-uri 'none'; \
             frame-ancestors 'none'"
        );
        response::html(status, html, &policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_have_the_code_of_scripts_and_styles_and_no_comments() {
        let source =
            "// why\nif (a) {\n  /* why */\n\n  b = ' {  d' + `= ${c}` + e;\n}\nmain > a :hover";
        let compacted = "if(a){b=' {  d'+`= ${c}`+ e}main>a :hover\n";
        assert_eq!(compact(source), compacted);
    }
}
