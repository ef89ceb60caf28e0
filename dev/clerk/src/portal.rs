//! The account portal: pages on which people sign in and out, with and without
//! JavaScript.

use askama::Template;
use http::{StatusCode, header::CONTENT_SECURITY_POLICY};

use crate::{
    config::{Config, origin_of},
    cookies::{DEV_BROWSER, REDIRECT_COUNT_REMOVED},
    stand_in::StandIn,
    store::{Client, User},
    web::{self, Request, Response},
    webhook::{self, Delivery},
};

const STYLE: &str = include_str!("../assets/portal.css");
const SCRIPT: &str = include_str!("../assets/portal.js");

/// The demo users to choose from.
#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    config: &'a Config,
    redirect_url: &'a str,
    dev_browser: &'a str,
    users: Vec<&'static User>,
    signed_in: Option<&'static User>,
}

/// Who is signed in, and the button to sign out.
#[derive(Template)]
#[template(path = "user.html")]
struct UserPage<'a> {
    config: &'a Config,
    redirect_url: &'a str,
    dev_browser: &'a str,
    user: Option<&'static User>,
}

/// What was delivered to the application's webhook.
#[derive(Template)]
#[template(path = "webhook.html")]
struct WebhookPage<'a> {
    config: &'a Config,
    redirect_url: &'a str,
    deliveries: Vec<Delivery>,
}

/// What could not be done.
#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    config: &'a Config,
    problem: &'a str,
}

/// Answers `/sign-in`, `/sign-up`, `/sign-out`, `/user`, `/delete-user` and
/// `/webhook`.
pub(crate) fn respond(
    stand_in: &StandIn,
    request: &Request,
    path: &[&str],
) -> anyhow::Result<Response> {
    let config = &stand_in.config;
    let home = format!("{}/", config.app_origin);
    let asked = request
        .form
        .get("redirect_url")
        .or(request.query.get("redirect_url"));
    let redirect_url = asked.unwrap_or(&home);
    if !web::is_at(&config.app_origin, redirect_url) {
        return refuse(
            config,
            StatusCode::BAD_REQUEST,
            "The address to return to is not one of the application.",
        );
    }
    let client = stand_in.client(request)?;
    let user = client
        .as_ref()
        .and_then(Client::signed_in)
        .map(|(_session, user)| user);
    // Forms carry the secret of a development browser, because a portal on a
    // host of its own gets no cookie with it.
    let dev_browser = match &client {
        Some(client) if !stand_in.instance.production => &*client.secret,
        _ => "",
    };
    match (request.method.as_str(), path) {
        ("GET", []) => web::redirect(StatusCode::FOUND, &format!("{}/sign-in", config.accounts)),
        ("GET", ["sign-in" | "sign-up"]) => page(
            config,
            &SignInPage {
                config,
                redirect_url,
                dev_browser,
                users: stand_in.store.users()?,
                signed_in: user,
            },
        ),
        ("GET", ["user" | "sign-out"]) => page(
            config,
            &UserPage {
                config,
                redirect_url,
                dev_browser,
                user,
            },
        ),
        ("GET", ["webhook"]) => page(
            config,
            &WebhookPage {
                config,
                redirect_url,
                deliveries: webhook::deliveries(stand_in)?,
            },
        ),
        ("POST", ["sign-in"]) => match demo_user(stand_in, request)? {
            Some(user) => sign_in(stand_in, client, user, redirect_url),
            None => refuse(
                config,
                StatusCode::BAD_REQUEST,
                "There is no such demo user.",
            ),
        },
        ("POST", ["sign-out"]) => match client {
            Some(client) => {
                let client = stand_in.store.sign_out(client)?;
                redirect_back(stand_in, redirect_url, &client)
            }
            None => web::redirect(StatusCode::SEE_OTHER, redirect_url),
        },
        ("POST", ["delete-user"]) => match user {
            Some(user) => delete_user(stand_in, user),
            None => refuse(config, StatusCode::UNAUTHORIZED, "Nobody is signed in."),
        },
        ("GET", ["portal.css"]) => Ok(web::body("text/css", STYLE)),
        ("GET", ["portal.js"]) => Ok(web::body("text/javascript", SCRIPT)),
        _ => refuse(config, StatusCode::NOT_FOUND, "There is no such page here."),
    }
}

/// The demo user whom a form names.
fn demo_user(stand_in: &StandIn, request: &Request) -> anyhow::Result<Option<&'static User>> {
    let users = stand_in.store.users()?;
    let id = request.form.get("user");
    Ok(users.into_iter().find(|user| Some(user.id) == id))
}

/// Deletes a user and shows what the application is told of it. The session token
/// that the browser has is valid for up to a minute more, as Clerk's is.
fn delete_user(stand_in: &StandIn, user: &User) -> anyhow::Result<Response> {
    stand_in.store.delete_user(user)?;
    webhook::announce_deletion(stand_in, user.id)?;
    let address = format!("{}/webhook", stand_in.config.accounts);
    let mut response = web::redirect(StatusCode::SEE_OTHER, &address)?;
    if stand_in.instance.production {
        web::set_cookies(&mut response, stand_in.cookies.client_uat(0))?;
    }
    Ok(response)
}

fn sign_in(
    stand_in: &StandIn,
    client: Option<Client>,
    user: &User,
    redirect_url: &str,
) -> anyhow::Result<Response> {
    let client = stand_in.store.sign_in(client, user.id)?;
    let mut response = redirect_back(stand_in, redirect_url, &client)?;
    if stand_in.instance.production {
        web::set_cookies(&mut response, [stand_in.cookies.client(&client.secret)])?;
    }
    Ok(response)
}

/// Back to the application, which then asks for a handshake: with a development
/// instance because of the secret in the address, with a production instance
/// because of `__client_uat`.
fn redirect_back(
    stand_in: &StandIn,
    redirect_url: &str,
    client: &Client,
) -> anyhow::Result<Response> {
    let mut response;
    if stand_in.instance.production {
        response = web::redirect(StatusCode::SEE_OTHER, redirect_url)?;
        web::set_cookies(&mut response, stand_in.cookies.client_uat(client.uat()))?;
    } else {
        let target = web::with_parameter(redirect_url, DEV_BROWSER, &client.secret);
        response = web::redirect(StatusCode::SEE_OTHER, &target)?;
    }
    web::set_cookies(&mut response, [REDIRECT_COUNT_REMOVED])?;
    Ok(response)
}

fn refuse(config: &Config, status: StatusCode, problem: &str) -> anyhow::Result<Response> {
    let mut response = page(config, &RefusalPage { config, problem })?;
    *response.status_mut() = status;
    Ok(response)
}

fn page(config: &Config, page: &impl Template) -> anyhow::Result<Response> {
    let mut response = web::body("text/html; charset=utf-8", page.render()?);
    // Browsers apply form-action to the redirects after a post as well.
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; \
         base-uri 'none'; frame-ancestors 'none'; form-action 'self' {} {}",
        config.app_origin,
        origin_of(&config.frontend_api),
    );
    web::set(&mut response, CONTENT_SECURITY_POLICY, &policy)?;
    web::set_cookies(&mut response, [REDIRECT_COUNT_REMOVED])?;
    Ok(response)
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
        let response = post(&stand_in, "/sign-in", form);
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let (address, secret) = location(&response).split_once("&__clerk_db_jwt=").unwrap();
        assert_eq!(address, "http://localhost:9000/?a=1");
        let client = stand_in.store.find(secret).unwrap().unwrap();
        assert_eq!(client.session.unwrap().user_id, "user_ada");
        let counter = "__clerk_redirect_count=; Path=/; Max-Age=0";
        assert_eq!(set_cookies(&response), [counter]);
    }

    #[test]
    fn a_production_sign_in_leaves_cookies_for_all_hosts() {
        let response = post(&production(), "/sign-in", "user=user_ada");
        assert_eq!(location(&response), "https://www.example.test/");
        let cookies = set_cookies(&response);
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
        let response = post(&stand_in, "/sign-out", &browser);
        assert_eq!(
            location(&response),
            format!("http://localhost:9000/?{browser}")
        );
        assert!(user().is_none());
    }

    #[test]
    fn nobody_is_sent_to_another_origin() {
        let stand_in = development();
        let evil = "redirect_url=https%3A%2F%2Fevil.example%2F";
        for response in [
            get(&stand_in, &format!("/sign-in?{evil}")),
            get(&stand_in, &format!("/user?{evil}")),
            post(&stand_in, "/sign-in", &format!("user=user_ada&{evil}")),
            post(&stand_in, "/sign-out", evil),
        ] {
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        }
    }

    #[test]
    fn an_unknown_secret_is_not_adopted() {
        let stand_in = development();
        let response = post(&stand_in, "/sign-in", "user=user_ada&__clerk_db_jwt=mine");
        assert!(!location(&response).ends_with("=mine"));
        assert!(stand_in.store.find("mine").unwrap().is_none());
    }

    #[test]
    fn only_demo_users_sign_in() {
        let response = post(&development(), "/sign-in", "user=user_eve");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_user_who_is_signed_in_can_be_deleted_and_is_gone() {
        let stand_in = development();
        let response = post(&stand_in, "/delete-user", "");
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let secret = stand_in.store.sign_in(None, "user_ada").unwrap().secret;
        let browser = format!("__clerk_db_jwt={secret}");
        let response = post(&stand_in, "/delete-user", &browser);
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(location(&response), "http://localhost:9000/__clerk/webhook");
        assert!(
            stand_in
                .store
                .find(&secret)
                .unwrap()
                .unwrap()
                .session
                .is_none()
        );
        let response = post(&stand_in, "/sign-in", "user=user_ada");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(get(&stand_in, "/webhook").status(), StatusCode::OK);
    }

    #[test]
    fn what_the_address_says_is_escaped() {
        let target = "/sign-in?redirect_url=http%3A%2F%2Flocalhost%3A9000%2F%22%3E%3Cscript%3E";
        let response = get(&development(), target);
        assert!(
            response.headers()[CONTENT_TYPE]
                .to_str()
                .unwrap()
                .starts_with("text/html")
        );
        let page = String::from_utf8(response.into_body()).unwrap();
        assert!(!page.contains("/\"><script>"));
    }
}
