//! What reads input of strangers, fed with random input: nothing panics, and
//! what must never happen does not.
//!
//! Each target is a test: it runs its corpus (`__fuzz__`) and then random input.
//! `cargo bolero` drives the same code by coverage. An input is read as one field
//! a line.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::ffi::OsString;
use std::sync::LazyLock;

use bolero::check;
use clerk_auth::{
    Authenticator, Check, Claims, Instance, Key, KeySource, PublicKeys, PublishableKey,
    RequestView, Reverification, State, WebhookError, WebhookSecrets, authenticate,
};
use clerk_stand_in::webhook;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::condition::condition;
use shared::config::{Config, PageConfig};
use shared::{Event, Request};

const ORIGIN: &str = "https://www.example.com";
const NOW_MS: i64 = 1_700_000_000_000;

/// The public key of the recorded cases; nothing here is signed with it.
const PEM: &str = include_str!("../../../shared/clerk/tests/data/test_public_key.pem");

/// What the bytes from 0xC0 on stand for: random input reaches further with
/// pieces of what is expected.
const PIECES: [&str; 36] = [
    "__session=",
    "__session_MWTw9P_R=",
    "__client_uat=1",
    "__client_uat_MWTw9P_R=18446744073709551616",
    "__clerk_handshake=",
    "__clerk_db_jwt=d",
    "__clerk_redirect_count=3",
    "flash=cross-site..",
    "; ",
    "&",
    "?",
    "/",
    "%",
    "eyJhbGciOiJSUzI1NiJ9.",
    "eyJzdWIiOiJ1c2VyXzEifQ.",
    "c2ln",
    "Bearer ",
    "text/html",
    "document",
    "message=",
    "{\"message\":\"",
    "\"}",
    "https://evil.example/",
    "\r",
    "user.deleted",
    "{\"type\":\"user.deleted\",\"data\":{\"id\":\"user_1\"}}",
    "v1,",
    "1700000000",
    "{\"sub\":\"user_1\",\"v\":2,\"o\":{\"id\":\"org_1\",\"rol\":\"admin\"}}",
    "\"fva\":[0,-1]",
    "org:",
    "o:posts",
    "u:chat",
    ",",
    "pending",
    "admin",
];

/// The fields of an input, one a line.
fn fields<const N: usize>(input: &[u8]) -> [Vec<u8>; N] {
    let mut lines = input.split(|byte| *byte == b'\n');
    std::array::from_fn(|_| {
        let line = lines.next().unwrap_or_default();
        let expand = |byte: &u8| match byte.checked_sub(0xc0).map(usize::from) {
            Some(index) if index < PIECES.len() => PIECES[index].as_bytes().to_vec(),
            Some(_) | None => vec![*byte],
        };
        line.iter().flat_map(expand).collect()
    })
}

/// The same as text.
fn texts<const N: usize>(input: &[u8]) -> [String; N] {
    fields(input).map(|field| String::from_utf8_lossy(&field).into_owned())
}

fn instance(publishable_key: &str) -> Instance {
    Instance {
        issuer: None,
        ..Instance::new(PublishableKey::parse(publishable_key).unwrap())
    }
}

/// A development and a production instance.
static INSTANCES: LazyLock<[Instance; 2]> = LazyLock::new(|| {
    [
        instance("pk_test_aGFwcHktaGlwcG8tMS5jbGVyay5hY2NvdW50cy5kZXYk"),
        instance("pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"),
    ]
});

static KEYS: LazyLock<PublicKeys> = LazyLock::new(|| PublicKeys::from_pem(PEM).unwrap());

/// Nobody is signed in, nothing is set, and no redirect leaves for another host.
fn assert_harmless(instance: &Instance, view: &RequestView<'_>) {
    let decision = authenticate(instance, &KEYS, view, NOW_MS);
    assert!(
        !matches!(decision.state, State::SignedIn(_)),
        "{decision:?}"
    );
    for cookie in &decision.set_cookie {
        let harmless = ["__clerk_redirect_count=", "__clerk_handshake=; "];
        let is_harmless = harmless.iter().any(|start| cookie.starts_with(start));
        assert!(is_harmless, "{cookie}");
    }
    if let Some(location) = decision.location() {
        let api = instance.frontend_api(ORIGIN) + "/v1/client/handshake?";
        assert!(location.starts_with(&api), "{location}");
        assert!(decision.response_headers().contains_key("location"));
    }
}

#[test]
fn decide() {
    check!().for_each(|input: &[u8]| {
        let [
            method,
            target,
            authorization,
            cookie,
            accept,
            sec_fetch_dest,
            referer,
        ] = texts(input);
        let view = RequestView {
            method: if method == "POST" { "POST" } else { "GET" },
            target: &format!("/{}", target.replace(|c: char| !c.is_ascii_graphic(), "")),
            origin: ORIGIN,
            authorization: Some((&authorization).into()),
            cookie: Some((&cookie).into()),
            accept: Some(&accept),
            sec_fetch_dest: Some(&sec_fetch_dest),
            referer: Some(&referer),
            handshake_payload: None,
        };
        let by_cookies = RequestView {
            authorization: None,
            ..view.clone()
        };
        for instance in &*INSTANCES {
            assert_harmless(instance, &view);
            assert_harmless(instance, &by_cookies);
        }
    });
}

#[test]
fn cookies() {
    check!().for_each(|input: &[u8]| {
        let mut request = http::Request::get("/");
        for field in fields::<3>(input) {
            if let Ok(value) = http::HeaderValue::from_bytes(&field) {
                request = request.header("cookie", value);
            }
        }
        let (parts, ()): (Parts, ()) = request.body(()).unwrap().into_parts();
        let view = RequestView::new(&parts, ORIGIN);
        for instance in &*INSTANCES {
            assert_harmless(instance, &view);
            let keys = KeySource::Fixed(KEYS.clone());
            let authenticator = Authenticator::new(instance.clone(), keys);
            if let Ok(location) = authenticator.sign_in_location("https://a.example/in", &view) {
                assert!(location.starts_with("https://a.example/in?"), "{location}");
            }
        }
    });
}

#[test]
fn event() {
    check!().for_each(|json: &[u8]| {
        read_event(json);
        let [path, query, name, value, cookie] = texts(json);
        let event = serde_json::json!({
            "requestContext": { "domainName": "a.example", "http": { "method": "POST" } },
            "rawPath": format!("/{path}"),
            "rawQueryString": query,
            "headers": { name: value, "if-match": value },
            "cookies": [cookie],
        });
        read_event(event.to_string().as_bytes());
    });
}

fn read_event(json: &[u8]) {
    // As lambda_runtime does it: it would print an error.
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let event = Event::deserialize(&mut deserializer).unwrap();
    let (request, readable) = Request::from_event(event, None, String::new());
    if let Err(error) = readable {
        assert_eq!(error.status(), 400);
    }
    assert!(request.path().starts_with('/') && !request.path().starts_with("//"));
    if let Err(error) = request.message() {
        assert!(error.status().is_client_error(), "{error}");
    }
    if let Err(error) = condition(&request) {
        assert_eq!(error.status(), 400);
    }
    let _ = shared::flash::Flash::read(&request);
}

#[test]
fn body() {
    check!().for_each(|input: &[u8]| {
        let [method, media_type, body] = texts(input);
        let (method, expected) = if method == "POST" {
            ("POST", "application/x-www-form-urlencoded")
        } else {
            ("PUT", "application/json")
        };
        for media_type in [expected, &media_type] {
            let event = serde_json::json!({
                "requestContext": { "domainName": "a.example", "http": { "method": method } },
                "rawPath": "/api/quote",
                "headers": { "content-type": media_type },
                "body": body,
            });
            let event = serde_json::from_value(event).unwrap();
            let (request, readable) = Request::from_event(event, None, String::new());
            if let Err(error) = readable {
                assert!(media_type.contains(char::is_control), "{error}");
            }
            match request.message() {
                Ok(message) => {
                    let characters = message.as_str().chars().count();
                    assert!((1..=shared::quote::MAX_CHARACTERS).contains(&characters));
                    assert!(!message.as_str().contains('\0'));
                }
                Err(error) => assert!(error.status().is_client_error(), "{error}"),
            }
        }
    });
}

#[test]
fn configuration() {
    // In no message of the program, and in no random text but by being put there.
    const SECRET: &str = "huntertwosecret";
    check!().for_each(|input: &[u8]| {
        let [which, before, after] = texts(input);
        let names = [
            "DATABASE_URL",
            "CLERK_PUBLISHABLE_KEY",
            "CLERK_JWT_KEY",
            "CLERK_AUTHORIZED_PARTIES",
            "CLERK_ISSUER",
            "CLERK_PROXY_URL",
            "CLERK_SIGN_IN_URL",
            "CLERK_SECRET_KEY",
            "CLERK_API_URL",
            "PUBLIC_ORIGIN",
        ];
        let random = names[which.len() % names.len()];
        let lookup = |name: &str| -> Option<OsString> {
            let value = match name {
                "DATABASE_URL" if name == random => match which.len() % 3 {
                    0 => format!("postgres://app:{before}{SECRET}{after}@localhost/quotes"),
                    1 => format!("postgres://app@h/quotes?password={before}{SECRET}{after}"),
                    _ => format!("postgres://app:{before}{SECRET}{after}"),
                },
                name if name == random => format!("{before}{SECRET}{after}"),
                "DATABASE_URL" => format!("postgres://app:{SECRET}@localhost/quotes"),
                "CLERK_PUBLISHABLE_KEY" => "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k".to_owned(),
                "PGSSLROOTCERT" => {
                    concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/roots.pem").to_owned()
                }
                _ => return None,
            };
            Some(value.into())
        };
        let parsed =
            Config::parse(&lookup).and_then(|mut config| PageConfig::parse(&lookup, &mut config));
        match parsed {
            Ok(page) => assert!(http::HeaderValue::from_str(&page.sign_in_url).is_ok()),
            Err(error) => {
                let line = error.to_string();
                assert!(!line.contains(SECRET) && !line.contains('\n'), "{line}");
            }
        }
    });
}

#[test]
fn key_set() {
    check!().for_each(|json: &[u8]| {
        let _ = PublicKeys::from_jwks(json);
        let pem = String::from_utf8_lossy(json);
        let _ = PublicKeys::from_pem(&pem);
        let wrapped = [b"{\"keys\":[", json, b"]}"].concat();
        let _ = PublicKeys::from_jwks(&wrapped);
        if let Ok(jwk) = serde_json::from_slice(json)
            && let Some(key) = Key::from_jwk(&jwk)
        {
            assert!(!key.verifies("message", "c2ln"));
        }
    });
}

#[test]
fn webhook_message() {
    const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
    let secrets = WebhookSecrets::parse(SECRET).unwrap();
    check!().for_each(|input: &[u8]| {
        let [id, timestamp, signature, body] = fields(input);
        let mut sent = HeaderMap::new();
        for (name, value) in [
            ("svix-id", &id),
            ("svix-timestamp", &timestamp),
            ("svix-signature", &signature),
        ] {
            // A header may come twice.
            for value in value.split(|byte| *byte == b';') {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    sent.append(name, value);
                }
            }
        }
        // Nobody signed it.
        assert!(secrets.verify(&sent, &body, NOW_MS).is_err());

        let id: String = id
            .iter()
            .filter(|b| b.is_ascii_graphic())
            .map(|b| char::from(*b))
            .collect();
        let id = format!("msg_{id}");
        let body = String::from_utf8_lossy(&body).into_owned();
        let mut signed = HeaderMap::new();
        for (name, value) in webhook::headers(SECRET, &id, &body).unwrap() {
            signed.insert(name, value.parse().unwrap());
        }
        let seconds: i64 = signed["svix-timestamp"].to_str().unwrap().parse().unwrap();
        match secrets.verify(&signed, body.as_bytes(), seconds * 1000) {
            Ok(message) => assert_eq!(message.id, id),
            Err(error) => assert_eq!(error, WebhookError::Body),
        }
        let longer = format!("{body} ");
        let changed = secrets.verify(&signed, longer.as_bytes(), seconds * 1000);
        assert_eq!(changed, Err(WebhookError::Signature));
        for (name, value) in &sent {
            let mut mixed = signed.clone();
            if mixed.insert(name, value.clone()).as_ref() != Some(value) {
                assert!(
                    secrets
                        .verify(&mixed, body.as_bytes(), seconds * 1000)
                        .is_err()
                );
            }
        }
    });
}

#[test]
fn session_claims() {
    check!().for_each(|input: &[u8]| {
        let [text, asked, status, granted, id, role, permissions, map] = texts(input);
        let built = |organization: Value| {
            json!({
                "v": 2, "sts": status, "fea": granted, "pla": granted, "fva": [0, -1], "o": organization,
                "org_id": id, "org_role": role, "org_permissions": [permissions], "act": { "sub": id },
            })
        };
        assert_fair(&built(json!({ "id": id, "rol": role, "per": permissions, "fpm": map })), &asked);
        assert_fair(&built(Value::Null), &asked);
        if let Ok(claims) = serde_json::from_str(&text) {
            assert_fair(&claims, &asked);
        }
    });
}

/// Nobody has what needs an organization without one, and nobody has anything
/// while the session is pending or cannot be read.
fn assert_fair(claims: &Value, asked: &str) {
    let Some(claims) = claims.as_object() else {
        return;
    };
    let claims = Claims::from(claims.clone());
    let organization = claims.organization();
    let is_readable = organization.is_ok() && !claims.is_pending();
    let organization = organization.ok().flatten();
    for (check, needs_organization) in [
        (Check::Role(asked), true),
        (Check::Permission(asked), true),
        (Check::Feature(asked), false),
        (Check::Plan(asked), false),
        (Check::Reverification(Reverification::STRICT_MFA), false),
        (Check::Reverification(Reverification::LAX), false),
    ] {
        if claims.has(check) {
            assert!(is_readable, "{check:?}");
            assert!(organization.is_some() || !needs_organization, "{check:?}");
        }
    }
    let _ = claims.actor();
}
