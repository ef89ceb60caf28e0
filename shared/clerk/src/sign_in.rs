//! The URL of the sign-in page.

use url::{Url, form_urlencoded};

use crate::names::{DEV_BROWSER, DEV_SESSION_PARAMETER, HANDSHAKE, REDIRECT_URL_PARAMETER};
use crate::request::AuthContext;

impl AuthContext<'_> {
    /// URL of the sign-in page, which will lead back to this request.
    ///
    /// A portal on another origin does not get this origin's cookies, so that in
    /// development the URL carries the browser's token, as in Clerk's
    /// `redirectToSignIn`. In production the URL holds nothing of the session.
    pub(crate) fn sign_in_location(&self, sign_in_url: &str) -> String {
        let request = self.request;
        let return_url = request.url_without(&[DEV_BROWSER, DEV_SESSION_PARAMETER, HANDSHAKE]);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(REDIRECT_URL_PARAMETER, &return_url);
        let elsewhere = Url::parse(sign_in_url)
            .is_ok_and(|url| url.origin().ascii_serialization() != request.origin);
        if self.is_development()
            && elsewhere
            && let Some(dev_browser) = &self.dev_browser
        {
            query.append_pair(DEV_BROWSER, dev_browser);
        }
        let separator = if sign_in_url.contains('?') { '&' } else { '?' };
        format!("{sign_in_url}{separator}{}", query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::RequestView;
    use crate::testing::{DEVELOPMENT, NOW_MS, PRODUCTION, instance, page_load};

    const PORTAL: &str = "https://accounts.example.com/sign-in";

    fn location(key: &str, sign_in_url: &str) -> String {
        let request = RequestView {
            target: "/a?b=c&__clerk_handshake=h&__clerk_db_jwt=d&__dev_session=s",
            ..page_load()
        };
        AuthContext::new(&instance(key), &request, NOW_MS).sign_in_location(sign_in_url)
    }

    const BACK: &str = "redirect_url=https%3A%2F%2Fwww.example.com%2Fa%3Fb%3Dc";

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
        let (instance, request) = (instance(DEVELOPMENT), page_load());
        let unknown = AuthContext::new(&instance, &request, NOW_MS).sign_in_location(PORTAL);
        assert!(!unknown.contains("__clerk_db_jwt"));
    }

    #[test]
    fn a_sign_in_page_may_have_a_query() {
        let url = "https://accounts.example.com/sign-in?a=b";
        assert_eq!(location(PRODUCTION, url), format!("{url}&{BACK}"));
    }
}
