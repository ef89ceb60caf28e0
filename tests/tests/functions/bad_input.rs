//! Input that is refused: each kind gets its own error, and no quote changes.

use serde_json::{Map, Value, json};
use tests::runtime_api::Outcome;
use tests::{App, Event, Function, Response, User};

use crate::resilience::put;

/// Creates a user with a quote that the bad input must not change.
async fn create_user_with_quote(app: &App) -> User {
    let user = app.user();
    let saved = app.send(Event::put_quote("kept").bearer(&user.token)).await;
    assert_eq!(saved.status, 201);
    user
}

async fn assert_kept(app: &App, user: &User) {
    let found = app.send(Event::get_quote().bearer(&user.token)).await;
    assert_eq!(found.json()["message"], "kept");
}

#[tokio::test]
async fn an_empty_or_blank_message_is_refused() {
    let app = App::deployed().await;
    let user = create_user_with_quote(&app).await;
    for message in ["", " ", "\n\r\n\t", "\u{a0}\u{2003}\u{3000}"] {
        put(&app, &user, message).await.problem(422);
    }
    assert_kept(&app, &user).await;
}

#[tokio::test]
async fn five_hundred_characters_are_a_message_and_one_more_is_not() {
    let app = App::deployed().await;
    let user = app.user();
    for character in ["a", "ü", "日", "😀"] {
        let longest = character.repeat(500);
        let saved = put(&app, &user, &longest).await;
        assert_eq!(saved.json()["message"], longest);
        put(&app, &user, &character.repeat(501)).await.problem(422);
        let found = app.send(Event::get_quote().bearer(&user.token)).await;
        assert_eq!(found.json()["message"], longest);
    }
}

#[tokio::test]
async fn blanks_around_a_message_do_not_count() {
    let app = App::deployed().await;
    let padded = format!("   {}\n\n", "a".repeat(500));
    assert_eq!(put(&app, &app.user(), &padded).await.status, 201);
}

#[tokio::test]
async fn every_character_of_a_message_may_be_escaped() {
    let app = App::deployed().await;
    let user = app.user();
    let body = format!(r#"{{"message":"{}"}}"#, r"\ud83d\ude00".repeat(500));
    let event = Event::new("PUT", "/api/quote").body("application/json", body.as_bytes());
    let saved = app.send(event.bearer(&user.token)).await;
    assert_eq!(saved.json()["message"], "😀".repeat(500));
}

#[tokio::test]
async fn six_megabytes_are_too_large() {
    for app in App::both().await {
        let user = create_user_with_quote(&app).await;
        // Lambda takes events of 6 MB, the envelope included.
        put(&app, &user, &"x".repeat(5_900_000)).await.problem(413);
        assert_kept(&app, &user).await;
    }
}

#[tokio::test]
async fn control_characters_are_refused() {
    let app = App::deployed().await;
    let user = create_user_with_quote(&app).await;
    for character in ['\0', '\u{7}', '\u{1b}', '\u{7f}', '\u{80}', '\u{9b}'] {
        put(&app, &user, &format!("a{character}b"))
            .await
            .problem(422);
    }
    assert_kept(&app, &user).await;
}

#[tokio::test]
async fn a_body_that_is_not_utf_8_is_unreadable() {
    let app = App::deployed().await;
    let user = create_user_with_quote(&app).await;
    for body in [
        &b"{\"message\":\"\xff\"}"[..],
        b"{\"message\":\"\xed\xa0\x80\"}",
        b"\xff\xfe",
    ] {
        let event = Event::new("PUT", "/api/quote").body("application/json", body);
        app.send(event.bearer(&user.token)).await.problem(400);
    }
    assert_kept(&app, &user).await;
}

#[tokio::test]
async fn json_of_another_shape_is_unreadable() {
    for app in App::both().await {
        let user = create_user_with_quote(&app).await;
        for body in [
            "",
            "{",
            "null",
            "[]",
            r#""lost""#,
            "{}",
            r#"{"message":null}"#,
            r#"{"message":1}"#,
            r#"{"message":["lost"]}"#,
            r#"{"message":{"message":"lost"}}"#,
            r#"{"Message":"lost"}"#,
            r#"{"message":"lost"} trailing"#,
            r#"{"message":"lost","message":"lost"}"#,
            r#"{"message":"\ud800"}"#,
            "message=lost",
        ] {
            let event = Event::new("PUT", "/api/quote").body("application/json", body.as_bytes());
            app.send(event.bearer(&user.token)).await.problem(400);
        }
        assert_kept(&app, &user).await;
    }
}

#[tokio::test]
async fn a_list_of_one_text_is_not_a_message() {
    let app = App::deployed().await;
    let user = create_user_with_quote(&app).await;
    let event = Event::new("PUT", "/api/quote").json(&json!(["lost"]));
    app.send(event.bearer(&user.token)).await.problem(400);
    assert_kept(&app, &user).await;
}

#[tokio::test]
async fn deeply_nested_json_is_unreadable() {
    let app = App::deployed().await;
    let user = app.user();
    let body = "[".repeat(50_000);
    let event = Event::new("PUT", "/api/quote").body("application/json", body.as_bytes());
    app.send(event.bearer(&user.token)).await.problem(400);
}

#[tokio::test]
async fn a_put_without_a_body_is_unreadable() {
    let app = App::deployed().await;
    let event = Event::new("PUT", "/api/quote").header("content-type", "application/json");
    app.send(event.bearer(&app.user().token)).await.problem(400);
}

#[tokio::test]
async fn a_put_of_another_type_is_unsupported() {
    for app in App::both().await {
        let user = create_user_with_quote(&app).await;
        for content_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "json",
            "",
        ] {
            let event = Event::put_quote("lost").header("content-type", content_type);
            app.send(event.bearer(&user.token)).await.problem(415);
        }
        let event = Event::put_quote("lost").without("content-type");
        app.send(event.bearer(&user.token)).await.problem(415);
        assert_kept(&app, &user).await;
    }
}

#[tokio::test]
async fn a_post_that_is_no_form_is_unsupported() {
    for app in App::both().await {
        let user = create_user_with_quote(&app).await;
        for content_type in [
            "application/json",
            "multipart/form-data; boundary=x",
            "text/plain",
        ] {
            let event = Event::post_quote("lost").header("content-type", content_type);
            app.send(event.bearer(&user.token)).await.problem(415);
        }
        assert_kept(&app, &user).await;
    }
}

/// Hands an event to each function with these members in place of its own:
/// each is unreadable, and the function goes on.
async fn assert_unreadable(oddities: &[Value]) {
    for app in App::both().await {
        let user = create_user_with_quote(&app).await;
        for (function, event) in [
            (Function::GET_QUOTE, Event::get_quote()),
            (Function::SAVE_QUOTE, Event::put_quote("lost")),
            (Function::DELETE_QUOTE, Event::delete_quote()),
            (Function::RENDER_PAGE, Event::page("/")),
        ] {
            for oddity in oddities {
                let mut payload = app.payload(&event.clone().bearer(&user.token));
                let members = oddity.as_object().unwrap().clone();
                payload.as_object_mut().unwrap().extend(members);
                let answer = app.invoke(function, payload, &[]).await;
                assert_eq!(answer.status, 400, "{}: {oddity}", function.name());
                if function == Function::RENDER_PAGE {
                    answer.page(400);
                } else {
                    answer.problem(400);
                }
            }
        }
        assert_kept(&app, &user).await;
    }
}

#[tokio::test]
async fn a_body_that_is_not_the_base64_it_is_said_to_be_is_unreadable() {
    let bodies = ["%%%", "eyJtZXNzYWdlIjoibG9zdCJ9=", "YQ", "a b="];
    assert_unreadable(&bodies.map(|body| json!({ "body": body, "isBase64Encoded": true }))).await;
}

#[tokio::test]
async fn a_path_with_a_control_character_is_unreadable() {
    let paths = ["/\n", "/\0", "/a\u{7f}"];
    assert_unreadable(&paths.map(|path| json!({ "rawPath": path }))).await;
}

#[tokio::test]
async fn nothing_is_at_a_path_that_was_decoded() {
    for app in App::both().await {
        let user = app.user();
        for path in ["/ ", "/a b", "/<", "/ä", "/a\"b"] {
            let event = Event::page(path).signed_in(&user);
            app.send(event).await.page(404);
        }
    }
}

#[tokio::test]
async fn an_event_that_is_no_json_is_unreadable() {
    let app = App::deployed().await;
    let deep = format!(r#"{{"a":{}"#, "[".repeat(10_000));
    for function in Function::all() {
        let environment = app.environment(function).await;
        for event in [
            &b""[..],
            b"{",
            b"\xff",
            b"{\"body\":\"\xed\xa0\x80\"}",
            br#"{"body":"\ud800"}"#,
            br#"{"a":1e999}"#,
            deep.as_bytes(),
        ] {
            let outcome = environment.invoke_bytes(event.to_vec().into(), &[]).await;
            let Outcome::Response(answer) = outcome else {
                panic!("{outcome:?}");
            };
            assert_eq!(Response::read(&answer).status, 400);
        }
        let log = environment.log();
        assert!(!log.contains("ERROR"), "{log}");
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_read_is_unreadable() {
    let headers = [
        ("x-name", "a\u{1}b"),
        ("referer", "\n"),
        ("a b", "c"),
        ("", "c"),
    ];
    assert_unreadable(&headers.map(|(name, value)| json!({ "headers": { name: value } }))).await;
}

#[tokio::test]
async fn more_headers_than_fit_are_unreadable() {
    let names = (0..24_571).map(|number| format!("x-{number}"));
    let most: Map<_, _> = names.map(|name| (name, "".into())).collect();
    let mut too_many = most.clone();
    too_many.extend((0..9_000).map(|number| (format!("y-{number}"), "".into())));
    assert_unreadable(&[json!({ "headers": too_many })]).await;
    // These few fit; the process ended because of them.
    let app = App::deployed().await;
    let payload = json!({ "headers": most, "rawPath": "/api/quote", "requestContext": {
        "domainName": "quotes.example.com", "http": { "method": "GET" },
    } });
    app.invoke(Function::GET_QUOTE, payload, &[])
        .await
        .problem(401);
}

#[tokio::test]
async fn a_control_character_costs_only_its_own_cookie() {
    let app = App::deployed().await;
    let user = create_user_with_quote(&app).await;
    let get = Event::get_quote().cookie("name", "\u{1}").signed_in(&user);
    assert_eq!(app.send(get).await.status, 200);
}

#[tokio::test]
async fn a_path_that_would_become_another_host_is_refused() {
    let paths = [
        "//evil.example",
        "//evil.example/api/quote",
        "/\\evil.example",
        "@evil.example/",
        ".evil.example",
        "",
    ];
    assert_unreadable(&paths.map(|path| json!({ "rawPath": path }))).await;
}

#[tokio::test]
async fn a_path_cannot_bring_a_query_or_a_fragment_of_its_own() {
    let paths = ["/?a", "/#a"];
    assert_unreadable(&paths.map(|path| json!({ "rawPath": path }))).await;
}

#[tokio::test]
async fn a_header_in_any_script_does_no_harm() {
    for app in App::both().await {
        let user = create_user_with_quote(&app).await;
        for event in [
            Event::get_quote().header("x-name", "Zoë 日本"),
            Event::get_quote().header("referer", "https://exämple.org/ö"),
            Event::get_quote().cookie("name", "Zoë"),
            Event::page("/nothing").cookie("name", "Zoë"),
        ] {
            let answer = app.send(event.clone().bearer(&user.token)).await;
            assert!(answer.status < 500, "{event:?}: {answer:?}");
        }
        assert_kept(&app, &user).await;
    }
}

#[tokio::test]
async fn a_session_is_found_among_cookies_in_any_script() {
    for app in App::both().await {
        let user = create_user_with_quote(&app).await;
        let get = Event::get_quote().cookie("name", "Zoë").signed_in(&user);
        assert_eq!(app.send(get).await.status, 200);
    }
}

#[tokio::test]
async fn an_event_with_nulls_is_read_as_one_without() {
    let app = App::deployed().await;
    let user = create_user_with_quote(&app).await;
    let mut payload = app.payload(&Event::get_quote().bearer(&user.token));
    for member in ["cookies", "body", "queryStringParameters", "pathParameters"] {
        payload[member] = json!(null);
    }
    let found = app.invoke(Function::GET_QUOTE, payload, &[]).await;
    assert_eq!(found.json()["message"], "kept");
}
