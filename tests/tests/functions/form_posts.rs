//! Forms, as a browser without JavaScript sends them.

use tests::{App, Event, Response};

#[track_caller]
fn assert_back_to_the_page(answer: &Response) {
    assert_eq!((answer.status, answer.location()), (303, "/"), "{answer:?}");
    assert_eq!(answer.body, "");
}

#[tokio::test]
async fn a_form_saves_and_leads_back_to_the_page() {
    for app in App::both().await {
        let user = app.user();
        let saved = app
            .send(Event::post_quote("Ünd & = + %").signed_in(&user))
            .await;
        assert_back_to_the_page(&saved);
        assert!(saved.cookies.is_empty(), "{saved:?}");
        let found = app.send(Event::get_quote().signed_in(&user)).await;
        assert_eq!(found.json()["message"], "Ünd & = + %");
    }
}

#[tokio::test]
async fn a_form_deletes_and_leads_back_to_the_page() {
    for app in App::both().await {
        let user = app.user();
        app.send(Event::post_quote("gone").signed_in(&user)).await;
        for _ in 0..2 {
            let deleted = app.send(Event::post_delete().signed_in(&user)).await;
            assert_back_to_the_page(&deleted);
            assert!(deleted.cookies.is_empty(), "{deleted:?}");
        }
        app.send(Event::get_quote().signed_in(&user))
            .await
            .problem(404);
    }
}

#[tokio::test]
async fn the_message_is_found_among_other_fields() {
    let app = App::deployed().await;
    let user = app.user();
    let post = Event::post_quote("").form("messages=a&x&message=b&message=c&y=");
    assert_back_to_the_page(&app.send(post.signed_in(&user)).await);
    let found = app.send(Event::get_quote().signed_in(&user)).await;
    assert_eq!(found.json()["message"], "b");
}

#[tokio::test]
async fn the_line_breaks_of_a_form_count_as_one_character() {
    let app = App::deployed().await;
    let user = app.user();
    let lines = "ab\r\n".repeat(166) + "ab";
    let post = Event::post_quote(&lines).signed_in(&user);
    assert!(app.send(post).await.cookies.is_empty());
    let found = app.send(Event::get_quote().signed_in(&user)).await;
    assert_eq!(found.json()["message"], lines.replace("\r\n", "\n"));
}

#[tokio::test]
async fn a_form_may_say_its_character_set() {
    let app = App::deployed().await;
    let user = app.user();
    let content_type = "application/x-www-form-urlencoded; charset=UTF-8";
    let post = Event::post_quote("quote").header("content-type", content_type);
    let saved = app.send(post.signed_in(&user)).await;
    assert!(saved.cookies.is_empty(), "{saved:?}");
    let found = app.send(Event::get_quote().signed_in(&user)).await;
    assert_eq!(found.status, 200);
}

#[tokio::test]
async fn a_form_that_could_not_be_saved_leads_back_too() {
    for app in App::both().await {
        let user = app.user();
        app.send(Event::post_quote("kept").signed_in(&user)).await;
        for event in [
            Event::post_quote(""),
            Event::post_quote(&"a".repeat(501)),
            Event::post_quote("a\0b"),
            Event::post_quote("a\u{1b}b"),
            Event::post_quote(&"x".repeat(4_000_000)),
            Event::post_quote("").form(""),
            Event::post_quote("").form("other=1"),
            Event::post_quote("").form("message=%FF"),
            Event::post_quote("").form("message=%"),
            Event::post_quote("").form("message=%F0%9F"),
        ] {
            let answer = app.send(event.signed_in(&user)).await;
            assert_back_to_the_page(&answer);
        }
        let found = app.send(Event::get_quote().signed_in(&user)).await;
        assert!(["kept", "%"].contains(&found.json()["message"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn a_form_of_nobody_leads_back_and_saves_nothing() {
    for app in App::both().await {
        let user = app.user();
        let expired = app.instance.expired_token(&user);
        for event in [
            Event::post_quote("lost"),
            Event::post_quote("lost").session(&expired),
            Event::post_quote("lost").session("garbage"),
            Event::post_delete(),
            Event::post_delete().session(&expired),
        ] {
            let answer = app.send(event).await;
            assert_back_to_the_page(&answer);
            assert_eq!(answer.cookies.len(), 1, "{answer:?}");
        }
        app.send(Event::get_quote().signed_in(&user))
            .await
            .problem(404);
    }
}

#[tokio::test]
async fn a_form_with_a_bearer_token_needs_no_page_of_ours() {
    let app = App::deployed().await;
    let user = app.user();
    let post = Event::post_quote("quote").without("sec-fetch-site");
    assert_back_to_the_page(&app.send(post.bearer(&user.token)).await);
    let found = app.send(Event::get_quote().bearer(&user.token)).await;
    assert_eq!(found.json()["message"], "quote");
}
