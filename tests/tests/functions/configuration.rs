//! A mistake in the configuration stops the start.

use tests::{App, Environment, Event, Function, Instance, Variables};

/// Starts each function with these variables; none may, and each says why in
/// one line without the value.
async fn assert_refused(name: &str, variables: &Variables) {
    for function in Function::all() {
        // What only one function needs is no error elsewhere.
        let only = match name {
            "CLERK_SIGN_IN_URL" | "CLERK_SECRET_KEY" | "CLERK_API_URL" => Function::RENDER_PAGE,
            "CLERK_WEBHOOK_SIGNING_SECRET" => Function::CLERK_WEBHOOK,
            _ => function,
        };
        if function != only {
            continue;
        }
        let (status, log) = Environment::fail_to_start(function, variables).await;
        let value = variables.get(name).map_or("", String::as_str);
        assert!(!status.success(), "{name}={value}: {log}");
        assert_eq!(log.trim_end().lines().count(), 1, "{name}={value}: {log}");
        assert!(log.contains(name), "{name}={value}: {log}");
        if value.len() > 3 {
            assert!(!log.contains(value), "{name}={value}: {log}");
        }
    }
}

async fn variables_with(name: &'static str, value: &str) -> Variables {
    App::deployed().await.with(name, value).variables().clone()
}

#[tokio::test]
async fn what_is_required_and_missing_is_named() {
    for name in [
        "DATABASE_URL",
        "CLERK_PUBLISHABLE_KEY",
        "CLERK_WEBHOOK_SIGNING_SECRET",
    ] {
        let app = App::deployed().await;
        assert_refused(name, app.without(name).variables()).await;
        assert_refused(name, &variables_with(name, "").await).await;
    }
}

#[tokio::test]
async fn what_is_malformed_is_named_and_not_repeated() {
    for (name, value) in [
        ("CLERK_PUBLISHABLE_KEY", "pk_test_not!base64"),
        (
            "CLERK_PUBLISHABLE_KEY",
            "sk_test_aGFwcHktaGlwcG8tMS5jbGVyay5hY2NvdW50cy5kZXYk",
        ),
        ("CLERK_PUBLISHABLE_KEY", "pk_test_bG9jYWxob3N0JA=="),
        (
            "CLERK_PUBLISHABLE_KEY",
            "pk_live_aHR0cHM6Ly9jbGVyay5leGFtcGxlLmNvbS9hJA==",
        ),
        (
            "CLERK_JWT_KEY",
            "-----BEGIN PUBLIC KEY-----\\nbm90aGluZw==\\n-----END PUBLIC KEY-----",
        ),
        ("CLERK_JWT_KEY", "not a key"),
        ("CLERK_AUTHORIZED_PARTIES", "https://a.example.com,,"),
        ("CLERK_AUTHORIZED_PARTIES", "https://a.example.com/"),
        ("CLERK_AUTHORIZED_PARTIES", "a.example.com"),
        ("CLERK_ISSUER", "https://clerk example.com"),
        ("CLERK_PROXY_URL", "http://clerk.example.com/__clerk"),
        ("CLERK_PROXY_URL", "not a url"),
        ("CLERK_SIGN_IN_URL", "javascript:alert(1)"),
        ("CLERK_SIGN_IN_URL", "http://accounts.example.com/sign-in"),
        ("CLERK_SECRET_KEY", "0123456789abcdef"),
        ("CLERK_SECRET_KEY", "sk_test_0123456789abcdef"),
        ("CLERK_API_URL", "http://api.clerk.com"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_tooshort"),
        ("PUBLIC_ORIGIN", "http://quotes.example.com"),
        ("PUBLIC_ORIGIN", "https://quotes.example.com/"),
        ("PUBLIC_ORIGIN", "app.example.org"),
        ("PUBLIC_ORIGIN", "https://user:password@quotes.example.com"),
    ] {
        assert_refused(name, &variables_with(name, value).await).await;
    }
}

#[tokio::test]
async fn a_key_that_is_too_short_is_malformed() {
    let rsa = openssl::rsa::Rsa::generate(1024).unwrap();
    let pem = String::from_utf8(rsa.public_key_to_pem().unwrap()).unwrap();
    assert_refused(
        "CLERK_JWT_KEY",
        &variables_with("CLERK_JWT_KEY", &pem).await,
    )
    .await;
}

#[tokio::test]
async fn a_private_key_is_malformed_and_not_repeated() {
    let rsa = openssl::rsa::Rsa::generate(2048).unwrap();
    let pem = String::from_utf8(rsa.private_key_to_pem().unwrap()).unwrap();
    assert_refused(
        "CLERK_JWT_KEY",
        &variables_with("CLERK_JWT_KEY", &pem).await,
    )
    .await;
}

#[tokio::test]
async fn a_database_url_that_cannot_be_read_is_not_repeated() {
    for url in [
        "nothing",
        "mysql://quotes:hunter2secret@localhost/quotes",
        "postgres://quotes:hunter2secret@localhost:port/quotes",
        "postgres://quotes:hunter2secret@localhost/quotes?sslmode=hunter2secret",
        "postgres://localhost/quotes",
    ] {
        let variables = variables_with("DATABASE_URL", url).await;
        assert_refused("DATABASE_URL", &variables).await;
        let (_, log) = Environment::fail_to_start(Function::GET_QUOTE, &variables).await;
        assert!(!log.contains("hunter2secret"), "{log}");
    }
}

#[tokio::test]
async fn a_host_name_of_a_database_has_no_blank() {
    let url = "postgres://quotes:hunter2secret@local host/quotes";
    let variables = variables_with("DATABASE_URL", url).await;
    assert_refused("DATABASE_URL", &variables).await;
}

#[tokio::test]
async fn a_database_without_tls_is_refused_with_the_reason() {
    let url = App::deployed().await.variables()["DATABASE_URL"].clone();
    for mode in ["disable", "allow", "prefer"] {
        let url = url.replace("sslmode=verify-full", &format!("sslmode={mode}"));
        let variables = variables_with("DATABASE_URL", &url).await;
        assert_refused("DATABASE_URL", &variables).await;
        let (_, log) = Environment::fail_to_start(Function::GET_QUOTE, &variables).await;
        assert!(log.contains(mode) && log.contains("TLS"), "{log}");
    }
}

#[tokio::test]
async fn an_unknown_parameter_of_the_database_url_is_named() {
    let url = App::deployed().await.variables()["DATABASE_URL"].clone();
    let variables = variables_with("DATABASE_URL", &format!("{url}&colour=green")).await;
    assert_refused("DATABASE_URL", &variables).await;
    let (_, log) = Environment::fail_to_start(Function::GET_QUOTE, &variables).await;
    assert!(log.contains("colour") && !log.contains("green"), "{log}");
}

#[tokio::test]
async fn every_sslmode_with_tls_is_accepted() {
    let url = App::deployed().await.variables()["DATABASE_URL"].clone();
    for mode in [
        "require",
        "verify-ca",
        "verify-full",
        "require&channel_binding=require",
    ] {
        let url = url.replace("sslmode=verify-full", &format!("sslmode={mode}"));
        let app = App::deployed().await.with("DATABASE_URL", &url);
        app.send(Event::get_quote().bearer(&app.user().token))
            .await
            .problem(404);
    }
}

#[tokio::test]
async fn both_schemes_of_a_database_url_are_accepted() {
    let url = App::deployed().await.variables()["DATABASE_URL"].clone();
    let url = url.replace("postgres://", "postgresql://");
    let app = App::deployed().await.with("DATABASE_URL", &url);
    app.send(Event::get_quote().bearer(&app.user().token))
        .await
        .problem(404);
}

#[tokio::test]
async fn roots_that_are_no_pem_file_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for roots in [folder.path().join("missing.pem"), empty] {
        let app = App::deployed().await;
        let url = app.variables()["DATABASE_URL"].clone();
        let (url, _) = url.split_once("&sslrootcert=").unwrap();
        let variables = app
            .with("DATABASE_URL", url)
            .with("PGSSLROOTCERT", roots.to_str().unwrap());
        for function in Function::all() {
            let (status, log) = Environment::fail_to_start(function, variables.variables()).await;
            assert!(!status.success());
            assert_eq!(log.trim_end().lines().count(), 1, "{log}");
            assert!(
                log.contains("PGSSLROOTCERT") || log.contains("DATABASE_URL"),
                "{log}"
            );
        }
    }
}

#[tokio::test]
async fn an_sslrootcert_in_the_url_wins_over_the_variable() {
    let app = App::deployed()
        .await
        .with("PGSSLROOTCERT", "/nothing/here.pem");
    app.send(Event::get_quote().bearer(&app.user().token))
        .await
        .problem(404);
}

#[tokio::test]
async fn the_variable_names_the_roots_where_the_url_does_not() {
    let app = App::deployed().await;
    let ca = app.variables()["SSL_CERT_FILE"].clone();
    let url = app.variables()["DATABASE_URL"].clone();
    let (url, _) = url.split_once("&sslrootcert=").unwrap();
    let app = app.with("DATABASE_URL", url).with("PGSSLROOTCERT", &ca);
    app.send(Event::get_quote().bearer(&app.user().token))
        .await
        .problem(404);
}

#[tokio::test]
async fn an_optional_variable_may_be_empty() {
    let app = App::deployed().await;
    let empty = [
        "CLERK_AUTHORIZED_PARTIES",
        "CLERK_ISSUER",
        "CLERK_PROXY_URL",
        "CLERK_SIGN_IN_URL",
        "CLERK_SECRET_KEY",
        "CLERK_API_URL",
    ];
    let app = empty.iter().fold(app, |app, name| app.with(name, ""));
    app.send(Event::get_quote().bearer(&app.user().token))
        .await
        .problem(404);
}

#[tokio::test]
async fn an_http_origin_is_for_loopback_only() {
    let development = Instance::development().variables();
    let app = App::local().await;
    assert_eq!(development["PUBLIC_ORIGIN"], "http://localhost:9000");
    app.send(Event::get_quote().bearer(&app.user().token))
        .await
        .problem(404);
}
