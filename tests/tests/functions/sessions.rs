//! Which session tokens are accepted.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde_json::{Value, json};
use tests::clerk::now;
use tests::{App, Event, Instance, User};

/// Every kind of token that must be refused, with Clerk's reason.
fn refused(instance: &Instance, user: &User) -> Vec<(&'static str, String)> {
    let claims = |claims: Value| instance.token_with(user, &claims);
    let header = |header: Value| instance.token_with_header(user, &header);
    let hour = 3600;
    vec![
        ("token-invalid", "garbage".to_owned()),
        ("token-invalid", "a.b.c".to_owned()),
        ("token-invalid", "..".to_owned()),
        ("token-invalid", "mt_0123456789abcdef".to_owned()),
        ("token-invalid-signature", Instance::impostor().user().token),
        ("token-invalid-signature", tampered(&user.token)),
        ("token-invalid-signature", header(json!({})) + "AA"),
        ("token-invalid-algorithm", unsigned(&user.token)),
        (
            "token-invalid-algorithm",
            signed_with_the_public_key(instance, &user.token),
        ),
        ("token-invalid-algorithm", header(json!({ "alg": null }))),
        ("token-invalid", header(json!({ "typ": "JOSE" }))),
        ("token-type-mismatch", header(json!({ "typ": "at+jwt" }))),
        (
            "token-type-mismatch",
            header(json!({ "cat": "cl_B7d4PD222AAA" })),
        ),
        (
            "token-type-mismatch",
            header(json!({ "cat": "cl_B7d4PD333AAA" })),
        ),
        ("token-type-mismatch", claims(json!({ "sub": "mch_2abc" }))),
        ("token-verification-failed", claims(json!({ "sub": "" }))),
        ("token-verification-failed", claims(json!({ "sub": null }))),
        ("token-verification-failed", claims(json!({ "exp": null }))),
        (
            "token-invalid-authorized-parties",
            claims(json!({ "azp": "https://evil.example" })),
        ),
        (
            "token-invalid-authorized-parties",
            claims(json!({ "azp": format!("{}/", instance.origin) })),
        ),
        (
            "token-invalid-issuer",
            claims(json!({ "iss": "https://clerk.evil.example" })),
        ),
        ("token-invalid-issuer", claims(json!({ "iss": null }))),
        ("session-token-nbf", claims(json!({ "nbf": now() + hour }))),
        (
            "session-token-iat-in-the-future",
            claims(json!({ "iat": now() + hour })),
        ),
        ("session-pending", claims(json!({ "sts": "pending" }))),
    ]
}

fn tampered(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let mut claims: Value = serde_json::from_slice(&decode(claims)).unwrap();
    claims["sub"] = "user_somebody_else".into();
    format!(
        "{header}.{}.{signature}",
        encode(claims.to_string().as_bytes())
    )
}

fn unsigned(token: &str) -> String {
    let header = encode(br#"{"alg":"none","typ":"JWT"}"#);
    format!("{header}.{}.", token.split('.').nth(1).unwrap())
}

/// Algorithm confusion: an HMAC whose secret is the public key.
fn signed_with_the_public_key(instance: &Instance, token: &str) -> String {
    let header = encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", token.split('.').nth(1).unwrap());
    let key = PKey::hmac(instance.stand_in().jwt_key().as_bytes()).unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    let signature = signer.sign_oneshot_to_vec(signed.as_bytes()).unwrap();
    format!("{signed}.{}", encode(&signature))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

#[tokio::test]
async fn a_bad_token_is_refused_with_clerks_reason() {
    for app in App::both().await {
        let user = app.user();
        for (reason, token) in refused(app.instance, &user) {
            let answer = app.send(Event::get_quote().bearer(&token)).await;
            assert_eq!(answer.problem(401)["reason"], reason, "{token}");
        }
    }
}

#[tokio::test]
async fn a_bad_token_changes_nothing() {
    let app = App::deployed().await;
    let user = app.user();
    app.send(Event::put_quote("kept").bearer(&user.token)).await;
    for (_, token) in refused(app.instance, &user) {
        app.send(Event::put_quote("lost").bearer(&token))
            .await
            .problem(401);
        app.send(Event::delete_quote().bearer(&token))
            .await
            .problem(401);
    }
    let found = app.send(Event::get_quote().bearer(&user.token)).await;
    assert_eq!(found.json()["message"], "kept");
}

#[tokio::test]
async fn a_bad_session_cookie_is_refused() {
    let app = App::deployed().await;
    let user = app.user();
    for (_, token) in refused(app.instance, &user) {
        app.send(Event::get_quote().session(&token))
            .await
            .problem(401);
        let put = Event::put_quote("lost").session(&token).same_origin();
        app.send(put).await.problem(401);
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_and_never_redirected() {
    for app in App::both().await {
        let token = app.instance.expired_token(&app.user());
        for event in [
            Event::page("/api/quote").bearer(&token),
            Event::page("/api/quote").session(&token),
        ] {
            let problem = app.send(event).await.problem(401);
            let reason = problem["reason"].as_str().unwrap();
            assert!(reason.starts_with("session-token-expired"), "{reason}");
        }
    }
}

#[tokio::test]
async fn clocks_may_differ_by_a_few_seconds_and_not_by_more() {
    let app = App::deployed().await;
    let user = app.user();
    for (seconds_ago, status) in [(2, 404), (7, 401)] {
        let token = app
            .instance
            .token_with(&user, &json!({ "exp": now() - seconds_ago }));
        let answer = app.send(Event::get_quote().bearer(&token)).await;
        assert_eq!(answer.status, status, "expired {seconds_ago} s ago");
    }
}

#[tokio::test]
async fn without_a_token_nobody_is_signed_in() {
    for app in App::both().await {
        for event in [
            Event::get_quote(),
            Event::put_quote("lost"),
            Event::put_quote("lost").same_origin(),
            Event::delete_quote(),
            Event::get_quote().header("authorization", "Basic dXNlcjpwYXNz"),
            Event::get_quote().header("authorization", ""),
            Event::get_quote().header("authorization", "Bearer"),
            Event::get_quote().header("authorization", "Bearer  x"),
        ] {
            app.send(event).await.problem(401);
        }
    }
}

#[tokio::test]
async fn a_bad_token_in_the_header_wins_over_a_good_cookie() {
    let app = App::deployed().await;
    let user = app.user();
    let get = Event::get_quote().signed_in(&user).bearer("garbage");
    app.send(get).await.problem(401);
}

#[tokio::test]
async fn a_session_older_than_the_last_sign_in_is_refused() {
    let app = App::deployed().await;
    let user = app.user();
    let get = Event::get_quote()
        .cookie("__session", &user.token)
        .cookie("__client_uat", &(now() + 60).to_string());
    let problem = app.send(get).await.problem(401);
    assert_eq!(problem["reason"], "session-token-iat-before-client-uat");
}

#[tokio::test]
async fn the_authorized_parties_can_be_listed() {
    let parties = "https://other.example.com, https://quotes.example.com";
    let app = App::deployed()
        .await
        .with("CLERK_AUTHORIZED_PARTIES", parties);
    let user = app.user();
    let other = json!({ "azp": "https://other.example.com" });
    let other = app.instance.token_with(&user, &other);
    for token in [&user.token, &other] {
        app.send(Event::get_quote().bearer(token))
            .await
            .problem(404);
    }
    for azp in [json!("https://evil.example"), json!(""), json!(null)] {
        let stranger = app.instance.token_with(&user, &json!({ "azp": azp }));
        let problem = app.send(Event::get_quote().bearer(&stranger)).await;
        let problem = problem.problem(401);
        assert_eq!(problem["reason"], "token-invalid-authorized-parties");
    }
}

#[tokio::test]
async fn without_listed_parties_a_session_may_name_none() {
    for app in App::both().await {
        let user = app.user();
        for azp in [json!(null), json!("")] {
            let token = app.instance.token_with(&user, &json!({ "azp": azp }));
            let by_header = app.send(Event::get_quote().bearer(&token)).await;
            by_header.problem(404);
            let by_cookie = app.send(Event::page("/").session(&token)).await;
            by_cookie.page(200);
        }
    }
}

#[tokio::test]
async fn the_issuer_can_be_another_one() {
    let app = App::deployed()
        .await
        .with("CLERK_ISSUER", "https://quotes.example.com/__clerk");
    let user = app.user();
    let issuer = json!({ "iss": "https://quotes.example.com/__clerk" });
    let token = app.instance.token_with(&user, &issuer);
    app.send(Event::get_quote().bearer(&token))
        .await
        .problem(404);
    app.send(Event::get_quote().bearer(&user.token))
        .await
        .problem(401);
}

#[tokio::test]
async fn without_a_public_origin_the_apis_own_domain_counts() {
    let app = App::deployed().await.without("PUBLIC_ORIGIN");
    let user = app.user();
    let get = Event::get_quote()
        .bearer(&user.token)
        .header("host", "evil.example");
    app.send(get).await.problem(404);
}

#[tokio::test]
async fn the_public_key_may_have_its_line_breaks_written_out() {
    let key = Instance::production()
        .stand_in()
        .jwt_key()
        .trim()
        .replace('\n', "\\n");
    let app = App::deployed().await.with("CLERK_JWT_KEY", &key);
    app.send(Event::get_quote().bearer(&app.user().token))
        .await
        .problem(404);
}
