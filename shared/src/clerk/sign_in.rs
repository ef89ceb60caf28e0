//! Where a visitor signs in, and how to get back from there.

use url::{Url, form_urlencoded};

use super::instance::Instance;
use super::view::{RequestView, Visit};

/// URL of the sign-in page with the way back to this request.
///
/// A portal on another origin does not see this origin's cookies, so that in
/// development it is told which browser this is, as Clerk's `redirectToSignIn`
/// does. In production nothing of the session is in the URL.
pub(super) fn sign_in_location(
    instance: &Instance,
    sign_in_url: &str,
    request: &RequestView<'_>,
    now_ms: i64,
) -> String {
    let visit = Visit::new(instance, request, now_ms);
    let back = request.url_without(&["__clerk_db_jwt", "__dev_session", "__clerk_handshake"]);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("redirect_url", &back);
    if visit.is_development()
        && !is_same_origin(sign_in_url, request.origin)
        && let Some(dev_browser) = &visit.dev_browser
    {
        query.append_pair("__clerk_db_jwt", dev_browser);
    }
    let separator = if sign_in_url.contains('?') { '&' } else { '?' };
    format!("{sign_in_url}{separator}{}", query.finish())
}

fn is_same_origin(url: &str, origin: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.origin().ascii_serialization() == origin)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{DEVELOPMENT, NOW_MS, PRODUCTION, instance, page_load};
    use super::*;

    const PORTAL: &str = "https://accounts.example.com/sign-in";

    fn location(key: &str, sign_in_url: &str) -> String {
        let request = RequestView {
            target: "/a?b=c&__clerk_handshake=h&__clerk_db_jwt=d&__dev_session=s",
            ..page_load()
        };
        sign_in_location(&instance(key), sign_in_url, &request, NOW_MS)
    }

    const BACK: &str = "redirect_url=https%3A%2F%2Fwww.example.com%2Fa%3Fb%3Dc";

    #[test]
    fn the_way_back_carries_no_tokens() {
        assert_eq!(location(PRODUCTION, PORTAL), format!("{PORTAL}?{BACK}"));
    }

    #[test]
    fn a_portal_elsewhere_is_told_which_browser_this_is_in_development() {
        let told = format!("{PORTAL}?{BACK}&__clerk_db_jwt=d");
        assert_eq!(location(DEVELOPMENT, PORTAL), told);
        let here = "https://www.example.com/sign-in";
        assert_eq!(location(DEVELOPMENT, here), format!("{here}?{BACK}"));
        let unknown = sign_in_location(&instance(DEVELOPMENT), PORTAL, &page_load(), NOW_MS);
        assert!(!unknown.contains("__clerk_db_jwt"));
    }

    #[test]
    fn a_sign_in_page_may_have_a_query() {
        let url = "https://accounts.example.com/sign-in?a=b";
        assert_eq!(location(PRODUCTION, url), format!("{url}&{BACK}"));
    }
}
