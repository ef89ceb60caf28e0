//! What clerk-js needs of a page's Content-Security-Policy.

use crate::instance::Instance;

impl Instance {
    /// The directives of a Content-Security-Policy under which clerk-js and its
    /// components run, and inline scripts and styles with this `nonce`.
    ///
    /// clerk-js is loaded from the Frontend API and calls it; user pictures come
    /// from `img.clerk.com`, the bot protection from Cloudflare. Chromium applies
    /// `form-action` to the redirects after a post, so that the places where a
    /// user signs in are named there.
    ///
    /// <https://clerk.com/docs/security/clerk-csp>
    #[must_use]
    pub fn csp_directives(&self, origin: &str, sign_in_url: &str, nonce: &str) -> String {
        let api = self.frontend_api(origin);
        let api = origin_of(&api);
        let accounts = self.publishable_key.accounts_origin();
        let sign_in = origin_of(sign_in_url);
        format!(
            "script-src 'self' 'nonce-{nonce}' {api}; connect-src 'self' {api}; \
             img-src 'self' data: https://img.clerk.com; style-src 'self' 'nonce-{nonce}'; \
             worker-src 'self' blob:; frame-src https://challenges.cloudflare.com; \
             form-action 'self' {api} {accounts} {sign_in}"
        )
    }
}

/// Scheme, host and port of a URL.
fn origin_of(url: &str) -> &str {
    let path = url.match_indices('/').nth(2);
    &url[..path.map_or(url.len(), |(index, _)| index)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PRODUCTION, instance};

    #[test]
    fn an_origin_ends_before_the_path() {
        for (url, origin) in [
            ("https://a.example", "https://a.example"),
            ("https://a.example:8443/b/c", "https://a.example:8443"),
        ] {
            assert_eq!(origin_of(url), origin);
        }
    }

    #[test]
    fn forms_may_lead_to_every_place_where_a_user_signs_in() {
        let policy = instance(PRODUCTION).csp_directives(
            "https://www.example.com",
            "https://login.example.com/sign-in",
            "n",
        );
        let forms = "form-action 'self' https://clerk.example.com https://accounts.example.com \
                     https://login.example.com";
        assert!(policy.ends_with(forms), "{policy}");
        assert!(policy.starts_with("script-src 'self' 'nonce-n' https://clerk.example.com; "));
    }
}
