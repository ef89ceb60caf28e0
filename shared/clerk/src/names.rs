//! The names that Clerk gives its cookies, query parameters and headers.
//!
//! They are those of `constants.ts` in `@clerk/backend`. A cookie of an
//! instance may carry the instance's suffix, see
//! [`PublishableKey::cookie_suffix`](crate::PublishableKey::cookie_suffix).

/// Version of Clerk's API that this crate speaks.
pub(crate) const API_VERSION: &str = "2026-05-12";

/// Cookie: the session token, a JWT that lives for a minute.
pub const SESSION_COOKIE: &str = "__session";

/// Cookie: when this browser's client last signed in or out, in seconds since
/// 1970; `0` when nobody is signed in.
pub const CLIENT_UAT_COOKIE: &str = "__client_uat";

/// Cookie and parameter of development instances: the token that identifies the
/// browser, which cannot share cookies with the instance's own domain.
pub const DEV_BROWSER: &str = "__clerk_db_jwt";

/// Cookie (production) and parameter (development): what a handshake brings back.
pub const HANDSHAKE: &str = "__clerk_handshake";

/// Cookie and parameter: refers to what a handshake brings back, where that is
/// too large for a cookie.
pub const HANDSHAKE_NONCE: &str = "__clerk_handshake_nonce";

/// Cookie: how many handshakes have followed each other.
pub const REDIRECT_COUNT_COOKIE: &str = "__clerk_redirect_count";

/// Parameter of this crate and not of Clerk's: how many redirects have followed
/// each other and when, as `count.seconds` since 1970. It is in the URL that a
/// handshake or the sign-in page leads back to, because a cookie may not come
/// back. A page should take it off its URL with `history.replaceState`.
pub const REDIRECTS_PARAMETER: &str = "__clerk_redirects";

/// Parameter: asks the Frontend API to explain a development handshake.
pub const HELP_PARAMETER: &str = "__clerk_help";

/// Parameter: the older name of [`DEV_BROWSER`].
pub const DEV_SESSION_PARAMETER: &str = "__dev_session";

/// Parameter of a handshake: the URL to come back to; also of the sign-in page.
pub const REDIRECT_URL_PARAMETER: &str = "redirect_url";

/// Parameter of a handshake: the version of Clerk's API that is spoken.
pub const API_VERSION_PARAMETER: &str = "__clerk_api_version";

/// Parameter of a handshake: whether the suffixed cookies are in use.
pub const SUFFIXED_COOKIES_PARAMETER: &str = "suffixed_cookies";

/// Parameter of a handshake: why it was asked for.
pub const HANDSHAKE_REASON_PARAMETER: &str = "__clerk_hs_reason";

/// Response header: `signed-out` or `handshake`.
pub const AUTH_STATUS_HEADER: &str = "x-clerk-auth-status";

/// Response header: Clerk's reason for that, see [`Reason`](crate::Reason).
pub const AUTH_REASON_HEADER: &str = "x-clerk-auth-reason";
