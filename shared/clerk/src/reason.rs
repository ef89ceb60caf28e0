//! Why a user is not signed in, in the words of Clerk's SDK.

use http::{HeaderName, HeaderValue};

use crate::names::{AUTH_REASON_HEADER, AUTH_STATUS_HEADER};

/// Clerk's name for the outcome of a request that is not signed in.
///
/// The names are those of `AuthErrorReason` and `TokenVerificationErrorReason`
/// in `@clerk/backend`, so that logs and headers read alike on every stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Development only: the browser has no token of the instance yet.
    DevBrowserMissing,
    /// Development only: the portal sent a browser token to take over.
    DevBrowserSync,
    /// Nothing says that anyone is signed in.
    SessionTokenAndUatMissing,
    /// A session cookie, but the instance says that nobody is signed in.
    SessionTokenButNoClientUat,
    /// The instance says somebody is signed in, but this host has no session.
    ClientUatButNoSessionToken,
    /// The session is older than the last sign-in.
    SessionTokenIatBeforeClientUat,
    /// The handshake came back without a session: signed out.
    SessionTokenMissing,
    /// The session token is past its minute; a handshake brings a new one.
    SessionTokenExpired,
    /// Expired, and the method is not GET: nothing can be redirected.
    SessionTokenExpiredNonGet,
    /// The session token is not valid yet: a clock is wrong.
    SessionTokenNbf,
    /// The session token comes from the future: a clock is wrong.
    SessionTokenIatInTheFuture,
    /// Signed in, but tasks such as choosing an organization are left.
    SessionPending,
    /// A signed-in user arrived from another site.
    PrimaryDomainCrossOriginSync,
    /// Not a JWT, or not one of ours.
    TokenInvalid,
    /// Signed with an algorithm that Clerk does not use.
    TokenInvalidAlgorithm,
    /// The signature is not the instance's.
    TokenInvalidSignature,
    /// Made for another origin than ours (`azp`).
    TokenInvalidAuthorizedParties,
    /// Made by another issuer than ours (`iss`).
    TokenInvalidIssuer,
    /// A claim is missing or of the wrong type.
    TokenVerificationFailed,
    /// A machine, OAuth or template token where a session is needed.
    TokenTypeMismatch,
    /// The key that the token names is not in the instance's key set.
    JwkKidMismatch,
}

impl Reason {
    /// The name that Clerk's SDK uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DevBrowserMissing => "dev-browser-missing",
            Self::DevBrowserSync => "dev-browser-sync",
            Self::SessionTokenAndUatMissing => "session-token-and-uat-missing",
            Self::SessionTokenButNoClientUat => "session-token-but-no-client-uat",
            Self::ClientUatButNoSessionToken => "client-uat-but-no-session-token",
            Self::SessionTokenIatBeforeClientUat => "session-token-iat-before-client-uat",
            Self::SessionTokenMissing => "session-token-missing",
            // The suffixes are those of a server that has no refresh cookie.
            Self::SessionTokenExpired => {
                "session-token-expired-refresh-non-eligible-no-refresh-cookie"
            }
            Self::SessionTokenExpiredNonGet => "session-token-expired-refresh-non-eligible-non-get",
            Self::SessionTokenNbf => "session-token-nbf",
            Self::SessionTokenIatInTheFuture => "session-token-iat-in-the-future",
            Self::SessionPending => "session-pending",
            Self::PrimaryDomainCrossOriginSync => "primary-domain-cross-origin-sync",
            Self::TokenInvalid => "token-invalid",
            Self::TokenInvalidAlgorithm => "token-invalid-algorithm",
            Self::TokenInvalidSignature => "token-invalid-signature",
            Self::TokenInvalidAuthorizedParties => "token-invalid-authorized-parties",
            Self::TokenInvalidIssuer => "token-invalid-issuer",
            Self::TokenVerificationFailed => "token-verification-failed",
            Self::TokenTypeMismatch => "token-type-mismatch",
            Self::JwkKidMismatch => "jwk-kid-mismatch",
        }
    }

    /// The response headers that tell it: `x-clerk-auth-status`, which is
    /// `signed-out` or `handshake`, and `x-clerk-auth-reason`.
    pub(crate) fn headers(self, status: &'static str) -> [(HeaderName, HeaderValue); 2] {
        let header = |name, value| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        [
            header(AUTH_STATUS_HEADER, status),
            header(AUTH_REASON_HEADER, self.as_str()),
        ]
    }

    /// The headers of a response to a request that is not signed in.
    #[must_use]
    pub fn signed_out_headers(self) -> [(HeaderName, HeaderValue); 2] {
        self.headers("signed-out")
    }

    /// Whether a session is there that does not verify.
    ///
    /// Signing in again would not help: something is configured wrongly. A page
    /// should explain it instead of redirecting.
    #[must_use]
    pub fn is_unverifiable(self) -> bool {
        matches!(
            self,
            Self::TokenInvalid
                | Self::TokenInvalidAlgorithm
                | Self::TokenInvalidSignature
                | Self::TokenInvalidAuthorizedParties
                | Self::TokenInvalidIssuer
                | Self::TokenVerificationFailed
                | Self::TokenTypeMismatch
                | Self::JwkKidMismatch
        )
    }
}

/// What stands in the way of a sign-in, where more is known than the reason says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The session lacks nothing but `azp`: clerk-js can get one that has it.
    AzpMissing,
    /// Too many redirects in a row, and the browser sends no cookies at all.
    CookiesOff,
    /// Too many redirects in a row. The browser sends other cookies of the
    /// instance, but not the one that a handshake sets: it may be larger than the
    /// 4,096 bytes that a browser keeps.
    CookieLost,
    /// Too many redirects in a row, for no reason that is known here.
    Loop,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reason, its name in the SDK, and whether it needs an explanation
    /// instead of another sign-in.
    const ALL: [(Reason, &str, bool); 21] = [
        (Reason::DevBrowserMissing, "dev-browser-missing", false),
        (Reason::DevBrowserSync, "dev-browser-sync", false),
        (
            Reason::SessionTokenAndUatMissing,
            "session-token-and-uat-missing",
            false,
        ),
        (
            Reason::SessionTokenButNoClientUat,
            "session-token-but-no-client-uat",
            false,
        ),
        (
            Reason::ClientUatButNoSessionToken,
            "client-uat-but-no-session-token",
            false,
        ),
        (
            Reason::SessionTokenIatBeforeClientUat,
            "session-token-iat-before-client-uat",
            false,
        ),
        (Reason::SessionTokenMissing, "session-token-missing", false),
        (
            Reason::SessionTokenExpired,
            "session-token-expired-refresh-non-eligible-no-refresh-cookie",
            false,
        ),
        (
            Reason::SessionTokenExpiredNonGet,
            "session-token-expired-refresh-non-eligible-non-get",
            false,
        ),
        (Reason::SessionTokenNbf, "session-token-nbf", false),
        (
            Reason::SessionTokenIatInTheFuture,
            "session-token-iat-in-the-future",
            false,
        ),
        (Reason::SessionPending, "session-pending", false),
        (
            Reason::PrimaryDomainCrossOriginSync,
            "primary-domain-cross-origin-sync",
            false,
        ),
        (Reason::TokenInvalid, "token-invalid", true),
        (
            Reason::TokenInvalidAlgorithm,
            "token-invalid-algorithm",
            true,
        ),
        (
            Reason::TokenInvalidSignature,
            "token-invalid-signature",
            true,
        ),
        (
            Reason::TokenInvalidAuthorizedParties,
            "token-invalid-authorized-parties",
            true,
        ),
        (Reason::TokenInvalidIssuer, "token-invalid-issuer", true),
        (
            Reason::TokenVerificationFailed,
            "token-verification-failed",
            true,
        ),
        (Reason::TokenTypeMismatch, "token-type-mismatch", true),
        (Reason::JwkKidMismatch, "jwk-kid-mismatch", true),
    ];

    #[test]
    fn reasons_have_the_names_of_the_sdk() {
        for (reason, name, unverifiable) in ALL {
            assert_eq!(reason.to_string(), name);
            assert_eq!(reason.is_unverifiable(), unverifiable, "{name}");
        }
    }
}
