//! The headers of responses.

use tests::{App, Event, Response};

/// One request for each way in which the functions answer, and its status.
fn one_of_each(app: &App) -> Vec<(u16, Event)> {
    let user = app.user();
    let token = &user.token;
    vec![
        (201, Event::put_quote("first").bearer(token)),
        (200, Event::put_quote("second").bearer(token)),
        (200, Event::get_quote().bearer(token)),
        (200, Event::page("/").signed_in(&user)),
        (204, Event::delete_quote().bearer(token)),
        (303, Event::post_quote("third").signed_in(&user)),
        (303, Event::post_delete().signed_in(&user)),
        (307, Event::page("/")),
        (
            400,
            Event::new("PUT", "/api/quote")
                .bearer(token)
                .body("application/json", b"{"),
        ),
        (401, Event::get_quote()),
        (401, Event::page("/").session("garbage")),
        (
            403,
            Event::post_quote("x")
                .signed_in(&user)
                .without("sec-fetch-site"),
        ),
        (404, Event::get_quote().bearer(token)),
        (404, Event::page("/nothing")),
        (405, Event::new("POST", "/")),
        (413, Event::put_quote(&"x".repeat(1_000_000)).bearer(token)),
        (
            415,
            Event::put_quote("x")
                .header("content-type", "text/plain")
                .bearer(token),
        ),
        (422, Event::put_quote("").bearer(token)),
    ]
}

#[tokio::test]
async fn every_answer_is_private_and_hardened() {
    for app in App::both().await {
        for (status, event) in one_of_each(&app) {
            let answer = app.send(event.clone()).await;
            assert_eq!(answer.status, status, "{event:?}: {answer:?}");
            assert_hardened(&answer);
        }
    }
}

fn assert_hardened(answer: &Response) {
    let exact = [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
    ];
    for (name, value) in exact {
        assert_eq!(answer.header(name), Some(value), "{answer:?}");
    }
    let caching = answer.header("cache-control").unwrap();
    assert!(caching.contains("no-store"), "{answer:?}");
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'"), "{answer:?}");
    assert!(policy.contains("base-uri 'none'"), "{answer:?}");
    assert!(!policy.contains("unsafe"), "{answer:?}");
}

#[tokio::test]
async fn what_depends_on_who_asks_says_so() {
    for app in App::both().await {
        let user = app.user();
        for event in [
            Event::get_quote().bearer(&user.token),
            Event::get_quote(),
            Event::page("/").signed_in(&user),
        ] {
            let answer = app.send(event).await;
            assert_eq!(answer.header("cache-control"), Some("private, no-store"));
            let vary = answer.header("vary").unwrap().to_lowercase();
            assert!(
                vary.contains("cookie") && vary.contains("authorization"),
                "{vary}"
            );
        }
    }
}

#[tokio::test]
async fn https_is_made_to_stick_only_where_there_is_https() {
    for app in App::both().await {
        let policies: Vec<_> = [
            app.send(Event::get_quote()).await,
            app.send(Event::page("/nothing")).await,
        ]
        .iter()
        .map(|answer| {
            answer
                .header("strict-transport-security")
                .map(str::to_owned)
        })
        .collect();
        for policy in policies {
            match policy {
                Some(policy) => {
                    assert!(app.instance.origin.starts_with("https://"));
                    assert!(policy.starts_with("max-age="), "{policy}");
                    assert!(!policy.contains("includeSubDomains"), "{policy}");
                }
                None => assert!(app.instance.origin.starts_with("http://")),
            }
        }
    }
}

#[tokio::test]
async fn a_refused_request_is_challenged_for_a_bearer_token() {
    for app in App::both().await {
        let nothing = app.send(Event::get_quote()).await;
        nothing.problem(401);
        assert_eq!(nothing.header("www-authenticate"), Some("Bearer"));

        let garbage = app.send(Event::get_quote().bearer("garbage")).await;
        garbage.problem(401);
        let challenge = garbage.header("www-authenticate");
        assert_eq!(challenge, Some(r#"Bearer error="invalid_token""#));
    }
}

#[tokio::test]
async fn clerks_debug_headers_tell_the_reason_and_only_when_signed_out() {
    let app = App::deployed().await;
    let user = app.user();
    let refused = app.send(Event::get_quote().bearer("garbage")).await;
    assert_eq!(refused.header("x-clerk-auth-status"), Some("signed-out"));
    assert_eq!(refused.header("x-clerk-auth-reason"), Some("token-invalid"));
    assert_eq!(refused.header("x-clerk-auth-message"), None);
    let found = app.send(Event::get_quote().bearer(&user.token)).await;
    assert_eq!(found.header("x-clerk-auth-status"), None);
}

#[tokio::test]
async fn nobody_elses_page_may_read_an_answer() {
    let app = App::deployed().await;
    let user = app.user();
    let get = Event::get_quote()
        .bearer(&user.token)
        .header("origin", "https://evil.example");
    assert_eq!(
        app.send(get).await.header("access-control-allow-origin"),
        None
    );
}
