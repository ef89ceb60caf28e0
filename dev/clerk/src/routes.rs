//! Which module answers which path, and which pages may read the answer.

use http::{
    HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ORIGIN,
        USER_AGENT, VARY,
    },
};

use crate::{
    config::origin_of,
    frontend_api, handshake, portal, scripts,
    stand_in::StandIn,
    web::{self, Request, Response},
};

impl StandIn {
    /// Answers a request. Its path begins with that of the stand-in's address,
    /// such as `/__clerk/v1/client`.
    #[must_use]
    pub fn respond(&self, request: http::Request<Vec<u8>>) -> http::Response<Vec<u8>> {
        let request = Request::new(request);
        let mut response = self.route(&request).unwrap_or_else(|error| {
            let Request { method, path, .. } = &request;
            eprintln!("stand-in for Clerk: {method} {path}: {error:#}");
            web::error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal_clerk_error",
                &format!("stand-in for Clerk: {error:#}"),
            )
        });
        self.allow_origin(&request, &mut response);
        // A handshake from a cache would be a redirect without end.
        let caching = response.headers_mut().entry(CACHE_CONTROL);
        caching.or_insert(HeaderValue::from_static("no-store"));
        response
    }

    fn route(&self, request: &Request) -> anyhow::Result<Response> {
        let path = request.path.strip_prefix(self.config.base_path());
        let Some(path) = path.filter(|path| path.is_empty() || path.starts_with('/')) else {
            return Ok(web::empty(StatusCode::NOT_FOUND));
        };
        let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match (request.method.as_str(), path.as_slice()) {
            ("OPTIONS", _) => Ok(web::empty(StatusCode::NO_CONTENT)),
            ("GET", [".well-known", "jwks.json"]) => self.key_set(request),
            ("GET", [".well-known", "jwks.json", "moved"]) => Ok(web::json(&self.key.jwks)),
            ("GET", ["npm", "@clerk", package, "dist", file]) => {
                scripts::respond(&self.config.node_modules, package, file)
            }
            ("GET", ["v1", "clients", "handshake_payload"]) => {
                Ok(handshake::payload(self, request))
            }
            (_, ["v1", path @ ..]) => frontend_api::respond(self, request, path),
            (_, path) => portal::respond(self, request, path),
        }
    }

    fn key_set(&self, request: &Request) -> anyhow::Result<Response> {
        let switches = &self.switches;
        if switches.key_set_needs_user_agent && request.header(&USER_AGENT).is_none() {
            return Ok(web::empty(StatusCode::FORBIDDEN));
        }
        match &switches.key_set_location {
            Some(location) => web::redirect(StatusCode::FOUND, location),
            None => Ok(web::json(&self.key.jwks)),
        }
    }

    /// CORS: the application and the portal may be on other origins.
    fn allow_origin(&self, request: &Request, response: &mut Response) {
        let ours = [&self.config.app_origin, origin_of(&self.config.accounts)];
        let Some(origin) = request.headers.get(ORIGIN) else {
            return;
        };
        if !ours.iter().any(|ours| origin == ours) {
            return;
        }
        let headers = response.headers_mut();
        let fixed = HeaderValue::from_static;
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, fixed("true"));
        headers.insert(VARY, fixed("Origin"));
        if request.method == Method::OPTIONS {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, fixed("GET, POST"));
            let allowed = fixed("authorization, content-type");
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Switches,
        fixture::{development, development_with, get, json, location, production},
    };

    #[test]
    fn the_key_set_is_public() {
        let stand_in = development();
        let response = get(&stand_in, "/.well-known/jwks.json");
        assert_eq!(json(&response), stand_in.jwks());
    }

    #[test]
    fn with_the_switch_the_key_set_needs_a_user_agent() {
        let stand_in = development_with(Switches {
            key_set_needs_user_agent: true,
            ..Switches::default()
        });
        let address = "/.well-known/jwks.json";
        assert_eq!(get(&stand_in, address).status(), StatusCode::FORBIDDEN);
        let request = http::Request::get(format!("/__clerk{address}"));
        let request = request.header(USER_AGENT, "test").body(Vec::new()).unwrap();
        assert_eq!(json(&stand_in.respond(request)), stand_in.jwks());
    }

    #[test]
    fn with_the_switch_the_key_set_is_at_the_end_of_a_redirect() {
        let moved = "/.well-known/jwks.json/moved";
        for target in [moved, "https://elsewhere.example/jwks.json"] {
            let stand_in = development_with(Switches {
                key_set_location: Some(target.into()),
                ..Switches::default()
            });
            let response = get(&stand_in, "/.well-known/jwks.json");
            assert_eq!(response.status(), StatusCode::FOUND);
            assert_eq!(location(&response), target);
            assert_eq!(json(&get(&stand_in, moved)), stand_in.jwks());
        }
    }

    #[test]
    fn the_base_path_is_removed_once_and_whole() {
        let stand_in = development();
        let status = |target: &str| {
            let request = http::Request::get(target).body(Vec::new()).unwrap();
            stand_in.respond(request).status().as_u16()
        };
        assert_eq!(status("/__clerk/v1/environment?a=b"), 200);
        assert_eq!(status("/__clerk"), 302);
        for target in [
            "/__clerkly/v1/environment",
            "/v1/environment",
            "/__clerk/__clerk/v1/environment",
        ] {
            assert_eq!(status(target), 404);
        }
    }

    #[test]
    fn only_our_pages_may_read_answers() {
        let stand_in = production();
        let from = |origin: &str| {
            let request = http::Request::get("/v1/environment").header("origin", origin);
            let response = stand_in.respond(request.body(Vec::new()).unwrap());
            response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN).cloned()
        };
        assert_eq!(
            from("https://www.example.test").unwrap(),
            "https://www.example.test"
        );
        assert!(from("https://evil.example").is_none());
    }
}
