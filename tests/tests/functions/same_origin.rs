//! Changes by cookie come from our own pages.

use tests::{App, Event};

/// The headers of browsers for requests that another site's page sent.
fn foreign() -> Vec<Vec<(&'static str, &'static str)>> {
    vec![
        vec![],
        vec![("origin", "null")],
        vec![("origin", "")],
        vec![("origin", "https://evil.example")],
        vec![("origin", "https://quotes.example.com.evil.example")],
        vec![("origin", "http://quotes.example.com")],
        vec![("origin", "https://quotes.example.com:8443")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![("sec-fetch-site", "none")],
        vec![("sec-fetch-site", "")],
        vec![
            ("sec-fetch-site", "same-site"),
            ("origin", "https://quotes.example.com"),
        ],
        vec![
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://quotes.example.com"),
        ],
        vec![("referer", "https://quotes.example.com/")],
    ]
}

fn sent_with(event: Event, headers: &[(&str, &str)]) -> Event {
    let event = event.without("sec-fetch-site").without("origin");
    headers
        .iter()
        .fold(event, |event, (name, value)| event.header(name, value))
}

#[tokio::test]
async fn a_change_that_another_site_sent_is_refused() {
    let app = App::deployed().await;
    let user = app.user();
    app.send(Event::put_quote("kept").bearer(&user.token)).await;
    for headers in foreign() {
        for event in [
            Event::post_quote("lost"),
            Event::post_delete(),
            Event::put_quote("lost"),
            Event::delete_quote(),
        ] {
            let answer = app.send(sent_with(event, &headers).signed_in(&user)).await;
            answer.problem(403);
            assert!(answer.cookies.is_empty(), "{answer:?}");
        }
    }
    let found = app.send(Event::get_quote().bearer(&user.token)).await;
    assert_eq!(found.json()["message"], "kept");
}

#[tokio::test]
async fn a_form_that_another_site_sent_is_refused_whoever_is_signed_in() {
    let app = App::deployed().await;
    let expired = app.instance.expired_token(&app.user());
    for headers in foreign() {
        for event in [
            Event::post_quote("lost").cookie("a", "b"),
            Event::post_quote("lost").session(&expired),
            Event::post_delete().cookie("a", "b"),
        ] {
            let answer = app.send(sent_with(event, &headers)).await;
            answer.problem(403);
            assert!(answer.cookies.is_empty(), "{answer:?}");
        }
    }
    // A program without a token is told to sign in.
    let post = sent_with(Event::post_quote("lost"), &[]);
    app.send(post).await.problem(401);
}

#[tokio::test]
async fn a_form_by_another_name_does_not_get_past() {
    let app = App::deployed().await;
    let user = app.user();
    for content_type in [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/json",
    ] {
        let post = Event::post_quote("lost")
            .header("content-type", content_type)
            .header("sec-fetch-site", "cross-site");
        app.send(post.signed_in(&user)).await.problem(403);
    }
    app.send(Event::get_quote().bearer(&user.token))
        .await
        .problem(404);
}

#[tokio::test]
async fn our_own_origin_is_enough_where_a_browser_does_not_say_the_site() {
    for app in App::both().await {
        let user = app.user();
        let headers = [("origin", app.instance.origin)];
        let post = sent_with(Event::post_quote("of ours"), &headers);
        assert_eq!(app.send(post.signed_in(&user)).await.status, 303);
        let put = sent_with(Event::put_quote("of ours"), &headers);
        assert_eq!(app.send(put.signed_in(&user)).await.status, 200);
    }
}

#[tokio::test]
async fn a_bearer_token_is_proof_enough() {
    let app = App::deployed().await;
    let user = app.user();
    for headers in foreign() {
        let put = sent_with(Event::put_quote("mine"), &headers);
        let saved = app.send(put.bearer(&user.token)).await;
        assert!(matches!(saved.status, 200 | 201), "{headers:?}: {saved:?}");
    }
}

#[tokio::test]
async fn reading_is_not_a_change() {
    let app = App::deployed().await;
    let user = app.user();
    app.send(Event::put_quote("mine").bearer(&user.token)).await;
    for headers in foreign() {
        let get = sent_with(Event::get_quote(), &headers).signed_in(&user);
        assert_eq!(app.send(get).await.status, 200, "{headers:?}");
    }
}
