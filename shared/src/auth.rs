//! The policy: who the user of a request is, and which pages may change
//! something.
//!
//! Only this module and `webhook` show a request to clerk-auth.

use clerk_auth::{
    Authenticator, Instance, KeySource, Obstacle, Reason, RequestView, Session, State, UserId,
};
use http::{HeaderMap, Method};

use crate::error::Error;
use crate::request::Request;

/// Authenticates the requests of this application.
pub struct Auth {
    authenticator: Authenticator,
}

/// What a page load is answered with, as far as authentication goes.
pub struct PageDecision {
    /// What to do.
    pub access: PageAccess,
    /// Headers of the response: cookies to set and, for a handshake, `Location`.
    pub headers: HeaderMap,
}

/// What to do with a page load.
pub enum PageAccess {
    /// Show the page to this user.
    SignedIn(Session),
    /// Redirect to a handshake or back from one: [`PageDecision::headers`] has the
    /// location.
    Handshake,
    /// Redirect to the sign-in page, at this URL.
    SignIn(String),
    /// Show a page on which clerk-js gets a session that has the `azp` that this
    /// one lacks.
    Renew,
    /// Explain why another redirect would not help.
    Refused(Refusal),
    /// Explain: a handshake came back that is another instance's.
    UnreadableHandshake,
}

/// Why a page is not shown to a user who seems to be signed in.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// Clerk's reason.
    pub reason: Reason,
    /// Why what a handshake brought was refused, where one came back and was.
    pub handshake_refused: Option<Reason>,
    /// What stands in the way, where more is known.
    pub obstacle: Option<Obstacle>,
}

impl Auth {
    /// For this instance, with these keys.
    #[must_use]
    pub fn new(instance: Instance, keys: KeySource) -> Self {
        Self {
            authenticator: Authenticator::new(instance, keys),
        }
    }

    /// The instance, as configured.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        self.authenticator.instance()
    }

    /// The signed-in user of a request to the API.
    ///
    /// Never a redirect: a program has no use for one. A change that is
    /// authenticated by cookie must come from a page of this application.
    ///
    /// # Errors
    /// Nobody is signed in, the request comes from another site or from the page of
    /// another user, or the key set cannot be reached.
    pub async fn user(&self, request: &Request) -> Result<UserId, Error> {
        let view = view(request);
        let by_header = view.header_tokens().next().is_some();
        let foreign = !by_header && is_change(request) && !is_same_origin(request);
        if foreign && is_from_browser(request) {
            return Err(Error::CrossSite);
        }
        match self.authenticator.session(&view).await? {
            Ok(_) if foreign => Err(Error::CrossSite),
            Ok(Session { user, .. }) => {
                // A tab that was open while another user signed in.
                if request.author().is_some_and(|author| author != user.hash()) {
                    return Err(Error::OtherUser);
                }
                Ok(user)
            }
            Err(reason) => Err(Error::Unauthorized { reason, by_header }),
        }
    }

    /// What to do with a page load. `sign_in_url` is where signed-out users go.
    ///
    /// # Errors
    /// The key set cannot be reached.
    pub async fn decide_page(
        &self,
        request: &Request,
        sign_in_url: &str,
    ) -> Result<PageDecision, Error> {
        let view = view(request);
        let decision = self.authenticator.decide(&view).await?;
        let headers = decision.response_headers();
        let handshake_refused = decision.handshake_refused;
        let refused = |reason, obstacle| {
            let refusal = Refusal {
                reason,
                handshake_refused,
                obstacle,
            };
            refusal.log();
            PageAccess::Refused(refusal)
        };
        let access = match decision.state {
            _ if decision.return_url.is_some() => PageAccess::Handshake,
            State::Handshake { .. } => PageAccess::Handshake,
            State::SignedIn(session) => PageAccess::SignedIn(session),
            State::SignedOut {
                obstacle: Some(Obstacle::AzpMissing),
                ..
            } => PageAccess::Renew,
            State::SignedOut { reason, obstacle }
                if reason.is_unverifiable() || obstacle.is_some() =>
            {
                refused(reason, obstacle)
            }
            State::SignedOut { reason, .. } => {
                match self.authenticator.sign_in_location(sign_in_url, &view) {
                    Ok(location) => PageAccess::SignIn(location),
                    Err(obstacle) => refused(reason, Some(obstacle)),
                }
            }
            State::UnreadableHandshake => PageAccess::UnreadableHandshake,
        };
        Ok(PageDecision { access, headers })
    }
}

impl Refusal {
    fn log(&self) {
        tracing::warn!(
            reason = self.reason.as_str(),
            handshake_refused = self.handshake_refused.map(Reason::as_str),
            obstacle = self.obstacle.map(tracing::field::debug),
            "a page load was not signed in, and another redirect would not help"
        );
    }
}

fn view(request: &Request) -> RequestView<'_> {
    RequestView::new(&request.parts, request.origin.as_str())
}

fn is_change(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD)
}

/// Whether the browser says that a page of this application sent the request.
///
/// A cookie is sent with whatever any site makes a browser send. Browsers say
/// where a request comes from in headers that no script can set:
/// `Sec-Fetch-Site`, where there is one, must be `same-origin`; `same-site`
/// would let in every sibling subdomain. Otherwise `Origin` must be the public
/// origin. Neither, or `null` (a sandboxed frame), is no page of this
/// application.
pub(crate) fn is_same_origin(request: &Request) -> bool {
    match request.header("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => request.header("origin") == Some(request.origin.as_str()),
    }
}

/// Whether a browser sent the request, as far as one can tell: browsers say
/// where a change comes from, and only the forms of very old ones do not. A
/// program without a token should be told that, and not about other sites.
fn is_from_browser(request: &Request) -> bool {
    let is_old_form = *request.method() == Method::POST && request.header("cookie").is_some();
    is_old_form || request.header("sec-fetch-site").is_some() || request.header("origin").is_some()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use clerk_auth::{Key, PublicKeys, PublishableKey};
    use serde_json::json;

    use super::*;
    use crate::testing::{ISSUER, ORIGIN, request};

    const PRODUCTION: &str = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k";
    const DEVELOPMENT: &str = "pk_test_aGFwcHktaGlwcG8tMS5jbGVyay5hY2NvdW50cy5kZXYk";
    const PORTAL: &str = "https://accounts.example.com/sign-in";

    fn auth(publishable_key: &str) -> Auth {
        let instance = Instance {
            issuer: None,
            ..Instance::new(PublishableKey::parse(publishable_key).unwrap())
        };
        let key = Key::from_jwk(&ISSUER.jwk("ins_1")).unwrap();
        Auth::new(instance, KeySource::Fixed(PublicKeys::from(key)))
    }

    /// A session token that expires in so many seconds.
    fn token(seconds: i64) -> String {
        let now = i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
        ISSUER.token(
            &json!({ "alg": "RS256", "typ": "JWT" }),
            &json!({ "sub": "user_1", "azp": ORIGIN, "iat": now - 10, "exp": now + seconds }),
        )
    }

    fn cookie() -> String {
        format!("__session={}; __client_uat=1", token(50))
    }

    async fn code(method: &str, headers: &[(&str, &str)]) -> &'static str {
        match auth(PRODUCTION).user(&request(method, headers, "")).await {
            Ok(user) => {
                assert_eq!(user.as_str(), "user_1");
                "signed-in"
            }
            Err(error) => error.code(),
        }
    }

    #[tokio::test]
    async fn a_header_token_may_come_from_anywhere() {
        let bearer = format!("Bearer {}", token(50));
        for method in ["GET", "PUT", "DELETE"] {
            let headers = [
                ("authorization", &*bearer),
                ("sec-fetch-site", "cross-site"),
            ];
            assert_eq!(code(method, &headers).await, "signed-in");
        }
    }

    #[tokio::test]
    async fn a_change_by_cookie_comes_from_a_page_of_this_application() {
        let cookie = cookie();
        let sent = ("cookie", &*cookie);
        assert_eq!(code("GET", &[sent]).await, "signed-in");
        for method in ["PUT", "POST", "DELETE"] {
            let own = [sent, ("origin", ORIGIN)];
            assert_eq!(code(method, &own).await, "signed-in");
            let own = [sent, ("sec-fetch-site", "same-origin")];
            assert_eq!(code(method, &own).await, "signed-in");
            assert_eq!(code(method, &[sent]).await, "cross-site");
            assert_eq!(
                code(method, &[sent, ("origin", "null")]).await,
                "cross-site"
            );
            for site in ["same-site", "cross-site", "none"] {
                let foreign = [sent, ("sec-fetch-site", site), ("origin", ORIGIN)];
                assert_eq!(code(method, &foreign).await, "cross-site", "{site}");
            }
        }
    }

    #[tokio::test]
    async fn a_page_elsewhere_is_refused_and_a_program_is_told_to_sign_in() {
        let elsewhere = [("origin", "https://evil.example")];
        assert_eq!(code("PUT", &elsewhere).await, "cross-site");
        assert_eq!(code("POST", &elsewhere).await, "cross-site");
        assert_eq!(code("PUT", &[]).await, "not-signed-in");
        assert_eq!(code("POST", &[]).await, "not-signed-in");
        assert_eq!(code("POST", &[("cookie", "a=b")]).await, "cross-site");
    }

    #[tokio::test]
    async fn a_program_is_not_redirected() {
        let page = [("sec-fetch-dest", "document"), ("cookie", "__client_uat=1")];
        let user = auth(PRODUCTION).user(&request("GET", &page, "")).await;
        assert!(matches!(
            user,
            Err(Error::Unauthorized {
                reason: Reason::ClientUatButNoSessionToken,
                by_header: false,
            })
        ));
        let bearer = format!("Bearer {}", token(-10));
        let expired = request("GET", &[("authorization", &bearer)], "");
        assert!(matches!(
            auth(PRODUCTION).user(&expired).await,
            Err(Error::Unauthorized {
                reason: Reason::SessionTokenExpired,
                by_header: true,
            })
        ));
    }

    async fn page(publishable_key: &str, cookie: &str) -> PageDecision {
        let headers = [("sec-fetch-dest", "document"), ("cookie", cookie)];
        let request = request("GET", &headers, "");
        let decision = auth(publishable_key).decide_page(&request, PORTAL).await;
        decision.ok().unwrap()
    }

    #[tokio::test]
    async fn a_page_load_is_shown_redirected_or_explained() {
        let signed_in = page(PRODUCTION, &cookie()).await;
        assert!(matches!(signed_in.access, PageAccess::SignedIn(_)));
        assert!(signed_in.headers.is_empty());

        let waiting = page(PRODUCTION, "__client_uat=1").await;
        assert!(matches!(waiting.access, PageAccess::Handshake));
        assert!(waiting.headers.contains_key("location"));

        let PageAccess::SignIn(location) = page(PRODUCTION, "").await.access else {
            panic!("signed out");
        };
        assert!(location.starts_with(PORTAL), "{location}");

        for cookie in [
            "__session=forged; __client_uat=1",
            "__client_uat=1; __clerk_redirect_count=3",
        ] {
            let explained = page(PRODUCTION, cookie).await.access;
            assert!(matches!(explained, PageAccess::Refused(_)), "{cookie}");
        }

        let switched = page(DEVELOPMENT, "__clerk_handshake=bad").await;
        assert!(matches!(switched.access, PageAccess::UnreadableHandshake));
    }

    #[tokio::test]
    async fn a_handshake_cookie_that_stayed_is_deleted() {
        let cookie = format!("{}; __clerk_handshake=bad", cookie());
        let decision = page(PRODUCTION, &cookie).await;
        assert!(matches!(decision.access, PageAccess::SignedIn(_)));
        assert_eq!(decision.headers.get_all("set-cookie").iter().count(), 3);
    }
}
