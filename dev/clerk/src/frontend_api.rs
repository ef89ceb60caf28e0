//! The calls that clerk-js makes while it loads, refreshes tokens and signs out.

use http::StatusCode;
use serde_json::json;

use crate::{
    StandIn, User,
    call::Call,
    reply::{self, Reply},
    store::{Client, Session},
};

impl StandIn {
    /// Answers `/v1/…`.
    pub(crate) fn frontend_api(
        &self,
        call: &Call,
        method: &str,
        path: &[&str],
    ) -> anyhow::Result<Reply> {
        match (method, path) {
            ("GET", ["client", "handshake"]) => self.handshake(call),
            (_, ["client", "handshake"]) => Ok(reply::empty(StatusCode::METHOD_NOT_ALLOWED)),
            ("GET" | "PATCH", ["environment"]) => Ok(reply::json(&self.environment()?)),
            ("POST", ["dev_browser"]) if !self.instance.production => {
                let secret = self.store.create()?.secret;
                Ok(reply::json(
                    &json!({ "object": "dev_browser", "id": secret }),
                ))
            }
            _ => match self.browser(call)? {
                Some(client) => self.of_browser(client, method, path),
                None => Ok(self.of_unknown_browser(method, path)),
            },
        }
    }

    fn of_browser(&self, client: Client, method: &str, path: &[&str]) -> anyhow::Result<Reply> {
        match (method, path) {
            ("GET" | "POST" | "PUT", ["client"]) => {
                Ok(reply::json(&json!({ "response": self.client(&client)? })))
            }
            ("DELETE", ["client"] | ["client", "sessions"]) => self.end_session(client),
            _ => match client.signed_in() {
                Some((session, user)) => self.of_session(&client, session, user, method, path),
                None => Ok(signed_out()),
            },
        }
    }

    fn of_session(
        &self,
        client: &Client,
        session: &Session,
        user: &User,
        method: &str,
        path: &[&str],
    ) -> anyhow::Result<Reply> {
        let body = match (method, path) {
            (_, ["client", "sessions", id, ..]) if *id != session.id => return Ok(signed_out()),
            ("POST", ["client", "sessions", _, "tokens"]) => {
                json!({ "object": "token", "jwt": self.session_token(session)? })
            }
            ("POST", ["client", "sessions", _, "remove" | "end"]) => {
                return self.end_session(client.clone());
            }
            ("GET", ["client", "sessions", _]) | ("POST", ["client", "sessions", _, "touch"]) => {
                json!({ "response": self.session(session, user)?, "client": self.client(client)? })
            }
            ("GET", ["me"]) => json!({ "response": self.session(session, user)?["user"] }),
            ("GET", ["me", "sessions", "active"]) => json!([self.session(session, user)?]),
            _ => return Ok(unknown(method, path)),
        };
        Ok(reply::json(&body))
    }

    fn end_session(&self, client: Client) -> anyhow::Result<Reply> {
        let client = self.store.sign_out(client)?;
        let mut reply = reply::json(&json!({ "response": self.client(&client)? }));
        if self.instance.production {
            reply::set_cookies(&mut reply, &self.client_uat_cookies(0))?;
        }
        Ok(reply)
    }

    fn of_unknown_browser(&self, method: &str, path: &[&str]) -> Reply {
        if !self.instance.production {
            // At this code clerk-js asks for a new dev browser.
            return reply::error(
                StatusCode::UNAUTHORIZED,
                "dev_browser_unauthenticated",
                "the stand-in for Clerk does not know this browser",
            );
        }
        match (method, path) {
            ("GET", ["client"]) => reply::json(&json!({ "response": null })),
            _ => signed_out(),
        }
    }
}

/// At this clerk-js reads the client again and shows that nobody is signed in.
fn signed_out() -> Reply {
    reply::error(
        StatusCode::UNAUTHORIZED,
        "authentication_invalid",
        "nobody is signed in in this browser",
    )
}

fn unknown(method: &str, path: &[&str]) -> Reply {
    let message = format!(
        "the stand-in for Clerk cannot do this ({method} /v1/{})",
        path.join("/")
    );
    reply::error(
        StatusCode::UNPROCESSABLE_ENTITY,
        "feature_not_enabled",
        &message,
    )
}

#[cfg(test)]
mod tests {
    use http::{Request, header};
    use serde_json::Value;

    use super::*;
    use crate::fixture::{
        decoded, development, development_config, get, json, post, production, set_cookies,
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
        let reply = get(&development(), "/v1/client?__clerk_db_jwt=dvb_unknown");
        assert_eq!(reply.status(), StatusCode::UNAUTHORIZED);
        let code = &json(&reply)["errors"][0]["code"];
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
        let reply = stand_in.respond(request.body(Vec::new()).unwrap());
        assert!(set_cookies(&reply)[0].starts_with("__client_uat=0;"));
    }

    #[test]
    fn a_form_post_is_never_sent_through_a_handshake() {
        let reply = post(&development(), "/v1/client/handshake", "");
        assert_eq!(reply.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
