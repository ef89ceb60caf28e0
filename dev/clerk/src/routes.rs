//! Which part answers which path, and which pages may read the answer.

use http::{
    HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, VARY,
    },
};

use crate::{
    StandIn,
    call::Call,
    config::origin_of,
    reply::{self, Reply},
    scripts,
};

impl StandIn {
    /// Answers a request whose path is relative to the address of the
    /// stand-in, such as `/v1/client`, `/sign-in` or `/.well-known/jwks.json`.
    #[must_use]
    pub fn respond(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        let call = Call::of(request);
        let mut reply = self.route(&call).unwrap_or_else(|error| {
            eprintln!(
                "stand-in for Clerk: {} {}: {error:#}",
                call.method, call.path
            );
            reply::error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal_clerk_error",
                &format!("stand-in for Clerk: {error:#}"),
            )
        });
        self.share_with_our_pages(&call, &mut reply);
        reply
    }

    /// Answers a request whose path begins with that of the stand-in's
    /// address, such as `/__clerk/v1/client`.
    #[must_use]
    pub fn respond_below_base(&self, mut request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        match relative_to(self.config.base_path(), request.uri()) {
            Some(uri) => {
                *request.uri_mut() = uri;
                self.respond(request)
            }
            None => reply::empty(StatusCode::NOT_FOUND),
        }
    }

    fn route(&self, call: &Call) -> anyhow::Result<Reply> {
        match (call.method.as_str(), call.segments().as_slice()) {
            ("OPTIONS", _) => Ok(reply::empty(StatusCode::NO_CONTENT)),
            ("GET", [".well-known", "jwks.json"]) => Ok(reply::json(&self.jwks())),
            ("GET", ["npm", "@clerk", package, "dist", file]) => {
                scripts::serve(&self.config.node_modules, package, file)
            }
            (method, ["v1", path @ ..]) => self.frontend_api(call, method, path),
            (method, path) => self.portal(call, method, path),
        }
    }

    /// CORS, for the shapes in which the application is another origin.
    fn share_with_our_pages(&self, call: &Call, reply: &mut Reply) {
        let ours = [&self.config.app_origin, origin_of(&self.config.accounts)];
        let Some(origin) = call
            .origin
            .as_deref()
            .filter(|origin| ours.contains(origin))
        else {
            return;
        };
        let Ok(origin) = HeaderValue::from_str(origin) else {
            return;
        };
        let headers = reply.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let fixed = HeaderValue::from_static;
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, fixed("true"));
        headers.append(VARY, fixed("Origin"));
        if call.method == Method::OPTIONS {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, fixed("GET, POST"));
            let allowed = fixed("authorization, content-type");
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        }
    }
}

/// The target without the base path, or `None` if it lies elsewhere.
fn relative_to(base: &str, uri: &Uri) -> Option<Uri> {
    let target = uri.path_and_query()?.as_str();
    let rest = target.strip_prefix(base)?;
    match rest.bytes().next() {
        Some(b'/') => rest.parse().ok(),
        Some(b'?') => format!("/{rest}").parse().ok(),
        Some(_) => None,
        None => Some(Uri::from_static("/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{development, get, json, production};

    #[test]
    fn the_key_set_is_public() {
        let stand_in = development();
        let reply = get(&stand_in, "/.well-known/jwks.json");
        assert_eq!(json(&reply), stand_in.jwks());
    }

    #[test]
    fn the_base_path_is_removed_once_and_whole() {
        let relative =
            |uri: &str| relative_to("/__clerk", &uri.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(
            relative("/__clerk/v1/client?a=b").unwrap(),
            "/v1/client?a=b"
        );
        assert_eq!(relative("/__clerk").unwrap(), "/");
        assert!(relative("/__clerkly/v1").is_none());
        assert!(relative("/v1/client").is_none());
    }

    #[test]
    fn only_our_pages_may_read_answers() {
        let stand_in = production();
        let from = |origin: &str| {
            let request = Request::get("/v1/environment").header("origin", origin);
            let reply = stand_in.respond(request.body(Vec::new()).unwrap());
            reply.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN).cloned()
        };
        assert_eq!(
            from("https://www.example.test").unwrap(),
            "https://www.example.test"
        );
        assert!(from("https://evil.example").is_none());
    }
}
