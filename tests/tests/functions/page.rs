//! The page.

use tests::{App, Event, Instance};

#[tokio::test]
async fn a_signed_in_user_sees_the_quote() {
    for app in App::both().await {
        let user = app.user();
        let empty = app.send(Event::page("/").signed_in(&user)).await;
        assert!(!empty.page(200).contains("Seize the day"));
        app.send(Event::post_quote("Seize the day").signed_in(&user))
            .await;
        let page = app.send(Event::page("/").signed_in(&user)).await;
        assert!(page.page(200).contains("Seize the day"));
    }
}

#[tokio::test]
async fn a_user_without_a_session_is_sent_to_sign_in_and_back() {
    let app = App::deployed().await;
    let answer = app.send(Event::page("/?from=mail&x=a%20b")).await;
    assert_eq!(answer.status, 307);
    let (address, _) = answer.location().split_once('?').unwrap();
    assert_eq!(address, "https://accounts.example.com/sign-in");
    let back = answer.location_parameter("redirect_url").unwrap();
    assert!(
        back.starts_with("https://quotes.example.com/?from=mail&x=a"),
        "{back}"
    );
    assert!(answer.header("cache-control").unwrap().contains("no-store"));
}

#[tokio::test]
async fn the_sign_in_page_can_be_another_one() {
    let sign_in = "https://login.example.com/own/sign-in";
    let app = App::deployed().await.with("CLERK_SIGN_IN_URL", sign_in);
    let answer = app.send(Event::page("/")).await;
    assert_eq!(answer.status, 307);
    assert!(
        answer.location().starts_with(&format!("{sign_in}?")),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_hostile_quote_is_text() {
    for app in App::both().await {
        let user = app.user();
        for quote in [
            "<script>alert(1)</script>",
            "</textarea><script>alert(2)</script>",
            "\"><img src=x onerror=alert(3)>",
            "'-alert(4)-'",
            "<!-- <svg/onload=alert(5)>",
            "&lt;script&gt;",
        ] {
            app.send(Event::post_quote(quote).signed_in(&user)).await;
            let page = app.send(Event::page("/").signed_in(&user)).await;
            let html = page.page(200);
            assert!(!html.contains(quote), "{quote} is in the page as it is");
            for markup in ["<script>alert", "<img", "onload=alert(5)>"] {
                assert!(!html.contains(markup), "{markup} of {quote}");
            }
        }
    }
}

#[tokio::test]
async fn the_first_line_break_of_a_quote_is_kept_in_the_form() {
    let app = App::deployed().await;
    let user = app.user();
    app.send(Event::put_quote("a\n\nb").bearer(&user.token))
        .await;
    let page = app.send(Event::page("/").signed_in(&user)).await;
    assert!(page.page(200).contains("a\n\nb"));
}

#[tokio::test]
async fn only_scripts_and_styles_with_the_nonce_of_this_answer_run() {
    for app in App::both().await {
        let user = app.user();
        let mut nonces = Vec::new();
        for _ in 0..2 {
            let page = app.send(Event::page("/").signed_in(&user)).await;
            let policy = page.header("content-security-policy").unwrap();
            let (_, nonce) = policy.split_once("'nonce-").unwrap();
            let (nonce, _) = nonce.split_once('\'').unwrap();
            assert!(nonce.len() >= 22, "128 bits: {nonce}");
            for element in ["<script", "<style"] {
                for (at, _) in page.page(200).match_indices(element) {
                    let (tag, _) = page.body[at..].split_once('>').unwrap();
                    assert!(tag.contains(&format!("nonce=\"{nonce}\"")), "{tag}");
                }
            }
            nonces.push(nonce.to_owned());
        }
        assert_ne!(nonces[0], nonces[1]);
    }
}

#[tokio::test]
async fn forms_may_lead_to_ourselves_the_frontend_api_and_the_portal() {
    let app = App::deployed().await;
    let page = app.send(Event::page("/").signed_in(&app.user())).await;
    let policy = page.header("content-security-policy").unwrap();
    let form_action = policy
        .split(';')
        .find_map(|directive| directive.trim().strip_prefix("form-action "))
        .unwrap();
    for source in [
        "'self'",
        "https://clerk.example.com",
        "https://accounts.example.com",
    ] {
        assert!(
            form_action.split(' ').any(|known| known == source),
            "{form_action}"
        );
    }
}

#[tokio::test]
async fn clerk_js_is_told_the_instance_and_comes_from_its_frontend_api() {
    let app = App::deployed().await;
    let page = app.send(Event::page("/").signed_in(&app.user())).await;
    let key = &app.variables()["CLERK_PUBLISHABLE_KEY"];
    assert!(
        page.page(200)
            .contains(&format!("data-clerk-publishable-key=\"{key}\""))
    );
    assert!(
        page.body
            .contains("https://clerk.example.com/npm/@clerk/clerk-js@6/")
    );

    let app = App::local().await;
    let page = app.send(Event::page("/").signed_in(&app.user())).await;
    assert!(
        page.page(200)
            .contains("http://localhost:9000/__clerk/npm/@clerk/clerk-js@6/")
    );
    assert!(
        page.body
            .contains("data-clerk-proxy-url=\"http://localhost:9000/__clerk\"")
    );
}

#[tokio::test]
async fn no_secret_is_in_the_page() {
    let app = App::deployed().await;
    let user = app.user();
    let page = app.send(Event::page("/").signed_in(&user)).await;
    assert!(!page.page(200).contains(&user.token));
    assert!(!page.body.contains("postgres"));
}

#[tokio::test]
async fn a_session_that_does_not_verify_is_explained_and_not_redirected() {
    for app in App::both().await {
        let user = app.user();
        let evil = serde_json::json!({ "azp": "https://evil.example" });
        let foreign = serde_json::json!({ "cat": "cl_B7d4PD222AAA" });
        for (reason, token) in [
            (
                "token-invalid-signature",
                Instance::impostor().token_with(
                    &user,
                    &serde_json::json!({
                        "iss": format!("https://{}", app.instance.host), "azp": app.instance.origin,
                    }),
                ),
            ),
            (
                "token-invalid-authorized-parties",
                app.instance.token_with(&user, &evil),
            ),
            (
                "token-type-mismatch",
                app.instance.token_with_header(&user, &foreign),
            ),
            ("token-invalid", "garbage".to_owned()),
        ] {
            let answer = app.send(Event::page("/").session(&token)).await;
            assert_eq!(answer.header("location"), None, "{answer:?}");
            assert!(
                answer.page(401).contains(reason),
                "{reason}: {}",
                answer.body
            );
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_explained_and_not_redirected_for_ever() {
    let app = App::local().await;
    let user = app.user();
    let early = serde_json::json!({ "nbf": tests::clerk::now() + 3600 });
    let early = app.instance.token_with(&user, &early);
    let page = Event::page("/")
        .session(&early)
        .cookie("__clerk_redirect_count", "3");
    let answer = app.send(page).await;
    assert_eq!(answer.header("location"), None, "{answer:?}");
    assert!(answer.page(401).contains("clock"), "{}", answer.body);
}

#[tokio::test]
async fn the_host_header_decides_nothing() {
    let hostile = |event: Event| {
        event
            .header("host", "evil.example")
            .header("x-forwarded-host", "evil.example")
            .header("x-forwarded-proto", "http")
            .header("forwarded", "host=evil.example")
    };
    for app in App::both().await {
        let expired = app.instance.expired_token(&app.user());
        for event in [Event::page("/"), Event::page("/").session(&expired)] {
            let answer = app.send(hostile(event)).await;
            assert_eq!(answer.status, 307);
            assert!(!answer.location().contains("evil"), "{answer:?}");
        }
        let page = app
            .send(hostile(Event::page("/").signed_in(&app.user())))
            .await;
        assert!(!page.page(200).contains("evil"));
    }
}

#[tokio::test]
async fn without_a_public_origin_the_user_comes_back_to_the_apis_own_domain() {
    let app = App::deployed().await.without("PUBLIC_ORIGIN");
    let answer = app.send(Event::page("/")).await;
    let back = answer.location_parameter("redirect_url").unwrap();
    let mark = "https://quotes.example.com/?__clerk_redirects=1.";
    assert!(back.starts_with(mark), "{back}");
}

#[tokio::test]
async fn a_path_in_a_404_is_not_repeated_as_markup() {
    let app = App::deployed().await;
    let answer = app
        .send(Event::page(
            "/%3Cscript%3Ealert(1)%3C/script%3E?<script>alert(2)",
        ))
        .await;
    assert!(answer.status >= 400 && answer.status < 500, "{answer:?}");
    assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
}

#[tokio::test]
async fn an_impersonation_is_shown() {
    for app in App::both().await {
        let user = app.user();
        let own = app.send(Event::page("/").signed_in(&user)).await;
        assert!(!own.page(200).contains("You are acting"));
        let actor = serde_json::json!({ "act": { "sub": "user_support" } });
        let token = app.instance.token_with(&user, &actor);
        let page = app.send(Event::page("/").session(&token)).await;
        let words = format!("You are acting as {}.", user.id);
        assert!(page.page(200).contains(&words), "{}", page.body);
    }
}
