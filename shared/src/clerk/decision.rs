//! The decision: who sent this request, or what to do to find out.
//!
//! Pure: configuration, keys, request and time go in, a decision comes out.
//! The rows are those of the state machine of `authenticateRequest` in
//! `@clerk/backend`, without satellites and the calls that need a secret key.

use super::handshake::{self, Handshake, Return};
use super::instance::{Instance, Keys};
use super::reason::Reason;
use super::token::{Session, Token};
use super::view::{RequestView, Visit};

/// What a request is answered with, as far as authentication goes.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Who it is.
    pub state: State,
    /// Where to redirect, if at all: to a handshake, or back from one.
    pub location: Option<String>,
    /// `Set-Cookie` values to send with any answer, in this order.
    pub set_cookie: Vec<String>,
}

/// Whether a request is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// By this session, which was verified.
    SignedIn(Session),
    /// Nobody, or nobody that can be believed.
    SignedOut {
        /// Why.
        reason: Reason,
        /// A handshake would have followed, had there not been too many in a row.
        loop_stopped: bool,
    },
    /// Not known: [`Decision::location`] leads to a handshake.
    Handshake(Reason),
    /// Development: a handshake came back that is not this instance's.
    UnreadableHandshake,
}

impl Decision {
    fn signed_out(reason: Reason) -> Self {
        Self::from(State::SignedOut {
            reason,
            loop_stopped: false,
        })
    }
}

impl From<State> for Decision {
    fn from(state: State) -> Self {
        Self {
            state,
            location: None,
            set_cookie: Vec::new(),
        }
    }
}

/// Decides about a request at the time `now_ms`, in milliseconds since 1970.
///
/// A token in the `Authorization` header is believed or refused without a look
/// at the cookies; everything else depends on them.
#[must_use]
pub fn authenticate(
    instance: &Instance,
    keys: &Keys,
    request: &RequestView<'_>,
    now_ms: i64,
) -> Decision {
    let visit = Visit::new(instance, request, now_ms);
    let mut decision = match request.header_token() {
        Some(token) => visit.by_header(token, keys),
        None => visit.by_cookies(keys),
    };
    // Tasks such as choosing an organization are left: for an application
    // nobody is signed in yet.
    if let State::SignedIn(Session { pending: true, .. }) = decision.state {
        decision.state = State::SignedOut {
            reason: Reason::SessionPending,
            loop_stopped: false,
        };
    }
    decision
}

impl Visit<'_> {
    fn by_header(&self, token: &str, keys: &Keys) -> Decision {
        match self.verify(token, keys) {
            Ok(session) => State::SignedIn(session).into(),
            Err(reason) => self.unverified(reason, Some(token)),
        }
    }

    fn by_cookies(&self, keys: &Keys) -> Decision {
        if let Some(decision) = self.returning(keys) {
            return decision;
        }
        if self.is_development() && self.request.has_parameter("__clerk_db_jwt") {
            return self.handshake(Reason::DevBrowserSync, None);
        }
        if self.is_development() && self.dev_browser.is_none() {
            return self.handshake(Reason::DevBrowserMissing, None);
        }
        let session = match (self.cookies.client_uat, self.cookies.session.as_deref()) {
            (0, None) => return Decision::signed_out(Reason::SessionTokenAndUatMissing),
            (0, Some(_)) => return self.handshake(Reason::SessionTokenButNoClientUat, None),
            (_, None) => return self.handshake(Reason::ClientUatButNoSessionToken, None),
            (_, Some(session)) => session,
        };
        match self.verify_since_sign_in(session, keys) {
            Ok(_) if self.redirect_count == 0 && self.comes_from_another_site() => {
                self.handshake(Reason::PrimaryDomainCrossOriginSync, None)
            }
            Ok(session) => State::SignedIn(session).into(),
            Err(reason) => self.unverified(reason, None),
        }
    }

    /// The decision that a returning handshake makes, if it makes one.
    fn returning(&self, keys: &Keys) -> Option<Decision> {
        let (state, set_cookie) = match handshake::finish(self, self.handshake.as_deref()?, keys) {
            Return::SignedIn(session, directives) => (State::SignedIn(session), directives),
            Return::SignedOut(directives) => {
                let reason = Reason::SessionTokenMissing;
                (
                    State::SignedOut {
                        reason,
                        loop_stopped: false,
                    },
                    directives,
                )
            }
            Return::Unreadable => return Some(State::UnreadableHandshake.into()),
            Return::Ignored => return None,
        };
        // In development the token came in the URL: it must not stay there.
        let location = self.is_development().then(|| {
            self.request.url_without(&[
                "__clerk_handshake",
                "__clerk_help",
                "__clerk_db_jwt",
                "__clerk_handshake_nonce",
            ])
        });
        Some(Decision {
            state,
            location,
            set_cookie,
        })
    }

    fn verify(&self, token: &str, keys: &Keys) -> Result<Session, Reason> {
        let token = Token::decode(token).ok_or(Reason::TokenInvalid)?;
        self.verify_decoded(&token, keys)
    }

    /// Verifies a session cookie that must not be older than the last sign-in:
    /// after a change of accounts the old cookie may still be there.
    fn verify_since_sign_in(&self, token: &str, keys: &Keys) -> Result<Session, Reason> {
        let token = Token::decode(token).ok_or(Reason::TokenInvalid)?;
        token.check_class()?;
        if token.is_issued_before(self.cookies.client_uat) {
            return Err(Reason::SessionTokenIatBeforeClientUat);
        }
        self.verify_decoded(&token, keys)
    }

    fn verify_decoded(&self, token: &Token<'_>, keys: &Keys) -> Result<Session, Reason> {
        let rules = self
            .instance
            .rules(self.request.origin, self.instance.clock_skew_ms);
        token.verify(keys.of(token), &rules, self.now_ms)
    }

    /// A handshake for what it can mend, signed out for the rest.
    fn unverified(&self, reason: Reason, header_token: Option<&str>) -> Decision {
        if reason.is_unverifiable() {
            return Decision::signed_out(reason);
        }
        let expired = reason == Reason::SessionTokenExpired;
        let reason = if expired && self.request.method != "GET" {
            Reason::SessionTokenExpiredNonGet
        } else {
            reason
        };
        self.handshake(reason, header_token)
    }

    fn handshake(&self, reason: Reason, header_token: Option<&str>) -> Decision {
        match handshake::start(self, reason, header_token) {
            Handshake::Redirect { location, counter } => Decision {
                state: State::Handshake(reason),
                location: Some(location),
                set_cookie: vec![counter],
            },
            Handshake::NotEligible => Decision::signed_out(reason),
            Handshake::LoopStopped => State::SignedOut {
                reason,
                loop_stopped: true,
            }
            .into(),
        }
    }
}
