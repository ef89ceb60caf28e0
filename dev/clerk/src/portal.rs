//! The account portal: signing in and out with and without JavaScript.

use http::StatusCode;

use crate::{
    StandIn,
    call::Call,
    cookies::{DEV_BROWSER, redirect_count_cleared},
    pages::{SCRIPT, STYLE},
    redirect,
    reply::{self, Reply},
    store::find_user,
};

impl StandIn {
    /// Answers `/sign-in`, `/sign-up`, `/sign-out` and `/user`.
    pub(crate) fn portal(&self, call: &Call, method: &str, path: &[&str]) -> anyhow::Result<Reply> {
        let Some(redirect_url) = self.way_back(call) else {
            return self.refusal(
                StatusCode::BAD_REQUEST,
                "The address to return to is not one of the application.",
            );
        };
        match (method, path) {
            ("GET", []) => {
                let sign_in = format!("{}/sign-in", self.config.accounts);
                reply::redirect(StatusCode::FOUND, &sign_in)
            }
            ("GET", ["sign-in" | "sign-up"]) => {
                self.sign_in_page(&redirect_url, self.browser(call)?.as_ref())
            }
            ("GET", ["user" | "sign-out"]) => {
                self.user_page(&redirect_url, self.browser(call)?.as_ref())
            }
            ("POST", ["sign-in"]) => self.sign_in(call, &redirect_url),
            ("POST", ["sign-out"]) => self.sign_out(call, &redirect_url),
            ("GET", ["portal.css"]) => Ok(reply::with_body("text/css", STYLE.into())),
            ("GET", ["portal.js"]) => Ok(reply::with_body("text/javascript", SCRIPT.into())),
            _ => self.refusal(StatusCode::NOT_FOUND, "There is no such page here."),
        }
    }

    fn sign_in(&self, call: &Call, redirect_url: &str) -> anyhow::Result<Reply> {
        let Some(user) = call.form("user").and_then(find_user) else {
            return self.refusal(StatusCode::BAD_REQUEST, "There is no such demo user.");
        };
        let client = self.store.sign_in(self.browser(call)?, user.id)?;
        let mut reply = self.back(redirect_url, &client.secret)?;
        if self.instance.production {
            reply::set_cookies(&mut reply, &[self.client_cookie(&client.secret)])?;
            let seconds = client.updated_at / 1000;
            reply::set_cookies(&mut reply, &self.client_uat_cookies(seconds))?;
        }
        Ok(reply)
    }

    fn sign_out(&self, call: &Call, redirect_url: &str) -> anyhow::Result<Reply> {
        let Some(client) = self.browser(call)? else {
            return reply::redirect(StatusCode::SEE_OTHER, redirect_url);
        };
        let client = self.store.sign_out(client)?;
        let mut reply = self.back(redirect_url, &client.secret)?;
        if self.instance.production {
            reply::set_cookies(&mut reply, &self.client_uat_cookies(0))?;
        }
        Ok(reply)
    }

    /// Back to the application. In development the browser's secret in the
    /// address is what makes the application ask for a handshake.
    fn back(&self, redirect_url: &str, secret: &str) -> anyhow::Result<Reply> {
        let mut reply = if self.instance.production {
            reply::redirect(StatusCode::SEE_OTHER, redirect_url)?
        } else {
            let target = redirect::with_parameter(redirect_url, DEV_BROWSER, secret);
            reply::redirect(StatusCode::SEE_OTHER, &target)?
        };
        reply::set_cookies(&mut reply, &[redirect_count_cleared()])?;
        Ok(reply)
    }

    /// Where the visitor wants to return to, or `None` if that is not ours.
    fn way_back(&self, call: &Call) -> Option<String> {
        let origin = &self.config.app_origin;
        match call.form("redirect_url").or(call.query("redirect_url")) {
            Some(url) if redirect::is_at(origin, url) => Some(url.to_owned()),
            Some(_) => None,
            None => Some(format!("{origin}/")),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;

    use super::*;
    use crate::fixture::{development, get, location, post, production, set_cookies};

    #[test]
    fn a_development_sign_in_returns_with_the_browser_in_the_address() {
        let stand_in = development();
        let form = "user=user_ada&redirect_url=http%3A%2F%2Flocalhost%3A9000%2F%3Fa%3D1";
        let reply = post(&stand_in, "/sign-in", form);
        assert_eq!(reply.status(), StatusCode::SEE_OTHER);
        let (address, secret) = location(&reply).split_once("&__clerk_db_jwt=").unwrap();
        assert_eq!(address, "http://localhost:9000/?a=1");
        let client = stand_in.store.find(secret).unwrap().unwrap();
        assert_eq!(client.session.unwrap().user_id, "user_ada");
        let counter = "__clerk_redirect_count=; Path=/; Max-Age=0";
        assert_eq!(set_cookies(&reply), [counter]);
    }

    #[test]
    fn a_production_sign_in_leaves_cookies_for_all_hosts() {
        let reply = post(&production(), "/sign-in", "user=user_ada");
        assert_eq!(location(&reply), "https://www.example.test/");
        let cookies = set_cookies(&reply);
        for name in ["__client=dvb_", "__client_uat=", "__client_uat_"] {
            let found = cookies.iter().find(|cookie| cookie.starts_with(name));
            let cookie = found.unwrap();
            assert!(cookie.contains("Domain=example.test"), "{cookie}");
        }
    }

    #[test]
    fn the_same_browser_changes_users_and_signs_out() {
        let stand_in = development();
        let secret = stand_in.store.sign_in(None, "user_ada").unwrap().secret;
        let browser = format!("__clerk_db_jwt={secret}");
        let user = || stand_in.store.find(&secret).unwrap().unwrap().session;
        post(&stand_in, "/sign-in", &format!("user=user_alan&{browser}"));
        assert_eq!(user().unwrap().user_id, "user_alan");
        let reply = post(&stand_in, "/sign-out", &browser);
        assert_eq!(
            location(&reply),
            format!("http://localhost:9000/?{browser}")
        );
        assert!(user().is_none());
    }

    #[test]
    fn nobody_is_sent_to_another_origin() {
        let stand_in = development();
        let evil = "redirect_url=https%3A%2F%2Fevil.example%2F";
        for reply in [
            get(&stand_in, &format!("/sign-in?{evil}")),
            get(&stand_in, &format!("/user?{evil}")),
            post(&stand_in, "/sign-in", &format!("user=user_ada&{evil}")),
            post(&stand_in, "/sign-out", evil),
        ] {
            assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
        }
    }

    #[test]
    fn an_unknown_secret_is_not_adopted() {
        let stand_in = development();
        let reply = post(&stand_in, "/sign-in", "user=user_ada&__clerk_db_jwt=mine");
        assert!(!location(&reply).ends_with("=mine"));
        assert!(stand_in.store.find("mine").unwrap().is_none());
    }

    #[test]
    fn only_demo_users_sign_in() {
        let reply = post(&development(), "/sign-in", "user=user_eve");
        assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn what_the_address_says_is_escaped() {
        let target = "/sign-in?redirect_url=http%3A%2F%2Flocalhost%3A9000%2F%22%3E%3Cscript%3E";
        let reply = get(&development(), target);
        assert!(
            reply.headers()[CONTENT_TYPE]
                .to_str()
                .unwrap()
                .starts_with("text/html")
        );
        let page = String::from_utf8(reply.into_body()).unwrap();
        assert!(!page.contains("/\"><script>"));
    }
}
