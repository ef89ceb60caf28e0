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
