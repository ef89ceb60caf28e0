//! The Frontend API: what clerk-js calls while it loads, refreshes tokens and
//! signs out, and the objects that it gets (`EnvironmentJSON`, `ClientJSON`,
//! `SessionJSON`, `UserJSON` of @clerk/shared).

use askama::Template;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    handshake,
    stand_in::StandIn,
    store::{Client, Session, User, now_ms},
    web::{self, Request, Response},
};

/// How long a session lasts: a week, as by Clerk's default, in milliseconds.
const SESSION_AGE: u64 = 7 * 24 * 60 * 60 * 1000;

/// The settings of the instance.
#[derive(Template)]
#[template(path = "environment.json", escape = "none")]
struct Environment<'a> {
    stand_in: &'a StandIn,
}

/// Answers `/v1/…`.
pub(crate) fn respond(
    stand_in: &StandIn,
    request: &Request,
    path: &[&str],
) -> anyhow::Result<Response> {
    let production = stand_in.instance.production;
    match (request.method.as_str(), path) {
        ("GET", ["client", "handshake"]) => handshake::respond(stand_in, request),
        (_, ["client", "handshake"]) => Ok(web::empty(StatusCode::METHOD_NOT_ALLOWED)),
        ("GET" | "PATCH", ["environment"]) => {
            let environment = Environment { stand_in }.render()?;
            Ok(web::body("application/json", environment))
        }
        ("POST", ["dev_browser"]) if !production => {
            let secret = stand_in.store.create()?.secret;
            Ok(web::json(&json!({ "object": "dev_browser", "id": secret })))
        }
        (method, path) => match stand_in.client(request)? {
            Some(client) => respond_to_client(stand_in, request, client, path),
            // At this code clerk-js asks for a new dev browser.
            None if !production => Ok(web::error(
                StatusCode::UNAUTHORIZED,
                "dev_browser_unauthenticated",
                "the stand-in for Clerk does not know this browser",
            )),
            None if (method, path) == ("GET", &["client"]) => {
                Ok(web::json(&json!({ "response": null })))
            }
            None => Ok(signed_out()),
        },
    }
}

/// Answers a browser that is known, whether somebody is signed in or not.
fn respond_to_client(
    stand_in: &StandIn,
    request: &Request,
    client: Client,
    path: &[&str],
) -> anyhow::Result<Response> {
    let method = request.method.as_str();
    match (method, path) {
        ("GET" | "POST" | "PUT", ["client"]) => {
            let client = client_json(stand_in, request, &client)?;
            return Ok(web::json(&json!({ "response": client })));
        }
        ("DELETE", ["client"] | ["client", "sessions"]) => {
            return sign_out(stand_in, request, client);
        }
        _ => {}
    }
    let Some((session, user)) = client.signed_in() else {
        return Ok(signed_out());
    };
    let session_json = || session_json(stand_in, request, session, user);
    let body = match (method, path) {
        (_, ["client", "sessions", id, ..]) if *id != session.id => return Ok(signed_out()),
        ("POST", ["client", "sessions", _, "tokens"]) => {
            json!({ "object": "token", "jwt": stand_in.session_token(request, session)? })
        }
        ("POST", ["client", "sessions", _, "remove" | "end"]) => {
            return sign_out(stand_in, request, client);
        }
        ("GET", ["client", "sessions", _]) | ("POST", ["client", "sessions", _, "touch"]) => {
            json!({ "response": session_json()?, "client": client_json(stand_in, request, &client)? })
        }
        ("GET", ["me"]) => json!({ "response": user_json(user, session) }),
        ("GET", ["me", "sessions", "active"]) => json!([session_json()?]),
        _ => {
            let call = format!("{method} /v1/{}", path.join("/"));
            return Ok(web::error(
                StatusCode::UNPROCESSABLE_ENTITY,
                "feature_not_enabled",
                &format!("the stand-in for Clerk cannot do this ({call})"),
            ));
        }
    };
    Ok(web::json(&body))
}

fn sign_out(stand_in: &StandIn, request: &Request, client: Client) -> anyhow::Result<Response> {
    let client = stand_in.store.sign_out(client)?;
    let mut response = web::json(&json!({ "response": client_json(stand_in, request, &client)? }));
    if stand_in.instance.production {
        web::set_cookies(&mut response, stand_in.cookies.client_uat(0))?;
    }
    Ok(response)
}

/// At this code clerk-js reads the client again and shows that nobody is signed
/// in.
fn signed_out() -> Response {
    web::error(
        StatusCode::UNAUTHORIZED,
        "authentication_invalid",
        "nobody is signed in in this browser",
    )
}

fn client_json(stand_in: &StandIn, request: &Request, client: &Client) -> anyhow::Result<Value> {
    let mut sessions = Vec::new();
    if let Some((session, user)) = client.signed_in() {
        sessions.push(session_json(stand_in, request, session, user)?);
    }
    Ok(json!({
        "object": "client",
        "id": client.id,
        "last_active_session_id": client.signed_in().map(|(session, _user)| &session.id),
        "sessions": sessions,
        "sign_in": null,
        "sign_up": null,
        "last_authentication_strategy": null,
        "cookie_expires_at": null,
        "created_at": client.created_at,
        "updated_at": client.updated_at,
    }))
}

fn session_json(
    stand_in: &StandIn,
    request: &Request,
    session: &Session,
    user: &User,
) -> anyhow::Result<Value> {
    let now = now_ms();
    Ok(json!({
        "object": "session",
        "id": session.id,
        "status": "active",
        "expire_at": now + SESSION_AGE,
        "abandon_at": now + SESSION_AGE,
        "last_active_at": now,
        "last_active_token": { "object": "token", "jwt": stand_in.session_token(request, session)? },
        "last_active_organization_id": null,
        "latest_activity": { "object": "session_activity", "id": session.id, "is_mobile": false },
        "actor": null,
        "tasks": null,
        "factor_verification_age": null,
        "user": user_json(user, session),
        "public_user_data": {
            "first_name": user.first_name,
            "last_name": user.last_name,
            "image_url": "",
            "has_image": false,
            "identifier": user.email,
            "user_id": user.id,
        },
        "created_at": session.created_at,
        "updated_at": now,
    }))
}

fn user_json(user: &User, session: &Session) -> Value {
    json!({
        "object": "user",
        "id": user.id,
        "external_id": null,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "username": null,
        "image_url": "",
        "has_image": false,
        "profile_image_id": "",
        "primary_email_address_id": "idn_email",
        "primary_phone_number_id": null,
        "primary_web3_wallet_id": null,
        "email_addresses": [{
            "object": "email_address",
            "id": "idn_email",
            "email_address": user.email,
            "linked_to": [],
            "matches_sso_connection": false,
            "verification": { "status": "verified", "strategy": "admin" },
        }],
        "phone_numbers": [],
        "web3_wallets": [],
        "external_accounts": [],
        "enterprise_accounts": [],
        "passkeys": [],
        "organization_memberships": [],
        "password_enabled": false,
        "totp_enabled": false,
        "backup_code_enabled": false,
        "two_factor_enabled": false,
        "public_metadata": {},
        "unsafe_metadata": {},
        "create_organization_enabled": false,
        "create_organizations_limit": null,
        "delete_self_enabled": false,
        "legal_accepted_at": null,
        "last_sign_in_at": session.created_at,
        "created_at": session.created_at,
        "updated_at": session.created_at,
    })
}

#[cfg(test)]
mod tests {
    use http::{Request, header};
    use serde_json::Value;

    use super::*;
    use crate::{
        config::Switches,
        fixture::{
            decoded, development, development_config, development_with, get, json, post,
            production, set_cookies,
        },
    };

    #[test]
    fn a_new_browser_has_a_client_without_sessions() {
        let stand_in = development();
        let browser = json(&post(&stand_in, "/v1/dev_browser", ""));
        let secret = browser["id"].as_str().unwrap();
        let client = get(&stand_in, &format!("/v1/client?__clerk_db_jwt={secret}"));
        assert_eq!(json(&client)["response"]["sessions"], json!([]));
        assert_eq!(client.headers()[header::CACHE_CONTROL], "no-store");
    }

    #[test]
    fn an_unknown_browser_is_told_so() {
        let response = get(&development(), "/v1/client?__clerk_db_jwt=dvb_unknown");
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let code = &json(&response)["errors"][0]["code"];
        assert_eq!(code, "dev_browser_unauthenticated");
    }

    #[test]
    fn a_session_gets_tokens_until_it_ends() {
        let stand_in = development();
        let client = stand_in.store.sign_in(None, "user_ada").unwrap();
        let (secret, session) = (client.secret, client.session.unwrap().id);
        let tokens = format!("/v1/client/sessions/{session}/tokens?__clerk_db_jwt={secret}");
        let token = json(&post(&stand_in, &tokens, ""));
        let (_header, claims) = decoded(token["jwt"].as_str().unwrap());
        assert_eq!(claims["sid"], session);
        let sign_out = format!("/v1/client/sessions?_method=DELETE&__clerk_db_jwt={secret}");
        let client = json(&post(&stand_in, &sign_out, ""));
        assert_eq!(client["response"]["sessions"], json!([]));
        let refused = post(&stand_in, &tokens, "");
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    }

    #[test]
    fn with_the_switch_azp_is_the_origin_of_the_call() {
        let stand_in = development_with(Switches {
            azp_from_origin: true,
            ..Switches::default()
        });
        let client = stand_in.store.sign_in(None, "user_ada").unwrap();
        let (secret, session) = (client.secret, client.session.unwrap().id);
        let tokens = format!("/v1/client/sessions/{session}/tokens?__clerk_db_jwt={secret}");
        let request = Request::post(format!("/__clerk{tokens}"))
            .header(header::ORIGIN, "http://localhost:9000")
            .body(Vec::new())
            .unwrap();
        let azp = |token: Value| {
            decoded(token["jwt"].as_str().unwrap())
                .1
                .get("azp")
                .cloned()
        };
        assert_eq!(
            azp(json(&stand_in.respond(request))).unwrap(),
            "http://localhost:9000"
        );
        assert!(azp(json(&post(&stand_in, &tokens, ""))).is_none());
    }

    #[test]
    fn another_session_id_gets_no_token() {
        let stand_in = development();
        let secret = stand_in.store.sign_in(None, "user_ada").unwrap().secret;
        let tokens = format!("/v1/client/sessions/sess_other/tokens?__clerk_db_jwt={secret}");
        assert_eq!(
            post(&stand_in, &tokens, "").status(),
            StatusCode::UNAUTHORIZED
        );
    }

    #[test]
    fn a_sign_in_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let open = || StandIn::open(development_config(dir.path())).unwrap();
        let first = open();
        let secret = first.store.sign_in(None, "user_ada").unwrap().secret;
        let again = open();
        let client = get(&again, &format!("/v1/client?__clerk_db_jwt={secret}"));
        let session = &json(&client)["response"]["sessions"][0];
        assert_eq!(session["user"]["id"], "user_ada");
        assert_eq!(first.jwt_key(), again.jwt_key());
    }

    #[test]
    fn production_knows_the_browser_by_its_cookie() {
        let stand_in = production();
        let nobody = get(&stand_in, "/v1/client");
        assert_eq!(json(&nobody)["response"], Value::Null);
        let secret = stand_in.store.sign_in(None, "user_ada").unwrap().secret;
        let request = Request::post("/v1/client/sessions?_method=DELETE")
            .header(header::COOKIE, format!("__client={secret}"));
        let response = stand_in.respond(request.body(Vec::new()).unwrap());
        assert!(set_cookies(&response)[0].starts_with("__client_uat=0;"));
    }

    #[test]
    fn a_form_post_is_never_sent_through_a_handshake() {
        let response = post(&development(), "/v1/client/handshake", "");
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn the_environment_names_the_portal_and_the_application() {
        let environment = json(&get(&production(), "/v1/environment"));
        let display = &environment["display_config"];
        assert_eq!(
            display["sign_in_url"],
            "https://accounts.example.test/sign-in"
        );
        assert_eq!(display["home_url"], "https://www.example.test/");
        assert_eq!(display["instance_environment_type"], "production");
    }
}
