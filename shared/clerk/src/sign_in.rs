//! The URL of the sign-in page.

use url::{Url, form_urlencoded};

use crate::names::{DEV_BROWSER, REDIRECT_URL_PARAMETER};
use crate::reason::Obstacle;
use crate::request::AuthContext;

impl AuthContext<'_> {
    /// URL of the sign-in page, which will lead back to this request.
    ///
    /// A portal on another origin does not get this origin's cookies, so that in
    /// development the URL carries the browser's token, as in Clerk's
    /// `redirectToSignIn`. In production the URL holds nothing of the session. Only
    /// the URL counts this redirect: a cookie would count those of other tabs too.
    ///
    /// # Errors
    /// Too many redirects have followed each other: the sign-in page leads back
    /// without a session.
    pub(crate) fn sign_in_location(&self, sign_in_url: &str) -> Result<String, Obstacle> {
        if self.instance.hardened && self.is_in_a_loop() {
            // What a handshake sets is not awaited here.
            return Err(match self.loop_obstacle() {
                Obstacle::CookiesOff => Obstacle::CookiesOff,
                Obstacle::AzpMissing | Obstacle::CookieLost | Obstacle::Loop => Obstacle::Loop,
            });
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(REDIRECT_URL_PARAMETER, &self.way_back());
        let origin = self.request.origin;
        let elsewhere =
            Url::parse(sign_in_url).is_ok_and(|url| url.origin().ascii_serialization() != origin);
        if self.is_development()
            && elsewhere
            && let Some(dev_browser) = &self.dev_browser
        {
            query.append_pair(DEV_BROWSER, dev_browser);
        }
        let separator = if sign_in_url.contains('?') { '&' } else { '?' };
        Ok(format!("{sign_in_url}{separator}{}", query.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Instance;
    use crate::request::RequestView;
    use crate::testing::{DEVELOPMENT, NOW_MS, PRODUCTION, instance, page_load};

    const PORTAL: &str = "https://accounts.example.com/sign-in";

    fn location(key: &str, sign_in_url: &str) -> String {
        let request = RequestView {
            target: "/a?b=c&__clerk_handshake=h&__clerk_db_jwt=d&__dev_session=s",
            ..page_load()
        };
        redirect(key, &request, sign_in_url).unwrap()
    }

    fn redirect(
        key: &str,
        request: &RequestView<'_>,
        sign_in_url: &str,
    ) -> Result<String, Obstacle> {
        let instance = Instance {
            hardened: true,
            ..instance(key)
        };
        AuthContext::new(&instance, request, None, NOW_MS).sign_in_location(sign_in_url)
    }

    const BACK: &str = "redirect_url=https%3A%2F%2Fwww.example.com%2Fa%3Fb%3Dc\
                        %26__clerk_redirects%3D1.1700000000";

    #[test]
    fn the_return_url_carries_no_tokens() {
        assert_eq!(location(PRODUCTION, PORTAL), format!("{PORTAL}?{BACK}"));
    }

    #[test]
    fn a_portal_elsewhere_is_told_which_browser_this_is_in_development() {
        let told = format!("{PORTAL}?{BACK}&__clerk_db_jwt=d");
        assert_eq!(location(DEVELOPMENT, PORTAL), told);
        let here = "https://www.example.com/sign-in";
        assert_eq!(location(DEVELOPMENT, here), format!("{here}?{BACK}"));
        let unknown = redirect(DEVELOPMENT, &page_load(), PORTAL).unwrap();
        assert!(!unknown.contains("__clerk_db_jwt"));
    }

    #[test]
    fn a_sign_in_page_that_leads_straight_back_is_left_after_three_redirects() {
        let back = |target, cookie: Option<&'static str>| {
            let request = RequestView {
                target,
                cookie: cookie.map(Into::into),
                ..page_load()
            };
            redirect(PRODUCTION, &request, PORTAL)
        };
        let third = back("/?__clerk_redirects=2.1700000000", None).unwrap();
        assert!(third.contains("__clerk_redirects%3D3."));

        let fourth = "/?__clerk_redirects=3.1700000000";
        let obstacle = |target, cookie| back(target, cookie).err();
        assert_eq!(obstacle(fourth, None), Some(Obstacle::CookiesOff));
        assert_eq!(obstacle(fourth, Some("a=b")), Some(Obstacle::Loop));
        let counted = Some("__clerk_redirect_count=3");
        assert_eq!(obstacle("/", counted), Some(Obstacle::Loop));
    }

    #[test]
    fn a_sign_in_page_may_have_a_query() {
        let url = "https://accounts.example.com/sign-in?a=b";
        assert_eq!(location(PRODUCTION, url), format!("{url}&{BACK}"));
    }
}
