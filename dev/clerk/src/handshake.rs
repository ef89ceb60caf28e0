//! The handshake: it brings what the Frontend API knows about a browser into
//! the cookies of the application, by a redirect.

use http::{StatusCode, header::AUTHORIZATION};
use serde_json::json;

use crate::{
    cookies::{HANDSHAKE, HANDSHAKE_NONCE},
    stand_in::StandIn,
    store::{Client, new_id},
    web::{self, Request, Response},
};

/// `GET /v1/client/handshake`: back to `redirect_url` with a signed list of
/// cookies to set or, where `format=nonce` asks for it, with a nonce for
/// [`payload`].
pub(crate) fn respond(stand_in: &StandIn, request: &Request) -> anyhow::Result<Response> {
    let target = request.query.get("redirect_url");
    let Some(target) = target.filter(|url| web::is_at(&stand_in.config.app_origin, url)) else {
        return Ok(web::error(
            StatusCode::BAD_REQUEST,
            "invalid_url",
            "redirect_url must be an address of the application",
        ));
    };
    let (name, value) = if request.query.get("format") == Some("nonce") {
        let directives = directives(stand_in, request, HANDSHAKE_NONCE)?;
        let nonce = new_id("nonce")?;
        stand_in.handshakes().insert(nonce.clone(), directives);
        (HANDSHAKE_NONCE, nonce)
    } else {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": stand_in.key.id });
        let claims = json!({ "handshake": directives(stand_in, request, HANDSHAKE)? });
        (HANDSHAKE, stand_in.sign(&header, &claims)?)
    };
    if stand_in.instance.production {
        let mut response = web::redirect(StatusCode::TEMPORARY_REDIRECT, target)?;
        web::set_cookies(&mut response, [stand_in.cookies.handshake(name, &value)])?;
        return Ok(response);
    }
    let target = web::with_parameter(target, name, &value);
    web::redirect(StatusCode::TEMPORARY_REDIRECT, &target)
}

/// `GET /v1/clients/handshake_payload` of the Backend API: the cookies to set,
/// once for each nonce (`HandshakePayload` of @clerk/backend).
pub(crate) fn payload(stand_in: &StandIn, request: &Request) -> Response {
    let expected = format!("Bearer {}", stand_in.secret_key());
    if request.header(&AUTHORIZATION) != Some(&expected) {
        return web::error(
            StatusCode::UNAUTHORIZED,
            "clerk_key_invalid",
            "the secret key is not that of this instance",
        );
    }
    let nonce = request.query.get("nonce").unwrap_or_default();
    match stand_in.handshakes().remove(nonce) {
        Some(directives) => web::json(&json!({ "directives": directives })),
        None => web::error(
            StatusCode::NOT_FOUND,
            "resource_not_found",
            "the nonce is unknown or has been used",
        ),
    }
}

/// The `Set-Cookie` values that the application is to send. The one that
/// brings the handshake has the name `carrier`.
fn directives(stand_in: &StandIn, request: &Request, carrier: &str) -> anyhow::Result<Vec<String>> {
    let cookies = &stand_in.cookies;
    let mut directives = Vec::new();
    let mut client = stand_in.client(request)?;
    if stand_in.instance.production {
        // A handshake that is left over would undo a sign-out that follows.
        directives.push(cookies.handshake(carrier, ""));
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
            decoded, development, development_with, get, json, location, production,
            production_with, set_cookies,
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
        // The README says so.
        assert!(size(290) <= COOKIE_LIMIT);
        assert!(size(310) > COOKIE_LIMIT);
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

    /// The Backend API's answer to this nonce and secret key.
    fn payload_of(stand_in: &StandIn, nonce: &str, secret_key: &str) -> Response {
        let path = stand_in.config.base_path();
        let target = format!("{path}/v1/clients/handshake_payload?nonce={nonce}");
        let request = Request::get(target).header(AUTHORIZATION, format!("Bearer {secret_key}"));
        stand_in.respond(request.body(Vec::new()).unwrap())
    }

    #[test]
    fn production_hands_over_by_a_nonce_that_works_once() {
        let stand_in = production();
        let response = production_handshake(&stand_in, "&format=nonce");
        let cookies = set_cookies(&response);
        assert_eq!(cookies.len(), 1);
        let (pair, _attributes) = cookies[0].split_once(';').unwrap();
        let nonce = pair.strip_prefix("__clerk_handshake_nonce=").unwrap();

        let refused = payload_of(&stand_in, nonce, "sk_live_other");
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(json(&refused)["errors"][0]["code"], "clerk_key_invalid");

        let payload = json(&payload_of(&stand_in, nonce, stand_in.secret_key()));
        let directives: Vec<String> =
            serde_json::from_value(payload["directives"].clone()).unwrap();
        assert_eq!(
            directives[0],
            "__clerk_handshake_nonce=; Path=/; Domain=example.test; Max-Age=0; SameSite=Lax; Secure"
        );
        assert!(!value(&directives, "__session").is_empty());

        let again = payload_of(&stand_in, nonce, stand_in.secret_key());
        assert_eq!(again.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn development_hands_over_a_nonce_in_the_address() {
        let stand_in = development();
        let target = "?redirect_url=http%3A%2F%2Flocalhost%3A9000%2F&format=nonce";
        let response = get(&stand_in, &format!("{ENDPOINT}{target}"));
        let start = "http://localhost:9000/?__clerk_handshake_nonce=";
        let nonce = location(&response).strip_prefix(start).unwrap();
        let payload = json(&payload_of(&stand_in, nonce, stand_in.secret_key()));
        assert!(payload["directives"].is_array());
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
