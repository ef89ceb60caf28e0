//! The handshake: it brings what the Frontend API knows about a browser into
//! the cookies of the application, by way of a redirect.

use http::StatusCode;
use serde_json::json;

use crate::{
    StandIn,
    call::Call,
    cookies::{CLIENT, DEV_BROWSER, HANDSHAKE},
    redirect,
    reply::{self, Reply},
    store::Client,
};

impl StandIn {
    /// `GET /v1/client/handshake`: back to `redirect_url` with a signed list of
    /// cookies to set.
    pub(crate) fn handshake(&self, call: &Call) -> anyhow::Result<Reply> {
        let target = call.query("redirect_url");
        let Some(target) = target.filter(|url| redirect::is_at(&self.config.app_origin, url))
        else {
            return Ok(reply::error(
                StatusCode::BAD_REQUEST,
                "invalid_url",
                "redirect_url must be an address of the application",
            ));
        };
        let token = self.handshake_token(&self.directives(call)?)?;
        if self.instance.production {
            let mut reply = reply::redirect(StatusCode::TEMPORARY_REDIRECT, target)?;
            reply::set_cookies(&mut reply, &[self.handshake_cookie(&token)])?;
            return Ok(reply);
        }
        let target = redirect::with_parameter(target, HANDSHAKE, &token);
        reply::redirect(StatusCode::TEMPORARY_REDIRECT, &target)
    }

    /// The browser that a request comes from.
    pub(crate) fn browser(&self, call: &Call) -> anyhow::Result<Option<Client>> {
        let secret = if self.instance.production {
            call.cookie(CLIENT)
        } else {
            call.query(DEV_BROWSER)
                .or_else(|| call.form(DEV_BROWSER))
                .or_else(|| call.cookie(&self.suffixed(DEV_BROWSER)))
                .or_else(|| call.cookie(DEV_BROWSER))
        };
        match secret {
            Some(secret) => self.store.find(secret),
            None => Ok(None),
        }
    }

    /// The Set-Cookie headers that the application is to send.
    fn directives(&self, call: &Call) -> anyhow::Result<Vec<String>> {
        let mut directives = Vec::new();
        let browser = self.browser(call)?;
        let client = if self.instance.production {
            directives.push(self.handshake_cookie_removed());
            browser
        } else {
            let client = browser.map_or_else(|| self.store.create(), Ok)?;
            directives.extend(self.dev_browser_cookies(&client.secret));
            Some(client)
        };
        if let Some(client) = client
            && let Some((session, _user)) = client.signed_in()
        {
            let token = self.session_token(session)?;
            directives.extend(self.client_uat_cookies(client.updated_at / 1000));
            directives.extend(self.session_cookies(Some(&token)));
        } else {
            directives.extend(self.client_uat_cookies(0));
            directives.extend(self.session_cookies(None));
        }
        Ok(directives)
    }

    fn handshake_token(&self, directives: &[String]) -> anyhow::Result<String> {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key.id });
        self.sign(&header, &json!({ "handshake": directives }))
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, header};

    use super::*;
    use crate::fixture::{decoded, development, get, location, production, set_cookies};

    const ENDPOINT: &str = "/v1/client/handshake";

    fn handshake_of(token: &str) -> Vec<String> {
        let (_header, claims) = decoded(token);
        serde_json::from_value(claims["handshake"].clone()).unwrap()
    }

    fn development_handshake(stand_in: &StandIn, secret: &str) -> Vec<String> {
        let target = format!(
            "{ENDPOINT}?redirect_url=http%3A%2F%2Flocalhost%3A9000%2F&__clerk_db_jwt={secret}"
        );
        let reply = get(stand_in, &target);
        assert_eq!(reply.status(), StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(reply.headers()[header::CACHE_CONTROL], "no-store");
        let back = location(&reply);
        let (address, token) = back.split_once("?__clerk_handshake=").unwrap();
        assert_eq!(address, "http://localhost:9000/");
        handshake_of(token)
    }

    fn value<'a>(directives: &'a [String], name: &str) -> &'a str {
        let start = format!("{name}=");
        let mut values = directives
            .iter()
            .filter_map(|line| line.strip_prefix(&start));
        values.next().unwrap().split(';').next().unwrap()
    }

    #[test]
    fn a_signed_in_browser_gets_its_session() {
        let stand_in = development();
        let client = stand_in.store.sign_in(None, "user_ada").unwrap();
        let directives = development_handshake(&stand_in, &client.secret);
        for name in ["__session", "__session_MWTw9P_R"] {
            let (_header, claims) = decoded(value(&directives, name));
            assert_eq!(claims["sub"], "user_ada");
        }
        for name in ["__client_uat", "__client_uat_MWTw9P_R"] {
            let uat = (client.updated_at / 1000).to_string();
            assert_eq!(value(&directives, name), uat);
        }
        for name in ["__clerk_db_jwt", "__clerk_db_jwt_MWTw9P_R"] {
            assert_eq!(value(&directives, name), client.secret);
        }
    }

    #[test]
    fn a_signed_out_browser_loses_its_session() {
        let stand_in = development();
        let client = stand_in.store.sign_in(None, "user_ada").unwrap();
        let client = stand_in.store.sign_out(client).unwrap();
        let directives = development_handshake(&stand_in, &client.secret);
        assert!(directives.contains(&"__session=; Path=/; Max-Age=0; SameSite=Lax".to_owned()));
        assert_eq!(value(&directives, "__session_MWTw9P_R"), "");
        assert_eq!(value(&directives, "__client_uat"), "0");
    }

    #[test]
    fn an_unknown_browser_becomes_a_new_one() {
        let stand_in = development();
        let directives = development_handshake(&stand_in, "dvb_unknown");
        let secret = value(&directives, "__clerk_db_jwt");
        assert_ne!(secret, "dvb_unknown");
        assert!(stand_in.store.find(secret).unwrap().is_some());
    }

    #[test]
    fn production_hands_over_in_a_cookie_that_removes_itself() {
        let stand_in = production();
        let client = stand_in.store.sign_in(None, "user_ada").unwrap();
        let request = Request::get(format!(
            "{ENDPOINT}?redirect_url=https%3A%2F%2Fwww.example.test%2F"
        ));
        let request = request.header(header::COOKIE, format!("__client={}", client.secret));
        let reply = stand_in.respond(request.body(Vec::new()).unwrap());
        assert_eq!(location(&reply), "https://www.example.test/");
        let cookies = set_cookies(&reply);
        let (token, attributes) = cookies[0].split_once(';').unwrap();
        assert!(attributes.contains("Domain=example.test"), "{attributes}");
        let directives = handshake_of(token.strip_prefix("__clerk_handshake=").unwrap());
        assert_eq!(
            directives[0],
            "__clerk_handshake=; Path=/; Domain=example.test; Max-Age=0; SameSite=Lax; Secure"
        );
        assert!(!value(&directives, "__session").is_empty());
        assert!(
            directives
                .iter()
                .all(|line| !line.starts_with("__clerk_db_jwt"))
        );
    }

    #[test]
    fn other_origins_are_not_sent_anything() {
        let stand_in = development();
        for target in ["", "?redirect_url=https%3A%2F%2Fevil.example%2F"] {
            let reply = get(&stand_in, &format!("{ENDPOINT}{target}"));
            assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
            assert!(reply.headers().get(header::LOCATION).is_none());
        }
    }
}
