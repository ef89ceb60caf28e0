//! The handshake: it brings what the Frontend API knows about a browser into
//! the cookies of the application, by a redirect.

use http::StatusCode;
use serde_json::json;

use crate::{
    cookies::HANDSHAKE,
    stand_in::StandIn,
    store::Client,
    web::{self, Request, Response},
};

/// `GET /v1/client/handshake`: back to `redirect_url` with a signed list of
/// cookies to set.
pub(crate) fn respond(stand_in: &StandIn, request: &Request) -> anyhow::Result<Response> {
    let target = request.query.get("redirect_url");
    let Some(target) = target.filter(|url| web::is_at(&stand_in.config.app_origin, url)) else {
        return Ok(web::error(
            StatusCode::BAD_REQUEST,
            "invalid_url",
            "redirect_url must be an address of the application",
        ));
    };
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": stand_in.key.id });
    let claims = json!({ "handshake": directives(stand_in, request)? });
    let token = stand_in.sign(&header, &claims)?;
    if stand_in.instance.production {
        let mut response = web::redirect(StatusCode::TEMPORARY_REDIRECT, target)?;
        web::set_cookies(&mut response, [stand_in.cookies.handshake(&token)])?;
        return Ok(response);
    }
    let target = web::with_parameter(target, HANDSHAKE, &token);
    web::redirect(StatusCode::TEMPORARY_REDIRECT, &target)
}

/// The `Set-Cookie` values that the application is to send.
fn directives(stand_in: &StandIn, request: &Request) -> anyhow::Result<Vec<String>> {
    let cookies = &stand_in.cookies;
    let mut directives = Vec::new();
    let mut client = stand_in.client(request)?;
    if stand_in.instance.production {
        // A handshake that is left over would undo a sign-out that follows.
        directives.push(cookies.handshake(""));
    } else {
        let known = client.map_or_else(|| stand_in.store.create(), Ok)?;
        directives.extend(cookies.dev_browser(&known.secret));
        client = Some(known);
    }
    let uat = client.as_ref().map_or(0, Client::uat);
    directives.extend(cookies.client_uat(uat));
    let token = match client.as_ref().and_then(Client::signed_in) {
        Some((session, _user)) => stand_in.session_token(request, session)?,
        None => String::new(),
    };
    directives.extend(cookies.session(&token));
    Ok(directives)
}

#[cfg(test)]
mod tests {
    use http::{Request, header};

    use super::*;
    use crate::{
        config::Switches,
        fixture::{
            decoded, development, development_with, get, location, production, production_with,
            set_cookies,
        },
    };

    const ENDPOINT: &str = "/v1/client/handshake";

    /// Bytes of name and value that browsers keep of a cookie.
    const COOKIE_LIMIT: usize = 4096;

    fn handshake_of(token: &str) -> Vec<String> {
        let (_header, claims) = decoded(token);
        serde_json::from_value(claims["handshake"].clone()).unwrap()
    }

    fn development_handshake(stand_in: &StandIn, secret: &str) -> Vec<String> {
        let target = format!(
            "{ENDPOINT}?redirect_url=http%3A%2F%2Flocalhost%3A9000%2F&__clerk_db_jwt={secret}"
        );
        let response = get(stand_in, &target);
        assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let back = location(&response);
        let (address, token) = back.split_once("?__clerk_handshake=").unwrap();
        assert_eq!(address, "http://localhost:9000/");
        handshake_of(token)
    }

    /// The answer to the handshake of a browser that is signed in.
    fn production_handshake(stand_in: &StandIn, parameters: &str) -> Response {
        let client = stand_in.store.sign_in(None, "user_ada").unwrap();
        let request = Request::get(format!(
            "{ENDPOINT}?redirect_url=https%3A%2F%2Fwww.example.test%2F{parameters}"
        ));
        let request = request.header(header::COOKIE, format!("__client={}", client.secret));
        stand_in.respond(request.body(Vec::new()).unwrap())
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
    fn with_the_switch_a_handshake_has_a_session_without_azp() {
        let stand_in = development_with(Switches {
            azp_from_origin: true,
            ..Switches::default()
        });
        let client = stand_in.store.sign_in(None, "user_ada").unwrap();
        let directives = development_handshake(&stand_in, &client.secret);
        let (_header, claims) = decoded(value(&directives, "__session"));
        assert_eq!(claims["sub"], "user_ada");
        assert!(claims.get("azp").is_none());
    }

    #[test]
    fn with_custom_claims_the_cookie_is_larger_than_browsers_keep() {
        let size = |custom_claim_bytes| {
            let stand_in = production_with(Switches {
                custom_claim_bytes,
                ..Switches::default()
            });
            let response = production_handshake(&stand_in, "");
            let (cookie, _attributes) = set_cookies(&response)[0].split_once(';').unwrap();
            cookie.len() - "=".len()
        };
        assert!(size(0) <= COOKIE_LIMIT);
        assert!(size(1200) > COOKIE_LIMIT);
    }

    #[test]
    fn production_hands_over_in_a_cookie_that_removes_itself() {
        let response = production_handshake(&production(), "");
        assert_eq!(location(&response), "https://www.example.test/");
        let cookies = set_cookies(&response);
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
            let response = get(&stand_in, &format!("{ENDPOINT}{target}"));
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
            assert!(response.headers().get(header::LOCATION).is_none());
        }
    }
}
