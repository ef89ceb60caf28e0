//! The handshake: out to the Frontend API, and back.

use serde_json::json;
use tests::{App, Event, Instance, Response, User};

/// The address of a handshake without its query.
fn endpoint(answer: &Response) -> &str {
    assert_eq!(answer.status, 307, "{answer:?}");
    answer.location().split_once('?').unwrap().0
}

fn session_directives(token: &str) -> Vec<String> {
    vec![
        "__client_uat=1700000000; Path=/; Max-Age=31536000; SameSite=Lax; Secure".to_owned(),
        format!("__session={token}; Path=/; Max-Age=31536000; SameSite=Lax; Secure"),
    ]
}

fn handshake_of(instance: &Instance, user: &User) -> String {
    instance.handshake_token(&session_directives(&user.token))
}

#[tokio::test]
async fn an_expired_session_is_renewed_by_a_handshake() {
    let app = App::deployed().await;
    let expired = app.instance.expired_token(&app.user());
    let answer = app.send(Event::page("/?x=1").session(&expired)).await;

    assert_eq!(
        endpoint(&answer),
        "https://clerk.example.com/v1/client/handshake"
    );
    let parameter = |name| answer.location_parameter(name).unwrap();
    let back = parameter("redirect_url");
    let (url, mark) = back.rsplit_once("&__clerk_redirects=1.").unwrap();
    assert_eq!(url, "https://quotes.example.com/?x=1");
    assert!(mark.parse::<u64>().unwrap().abs_diff(tests::clerk::now()) < 60);
    assert_eq!(parameter("__session"), expired);
    assert_eq!(parameter("suffixed_cookies"), "false");
    assert!(parameter("__clerk_hs_reason").starts_with("session-token-expired"));
    assert_eq!(answer.location_parameter("format"), None);
    assert_eq!(answer.location_parameter("__clerk_db_jwt"), None);
}

#[tokio::test]
async fn a_handshake_is_not_cached_is_counted_and_says_why() {
    for app in App::both().await {
        let expired = app.instance.expired_token(&app.user());
        let answer = app.send(Event::page("/").session(&expired)).await;
        assert_eq!(answer.status, 307);
        assert!(answer.header("cache-control").unwrap().contains("no-store"));
        assert_eq!(answer.body, "");
        assert_eq!(answer.header("x-clerk-auth-status"), Some("handshake"));
        let reason = answer.header("x-clerk-auth-reason").unwrap();
        assert!(reason.starts_with("session-token-expired"), "{reason}");
        let counter = answer.cookie("__clerk_redirect_count").unwrap();
        assert_eq!(counter.value, "1");
        for attribute in ["SameSite=Lax", "HttpOnly", "Max-Age=2"] {
            assert!(counter.has(attribute), "{counter:?}");
        }
    }
}

#[tokio::test]
async fn the_fourth_handshake_in_a_row_is_a_page_that_explains() {
    for app in App::both().await {
        let expired = app.instance.expired_token(&app.user());
        let page = |count: &str| {
            Event::page("/")
                .session(&expired)
                .cookie("__clerk_redirect_count", count)
        };
        let third = app.send(page("2")).await;
        assert_eq!(third.cookie("__clerk_redirect_count").unwrap().value, "3");
        for count in ["3", "4", "17"] {
            let answer = app.send(page(count)).await;
            assert_eq!(answer.header("location"), None, "{answer:?}");
            answer.page(401);
        }
    }
}

#[tokio::test]
async fn only_a_page_load_is_redirected_to_a_handshake() {
    let app = App::deployed().await;
    let expired = app.instance.expired_token(&app.user());
    for event in [
        Event::page("/").header("sec-fetch-dest", "empty"),
        Event::page("/").with_method("HEAD"),
        Event::new("GET", "/").header("accept", "application/json"),
    ] {
        let answer = app.send(event.session(&expired)).await;
        assert_ne!(
            answer.header("x-clerk-auth-status"),
            Some("handshake"),
            "{answer:?}"
        );
        let location = answer.header("location").unwrap_or_default();
        assert!(!location.contains("/v1/client/handshake"), "{answer:?}");
    }
}

#[tokio::test]
async fn each_state_of_the_cookies_has_its_reason() {
    let app = App::deployed().await;
    let user = app.user();
    let later = (tests::clerk::now() + 60).to_string();
    for (reason, event) in [
        (
            "session-token-but-no-client-uat",
            Event::page("/").cookie("__session", &user.token),
        ),
        (
            "client-uat-but-no-session-token",
            Event::page("/").cookie("__client_uat", "1700000000"),
        ),
        (
            "session-token-iat-before-client-uat",
            Event::page("/")
                .cookie("__session", &user.token)
                .cookie("__client_uat", &later),
        ),
        (
            "primary-domain-cross-origin-sync",
            Event::page("/")
                .signed_in(&user)
                .header("referer", "https://elsewhere.example/"),
        ),
    ] {
        let answer = app.send(event).await;
        assert_eq!(
            endpoint(&answer),
            "https://clerk.example.com/v1/client/handshake"
        );
        assert_eq!(
            answer.location_parameter("__clerk_hs_reason").as_deref(),
            Some(reason)
        );
    }
}

#[tokio::test]
async fn a_new_browser_of_a_development_instance_gets_its_token_first() {
    let app = App::local().await;
    let answer = app.send(Event::page("/")).await;
    assert_eq!(
        endpoint(&answer),
        "http://localhost:9000/__clerk/v1/client/handshake"
    );
    let reason = answer.location_parameter("__clerk_hs_reason");
    assert_eq!(reason.as_deref(), Some("dev-browser-missing"));
}

#[tokio::test]
async fn the_token_of_a_development_browser_does_not_stay_in_the_address() {
    let app = App::local().await;
    let answer = app
        .send(Event::page("/?x=1&__clerk_db_jwt=dvb_0123456789"))
        .await;
    endpoint(&answer);
    let parameter = |name| answer.location_parameter(name).unwrap();
    let back = parameter("redirect_url");
    assert!(back.starts_with("http://localhost:9000/?x=1&__clerk_redirects=1."));
    assert_eq!(parameter("__clerk_db_jwt"), "dvb_0123456789");
    assert_eq!(parameter("__clerk_hs_reason"), "dev-browser-sync");
}

#[tokio::test]
async fn a_development_handshake_comes_back_in_the_address_and_leaves_it() {
    let app = App::local().await;
    let user = app.user();
    let handshake = handshake_of(app.instance, &user);
    let target = format!("/?x=1&__clerk_handshake={handshake}&__clerk_help=1");
    let answer = app
        .send(Event::page(&target).cookie("__clerk_db_jwt", "dvb_0123456789"))
        .await;
    assert_eq!(answer.status, 307);
    assert_eq!(answer.location(), "http://localhost:9000/?x=1");
    assert!(answer.header("cache-control").unwrap().contains("no-store"));
    assert_eq!(answer.cookie("__session").unwrap().value, user.token);
    assert_eq!(answer.cookie("__client_uat").unwrap().value, "1700000000");
}

#[tokio::test]
async fn a_production_handshake_comes_back_in_a_cookie_and_is_the_page() {
    let app = App::deployed().await;
    let user = app.user();
    app.send(Event::put_quote("welcome back").bearer(&user.token))
        .await;
    let handshake = handshake_of(app.instance, &user);
    let answer = app
        .send(Event::page("/").cookie("__clerk_handshake", &handshake))
        .await;
    assert!(answer.page(200).contains("welcome back"));
    let session = answer.cookie("__session").unwrap();
    assert_eq!(session.value, user.token);
    assert!(
        session.has("SameSite=Lax") && session.has("Secure"),
        "{session:?}"
    );
}

#[tokio::test]
async fn a_production_handshake_is_used_up() {
    let app = App::deployed().await;
    let handshake = handshake_of(app.instance, &app.user());
    for event in [
        Event::page("/").cookie("__clerk_handshake", &handshake),
        Event::page("/").cookie("__clerk_handshake", "garbage"),
    ] {
        let answer = app.send(event).await;
        let ends: Vec<_> = answer
            .cookies
            .iter()
            .filter(|cookie| cookie.name == "__clerk_handshake")
            .collect();
        assert!(ends.iter().all(|cookie| cookie.removes()), "{answer:?}");
        assert!(
            ends.iter().any(|cookie| cookie.has("Domain=example.com")),
            "{answer:?}"
        );
        let is_host_only = |attribute: &String| !attribute.starts_with("Domain=");
        assert!(
            ends.iter()
                .any(|cookie| cookie.attributes.iter().all(is_host_only))
        );
    }
}

#[tokio::test]
async fn a_handshake_without_a_session_is_a_sign_out() {
    let app = App::deployed().await;
    let directives = [
        "__client_uat=0; Path=/".to_owned(),
        "__session=; Path=/; Max-Age=0".to_owned(),
    ];
    let handshake = app.instance.handshake_token(&directives);
    let answer = app
        .send(Event::page("/").cookie("__clerk_handshake", &handshake))
        .await;
    assert_eq!(answer.status, 307);
    assert!(
        answer
            .location()
            .starts_with("https://accounts.example.com/sign-in?")
    );
    assert_eq!(answer.cookie("__client_uat").unwrap().value, "0");
}

/// Handshake tokens that are not the instance's own.
fn forged(app: &App) -> Vec<String> {
    let user = app.user();
    let directives = json!(["pwned=1; Path=/", format!("__session={}", user.token)]);
    let template = app.instance.token_of(
        &user,
        &json!({ "cat": "cl_B7d4PD222AAA" }),
        &json!({ "handshake": directives }),
    );
    vec![
        handshake_of(Instance::impostor(), &user),
        template,
        "garbage".to_owned(),
    ]
}

#[tokio::test]
async fn a_forged_handshake_sets_no_cookie_in_production() {
    let app = App::deployed().await;
    for token in forged(&app) {
        for event in [
            Event::page("/").cookie("__clerk_handshake", &token),
            Event::page(&format!("/?__clerk_handshake={token}")),
        ] {
            let answer = app.send(event).await;
            assert_eq!(answer.status, 307, "{answer:?}");
            assert!(
                answer
                    .location()
                    .starts_with("https://accounts.example.com/sign-in?")
            );
            let theirs = |name: &str| name == "pwned" || name.starts_with("__session");
            assert!(
                !answer.cookies.iter().any(|cookie| theirs(&cookie.name)),
                "{answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_forged_handshake_is_explained_in_development() {
    let app = App::local().await;
    for token in forged(&app) {
        let answer = app
            .send(Event::page(&format!("/?__clerk_handshake={token}")))
            .await;
        assert_eq!(answer.header("location"), None);
        assert!(answer.cookies.is_empty(), "{answer:?}");
        assert!(answer.page(500).contains("keys"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_directive_that_would_be_two_headers_sets_no_cookie() {
    let app = App::deployed().await;
    let user = app.user();
    let mut directives = session_directives(&user.token);
    directives.push("a=b\r\nset-cookie: pwned=1".to_owned());
    let handshake = app.instance.handshake_token(&directives);
    let answer = app
        .send(Event::page("/").cookie("__clerk_handshake", &handshake))
        .await;
    assert_eq!(answer.status, 307);
    assert!(
        answer.cookies.iter().all(|cookie| cookie.removes()),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_handshake_acts_for_nobody_in_the_api() {
    for app in App::both().await {
        let (user, other) = (app.user(), app.user());
        let planted = handshake_of(app.instance, &other);
        for target in [
            "/api/quote".to_owned(),
            format!("/api/quote?__clerk_handshake={planted}"),
        ] {
            let put = Event::new("PUT", &target)
                .json(&json!({ "message": "mine" }))
                .same_origin()
                .cookie("__clerk_handshake", &planted);
            app.send(put.clone()).await.problem(401);
            let saved = app.send(put.signed_in(&user)).await;
            assert!([200, 201].contains(&saved.status), "{saved:?}");
        }
        let get = |user: &User| app.send(Event::get_quote().bearer(&user.token));
        assert_eq!(get(&user).await.json()["message"], "mine");
        get(&other).await.problem(404);
    }
}

#[tokio::test]
async fn redirects_that_follow_each_other_without_cookies_are_explained() {
    let now = tests::clerk::now();
    let app = App::local().await;
    let page = app
        .send(Event::page(&format!("/?__clerk_redirects=3.{now}")))
        .await;
    assert!(page.page(401).contains("sends no cookies"), "{}", page.body);

    let app = App::deployed().await;
    let slow = format!("/?__clerk_redirects=3.{}", now - 30);
    let page = app.send(Event::page(&slow)).await;
    assert!(page.page(401).contains("sends no cookies"), "{}", page.body);
    let page = app.send(Event::page(&slow).cookie("a", "b")).await;
    assert!(page.page(401).contains("several times without a session"));
    let page = Event::page(&slow).cookie("__client_uat", "1700000000");
    let page = app.send(page).await;
    assert!(page.page(401).contains("4,096 bytes"), "{}", page.body);
    assert!(app.log().contains("CookieLost"));

    // A bookmark of it does no harm.
    let old = format!("/?__clerk_redirects=3.{}", now - 100);
    assert_eq!(app.send(Event::page(&old)).await.status, 307);
}

#[tokio::test]
async fn why_a_handshake_was_refused_is_told_and_logged() {
    let app = App::deployed().await;
    let user = app.user();
    let now = tests::clerk::now();
    for (claims, reason, words) in [
        (
            json!({ "iat": now - 200, "exp": now - 100 }),
            "session-token-expired",
            "is ahead of Clerk",
        ),
        (
            json!({ "nbf": now + 100 }),
            "session-token-nbf",
            "is behind Clerk",
        ),
        (
            json!({ "iss": "https://clerk.example.org" }),
            "token-invalid-issuer",
            "another issuer",
        ),
        (
            json!({ "azp": "https://a.example" }),
            "token-invalid-authorized-parties",
            "another address",
        ),
    ] {
        let token = app.instance.token_with(&user, &claims);
        let handshake = app.instance.handshake_token(&session_directives(&token));
        let page = Event::page(&format!("/?__clerk_redirects=3.{now}"))
            .cookie("__client_uat", "1600000000")
            .cookie("__clerk_handshake", &handshake);
        let page = app.send(page).await;
        let text = page.page(401);
        assert!(text.contains(words) && text.contains(reason), "{text}");
        assert!(
            app.log().contains(&format!("handshake_refused=\"{reason}")),
            "{}",
            app.log()
        );
    }
}

#[tokio::test]
async fn a_session_that_lacks_only_azp_is_renewed_by_clerk_js() {
    for app in App::both().await {
        let app = app.with("CLERK_AUTHORIZED_PARTIES", "https://quotes.example.com");
        let user = app.user();
        let token = app.instance.token_with(&user, &json!({ "azp": null }));
        let page = app.send(Event::page("/").session(&token)).await;
        let text = page.page(401);
        assert!(text.contains("skipCache") && text.contains("clerk.browser.js"));
        assert_eq!(page.header("www-authenticate"), Some("Bearer"));
        let handshake = app.instance.handshake_token(&session_directives(&token));
        let event = Event::page(&format!("/?__clerk_handshake={handshake}"));
        let back = app.send(event).await;
        assert_eq!(back.cookie("__session").unwrap().value, token);
        app.send(Event::get_quote().bearer(&token))
            .await
            .problem(401);
    }
}
