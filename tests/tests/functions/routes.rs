//! The routes and what they answer.

use serde_json::json;
use tests::{App, Event, unique};

#[tokio::test]
async fn a_quote_is_saved_found_replaced_and_deleted() {
    for app in App::both().await {
        let user = app.user();
        let [first, second] = [unique(), unique()];
        let get = || app.send(Event::get_quote().bearer(&user.token));
        let put = |text: &str| app.send(Event::put_quote(text).bearer(&user.token));

        get().await.problem(404);

        let created = put(&first).await;
        assert_eq!(created.status, 201);
        assert_eq!(created.json()["message"], first);

        let replaced = put(&second).await;
        assert_eq!(replaced.status, 200);
        assert_eq!(replaced.json()["message"], second);

        let found = get().await;
        assert_eq!(found.status, 200);
        assert_eq!(found.json(), replaced.json());

        for _ in 0..2 {
            let deleted = app.send(Event::delete_quote().bearer(&user.token)).await;
            assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
        }
        get().await.problem(404);
    }
}

#[tokio::test]
async fn a_quote_has_a_message_and_a_time_and_nothing_else() {
    let app = App::deployed().await;
    let user = app.user();
    let saved = app
        .send(Event::put_quote("quote").bearer(&user.token))
        .await;
    let quote = saved.json();
    let members: Vec<_> = quote.as_object().unwrap().keys().collect();
    assert_eq!(members, ["message", "savedAt"]);
}

#[tokio::test]
async fn a_session_cookie_is_as_good_as_a_bearer_token() {
    for app in App::both().await {
        let user = app.user();
        let put = Event::put_quote("by cookie").signed_in(&user).same_origin();
        assert_eq!(app.send(put).await.status, 201);
        let found = app.send(Event::get_quote().signed_in(&user)).await;
        assert_eq!(found.json()["message"], "by cookie");
        let delete = Event::delete_quote().signed_in(&user).same_origin();
        assert_eq!(app.send(delete).await.status, 204);
    }
}

#[tokio::test]
async fn a_body_is_read_as_text_and_as_base64() {
    for app in App::both().await {
        let user = app.user();
        for event in [
            Event::put_quote("Überall"),
            Event::put_quote("Überall").base64(),
        ] {
            let saved = app.send(event.bearer(&user.token)).await;
            assert_eq!(saved.json()["message"], "Überall");
        }
    }
}

#[tokio::test]
async fn a_content_type_may_have_parameters_and_capital_letters() {
    let app = App::deployed().await;
    let user = app.user();
    for content_type in ["application/json; charset=utf-8", "Application/JSON"] {
        let put = Event::put_quote("quote").header("content-type", content_type);
        let saved = app.send(put.bearer(&user.token)).await;
        assert!(
            matches!(saved.status, 200 | 201),
            "{content_type}: {saved:?}"
        );
    }
}

#[tokio::test]
async fn a_message_is_trimmed_and_keeps_its_line_breaks() {
    let app = App::deployed().await;
    let user = app.user();
    let put = Event::put_quote(" \n\u{a0}one\ntwo\r\n\nthree \u{3000}\n");
    let saved = app.send(put.bearer(&user.token)).await;
    let message = saved.json()["message"].as_str().unwrap().to_owned();
    assert_eq!(message.replace("\r\n", "\n"), "one\ntwo\n\nthree");
}

#[tokio::test]
async fn a_message_of_any_script_comes_back_as_it_was() {
    let app = App::deployed().await;
    let user = app.user();
    for text in [
        "Ελλάδα",
        "שלום",
        "日本語",
        "👩‍👩‍👧‍👦",
        "e\u{301}",
        "a\\n\"b'; DROP TABLE x--",
    ] {
        app.send(Event::put_quote(text).bearer(&user.token)).await;
        let found = app.send(Event::get_quote().bearer(&user.token)).await;
        assert_eq!(found.json()["message"], text);
    }
}

#[tokio::test]
async fn saving_the_same_text_again_keeps_its_time() {
    let app = App::deployed().await;
    let user = app.user();
    let put = |text: &'static str| app.send(Event::put_quote(text).bearer(&user.token));
    let saved_at = put("first").await.json()["savedAt"].clone();
    assert_eq!(put("first").await.json()["savedAt"], saved_at);
    assert_eq!(put(" first ").await.json()["savedAt"], saved_at);
    assert_ne!(put("second").await.json()["savedAt"], saved_at);
}

#[tokio::test]
async fn one_user_sees_and_changes_nothing_of_another() {
    let app = App::deployed().await;
    let [ada, bob] = [app.user(), app.user()];
    app.send(Event::put_quote("of Ada").bearer(&ada.token))
        .await;

    app.send(Event::get_quote().bearer(&bob.token))
        .await
        .problem(404);
    app.send(Event::delete_quote().bearer(&bob.token)).await;
    let bobs = app
        .send(Event::put_quote("of Bob").bearer(&bob.token))
        .await;
    assert_eq!(bobs.status, 201);

    let adas = app.send(Event::get_quote().bearer(&ada.token)).await;
    assert_eq!(adas.json()["message"], "of Ada");
    let page = app.send(Event::page("/").signed_in(&ada)).await;
    assert!(page.page(200).contains("of Ada"));
    assert!(!page.page(200).contains("of Bob"));
}

#[tokio::test]
async fn an_unknown_path_is_a_page_with_404() {
    for app in App::both().await {
        for path in ["/nothing", "/index.html", "/api", "/a/b%20c", "/../"] {
            app.send(Event::page(path)).await.page(404);
        }
    }
}

#[tokio::test]
async fn browsers_and_search_engines_get_small_files_that_caches_keep() {
    for app in App::both().await {
        for (path, media_type, begins) in [
            ("/favicon.ico", "image/png", "\u{fffd}PNG\r\n"),
            ("/robots.txt", "text/plain; charset=utf-8", "User-agent: *"),
        ] {
            let file = app.send(Event::new("GET", path)).await;
            assert_eq!(file.status, 200);
            assert_eq!(file.header("content-type"), Some(media_type));
            assert_eq!(file.header("cache-control"), Some("public, max-age=86400"));
            assert_eq!(file.header("vary"), None);
            assert!(file.body.starts_with(begins) && file.body.len() < 2_000);
            app.send(Event::new("POST", path)).await.page(404);
        }
    }
}

#[tokio::test]
async fn an_unknown_path_of_the_api_is_a_problem_with_404() {
    for app in App::both().await {
        for path in ["/api/nothing", "/api/quote/", "/api/quotes"] {
            app.send(Event::new("GET", path)).await.problem(404);
        }
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_gets_405_and_those_it_has() {
    for app in App::both().await {
        for (method, path, allowed) in [
            ("POST", "/", "GET, HEAD"),
            ("DELETE", "/", "GET, HEAD"),
            ("PROPFIND", "/", "GET, HEAD"),
            ("PATCH", "/api/quote", "DELETE, GET, HEAD, POST, PUT"),
            ("OPTIONS", "/api/quote", "DELETE, GET, HEAD, POST, PUT"),
            ("GET", "/api/quote/delete", "POST"),
            ("HEAD", "/api/quote/delete", "POST"),
            ("DELETE", "/api/quote/delete", "POST"),
        ] {
            let answer = app.send(Event::new(method, path)).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            let mut allow: Vec<_> = answer.header("allow").unwrap().split(", ").collect();
            allow.sort_unstable();
            assert_eq!(allow.join(", "), allowed, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    for app in App::both().await {
        let user = app.user();
        for event in [
            Event::page("/").signed_in(&user),
            Event::page("/nothing"),
            Event::get_quote().bearer(&user.token),
            Event::get_quote(),
        ] {
            let get = app.send(event.clone()).await;
            let head = app.send(event.with_method("HEAD")).await;
            assert_eq!(head.status, get.status, "{}", get.body);
            assert_eq!(head.header("content-type"), get.header("content-type"));
            assert_eq!(head.body, "");
        }
    }
}

#[tokio::test]
async fn a_problem_says_what_is_wrong_in_words() {
    let app = App::deployed().await;
    let user = app.user();
    let put = Event::put_quote("").bearer(&user.token);
    let problem = app.send(put).await.problem(422);
    assert_eq!(problem["title"], "Unprocessable Entity");
    assert!(
        problem["detail"].as_str().unwrap().contains("empty"),
        "{problem}"
    );
    assert_eq!(problem.get("reason"), None);
    assert_eq!(problem["type"], json!("about:blank"));
}
