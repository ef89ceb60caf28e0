//! What holds for every request, whoever wrote it: no panic, little work, and
//! nobody signed in or redirected anywhere by what was only made up.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clerk_auth::{
    Decision, Instance, Key, PublicKeys, PublishableKey, RequestView, State, authenticate,
};
use nix::time::{ClockId, clock_gettime};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use serde_json::json;

mod issuer;

use issuer::Issuer;

const ORIGIN: &str = "https://www.example.com";
const NOW: i64 = 1_700_000_000;
const DEVELOPMENT: &str = "pk_test_aGFwcHktaGlwcG8tMS5jbGVyay5hY2NvdW50cy5kZXYk";
const PRODUCTION: &str = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k";

static ISSUER: LazyLock<Issuer> = LazyLock::new(Issuer::new);

/// A session token that is valid now.
static GENUINE: LazyLock<String> = LazyLock::new(|| {
    ISSUER.token(
        &json!({ "alg": "RS256", "typ": "JWT" }),
        &json!({ "sub": "user_1", "azp": ORIGIN, "iat": NOW, "exp": NOW + 60 }),
    )
});

/// A handshake token that brings [`GENUINE`].
static HANDSHAKE: LazyLock<String> = LazyLock::new(|| {
    let directive = format!("__session={}; Path=/", *GENUINE);
    ISSUER.token(
        &json!({ "alg": "RS256" }),
        &json!({ "handshake": [directive] }),
    )
});

static KEYS: LazyLock<PublicKeys> =
    LazyLock::new(|| PublicKeys::from(Key::from_jwk(&ISSUER.jwk("ins_1")).unwrap()));

fn instance(publishable_key: &str) -> Instance {
    Instance {
        issuer: None,
        ..Instance::new(PublishableKey::parse(publishable_key).unwrap())
    }
}

/// A request that owns its parts.
#[derive(Clone, Debug, Default)]
struct Sent {
    method: String,
    target: String,
    authorization: Option<String>,
    cookie: Option<String>,
    accept: Option<String>,
    sec_fetch_dest: Option<String>,
    referer: Option<String>,
}

impl Sent {
    fn decide(&self, publishable_key: &str, now_ms: i64) -> Decision {
        let view = RequestView {
            method: &self.method,
            target: &self.target,
            origin: ORIGIN,
            authorization: self.authorization.as_deref().map(Into::into),
            cookie: self.cookie.as_deref().map(Into::into),
            accept: self.accept.as_deref(),
            sec_fetch_dest: self.sec_fetch_dest.as_deref(),
            referer: self.referer.as_deref(),
            handshake_payload: None,
        };
        authenticate(&instance(publishable_key), &KEYS, &view, now_ms)
    }

    /// Whether a token that the instance signed is anywhere in it.
    fn carries_a_genuine_token(&self) -> bool {
        let parts = [
            Some(&self.target),
            self.authorization.as_ref(),
            self.cookie.as_ref(),
        ];
        parts
            .into_iter()
            .flatten()
            .any(|part| part.contains(GENUINE.as_str()) || part.contains(HANDSHAKE.as_str()))
    }
}

/// JSON as a token may hold it: names that are looked at, values of any type.
fn members() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "alg",
        "typ",
        "cat",
        "kid",
        "crit",
        "sub",
        "azp",
        "iss",
        "exp",
        "nbf",
        "iat",
        "sid",
        "sts",
        "handshake",
        "__proto__",
    ]);
    let value = prop::sample::select(vec![
        "null",
        "true",
        "0",
        "-1",
        "1e308",
        "1700000000",
        "\"\"",
        "\"RS256\"",
        "\"JWT\"",
        "\"cl_B7d4PD222AAA\"",
        "\"user_1\"",
        "\"mch_1\"",
        "\"pending\"",
        "[]",
        "{}",
        "[[[]]]",
        "[\"__session=a\"]",
        "[\"a\\r\\nb\"]",
        "\"https://clerk.example.com\"",
        "\"\\ud800\"",
        "18446744073709551616",
    ]);
    vec((name, value), 0..6).prop_map(|members| {
        let members = members
            .into_iter()
            .map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    })
}

/// Anything from a real token to noise.
fn token() -> impl Strategy<Value = String> {
    let forged = (members(), members(), "[A-Za-z0-9_-]{0,20}").prop_map(|parts| {
        let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", encode(parts.0), encode(parts.1), parts.2)
    });
    let tampered = (any::<prop::sample::Index>(), any::<char>()).prop_map(|(at, with)| {
        let mut text: Vec<char> = GENUINE.chars().collect();
        let at = at.index(text.len());
        text[at] = with;
        text.into_iter().collect()
    });
    prop_oneof![
        2 => Just(()).prop_map(|()| GENUINE.clone()),
        1 => Just(()).prop_map(|()| HANDSHAKE.clone()),
        2 => forged,
        1 => tampered,
        1 => ".{0,40}",
    ]
}

fn cookie() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "__session",
        "__session_MWTw9P_R",
        "__client_uat",
        "__client_uat_MWTw9P_R",
        "__clerk_db_jwt",
        "__clerk_db_jwt_MWTw9P_R",
        "__clerk_handshake",
        "__clerk_redirect_count",
        "__refresh_MWTw9P_R",
        "__proto__",
        "",
    ]);
    let number = prop::sample::select(vec!["0", "1", "3", "1700000000", "-1", "9e9", "%30"]);
    let value = prop_oneof![
        token(),
        number.prop_map(str::to_owned),
        "[%0-9a-f;=\" ]{0,12}"
    ];
    let pair = (name, value).prop_map(|(name, value)| format!("{name}={value}"));
    prop_oneof![4 => vec(pair, 0..8).prop_map(|pairs| pairs.join("; ")), 1 => ".{0,200}"]
}

fn target() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "__clerk_handshake",
        "__clerk_db_jwt",
        "__clerk_help",
        "__dev_session",
        "a",
        "%5F",
    ]);
    let value = prop_oneof![token(), "[!-~&&[^#]]{0,20}"];
    let pair = (name, value).prop_map(|(name, value)| format!("{name}={value}"));
    ("/[!-~&&[^?#]]{0,20}", vec(pair, 0..4)).prop_map(|(path, pairs)| {
        // Only what an HTTP request line can hold.
        let query = pairs
            .join("&")
            .replace(|c: char| !c.is_ascii_graphic(), "%20");
        format!("{path}?{query}")
    })
}

fn sent() -> impl Strategy<Value = Sent> {
    let one_of = |values: &[&'static str]| prop::sample::select(values.to_vec());
    let referer = one_of(&[
        "https://search.example/",
        "https://www.example.com/",
        "https://accounts.example.com",
        "https://[::1]:0",
        "data:,",
        "\u{0}",
    ]);
    let bearer = ("(Bearer |bearer |Basic |)", token()).prop_map(|parts| parts.0 + &parts.1);
    (
        one_of(&["GET", "GET", "GET", "POST", "HEAD", "", "get"]),
        target(),
        weighted(0.2, bearer),
        weighted(0.9, cookie()),
        weighted(0.5, one_of(&["text/html", "*/*", ""])),
        weighted(0.7, one_of(&["document", "iframe", "empty", ""])),
        weighted(0.3, referer),
    )
        .prop_map(
            |(method, target, authorization, cookie, accept, dest, referer)| Sent {
                method: method.to_owned(),
                target,
                authorization,
                cookie,
                accept: accept.map(str::to_owned),
                sec_fetch_dest: dest.map(str::to_owned),
                referer: referer.map(str::to_owned),
            },
        )
}

/// A time, mostly the one that the tokens are made for.
fn now_ms() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(NOW * 1000), 1 => any::<i64>()]
}

/// Whether this deletes a handshake cookie that stayed.
fn is_deletion(cookie: &str) -> bool {
    cookie.starts_with("__clerk_handshake=; Path=/; Max-Age=0;")
}

fn holds_for(sent: &Sent, publishable_key: &str, now_ms: i64) -> Result<(), TestCaseError> {
    let decision = sent.decide(publishable_key, now_ms);
    let again = sent.decide(publishable_key, now_ms);
    prop_assert_eq!(format!("{decision:?}"), format!("{again:?}"));

    let key = PublishableKey::parse(publishable_key).unwrap();
    let handshake = format!("{}/v1/client/handshake?", key.frontend_api());
    let location = decision.location();
    match &decision.state {
        State::SignedIn(session) => {
            prop_assert!(sent.carries_a_genuine_token());
            prop_assert_eq!(session.user.as_str(), "user_1");
        }
        State::Handshake { .. } => {
            prop_assert_eq!(&sent.method, "GET");
            prop_assert!(location.is_some_and(|to| to.starts_with(&handshake)));
            let (count, deleted) = decision.set_cookie.split_first().unwrap();
            prop_assert!(count.starts_with("__clerk_redirect_count="));
            prop_assert!(deleted.iter().all(|cookie| is_deletion(cookie)));
        }
        State::SignedOut { .. } => {
            let brought = sent.carries_a_genuine_token();
            let cookies = &decision.set_cookie;
            let deletes = cookies.iter().all(|cookie| is_deletion(cookie));
            prop_assert!(brought || (location.is_none() && deletes));
        }
        State::UnreadableHandshake => prop_assert!(key.is_development()),
    }
    if let Some(location) = location {
        let home = format!("{ORIGIN}/");
        prop_assert!(location.starts_with(&handshake) || location.starts_with(&home));
    }
    let cookies = decision.set_cookie.iter().map(String::as_str);
    let sent_headers = decision.response_headers();
    prop_assert_eq!(
        sent_headers.get_all("set-cookie").iter().count(),
        decision.set_cookie.len()
    );
    prop_assert_eq!(sent_headers.contains_key("location"), location.is_some());
    for header in cookies.chain(location) {
        prop_assert!(
            header.bytes().all(|b| (b' '..=b'~').contains(&b)),
            "{}",
            header
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn requests_that_resemble_real_ones(sent in sent(), now_ms in now_ms()) {
        holds_for(&sent, DEVELOPMENT, now_ms)?;
        holds_for(&sent, PRODUCTION, now_ms)?;
    }

    #[test]
    fn requests_of_noise(
        method in ".{0,8}", target in ".{0,60}", authorization in ".{0,60}",
        cookie in ".{0,200}", rest in vec(".{0,30}", 3), now_ms in any::<i64>(),
    ) {
        let [accept, sec_fetch_dest, referer] = rest.try_into().unwrap();
        let sent = Sent {
            method,
            target,
            authorization: Some(authorization),
            cookie: Some(cookie),
            accept: Some(accept),
            sec_fetch_dest: Some(sec_fetch_dest),
            referer: Some(referer),
        };
        for key in [DEVELOPMENT, PRODUCTION] {
            let decision = sent.decide(key, now_ms);
            prop_assert!(!matches!(decision.state, State::SignedIn(_)));
        }
    }

    #[test]
    fn keys_of_noise(text in ".{0,80}", json in members()) {
        let url = URL_SAFE_NO_PAD.encode(&text);
        let _ = PublishableKey::parse(&text);
        let _ = PublishableKey::parse(&format!("pk_live_{url}"));
        prop_assert!(Key::from_pem(&text).is_none());
        prop_assert!(Key::from_jwk(&serde_json::from_str(&json).unwrap_or_default()).is_none());
        let key = Key::from_jwk(&ISSUER.jwk("ins_1")).unwrap();
        prop_assert!(!key.verifies_jws(&text));
    }
}

/// A page load with this target and these cookies.
fn page_load(target: String, cookie: String) -> Sent {
    Sent {
        method: "GET".to_owned(),
        target,
        cookie: Some(cookie),
        sec_fetch_dest: Some("document".to_owned()),
        ..Sent::default()
    }
}

fn with_cookies(cookie: String) -> Sent {
    page_load("/".to_owned(), cookie)
}

fn with_query(query: &str) -> Sent {
    page_load(format!("/?{query}"), String::new())
}

/// A page load whose sessions, plain and suffixed, are this.
fn with_session(token: &str) -> Sent {
    with_cookies(format!(
        "__client_uat=1; __session={token}; __client_uat_MWTw9P_R=1; __session_MWTw9P_R={token}"
    ))
}

fn with_claims(claims: &str) -> Sent {
    with_session(&unsigned(r#"{"alg":"RS256"}"#, claims))
}

fn unsigned(header: &str, claims: &str) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.AAAA", encode(header), encode(claims))
}

/// A megabyte: API Gateway lets 10 KB of headers through.
const SIZE: usize = 1 << 20;

fn expensive_cookies() -> Vec<(&'static str, Sent)> {
    let numbered = (0..50_000).map(|n| format!("c{n}=1;")).collect();
    let counter = format!("__client_uat=1;__clerk_redirect_count={}", "9".repeat(SIZE));
    vec![
        (
            "long value",
            with_cookies(format!("a={}", "x".repeat(SIZE))),
        ),
        ("long name", with_cookies("x".repeat(SIZE))),
        ("many names", with_cookies(numbered)),
        ("one name", with_cookies("__session=a.b.c;".repeat(50_000))),
        ("semicolons", with_cookies(";".repeat(SIZE))),
        ("equals signs", with_cookies("=".repeat(SIZE))),
        ("long counter", with_cookies(counter)),
        ("escapes", with_session(&"%41".repeat(SIZE / 3))),
        ("bad escapes", with_session(&"%".repeat(SIZE))),
        ("escapes of no text", with_session(&"%ff".repeat(SIZE / 3))),
    ]
}

fn expensive_tokens() -> Vec<(&'static str, Sent)> {
    let header = json!({ "alg": "RS256" });
    let filler = "x".repeat(6_000);
    let genuine = ISSUER.token(&header, &json!({ "sub": "user_1", "filler": filler }));
    let directives = vec!["__session=a"; 20_000];
    let handshake = ISSUER.token(&header, &json!({ "handshake": directives }));
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let wide: String = (0..50_000).map(|n| format!(r#""{n}":0,"#)).collect();
    let issuer = "http://".repeat(SIZE / 10);
    vec![
        ("8 KB, signed", with_session(&genuine)),
        (
            "many directives",
            with_cookies(format!("__clerk_handshake={handshake}")),
        ),
        ("dots", with_session(&".".repeat(SIZE))),
        ("long part", with_session(&"A".repeat(SIZE))),
        (
            "long signature",
            with_session(&format!("e30.e30.{}", "A".repeat(SIZE))),
        ),
        (
            "deep header",
            with_session(&unsigned(&nested(100_000), "{}")),
        ),
        ("deep claims", with_claims(&nested(100_000))),
        (
            "as deep as can be",
            with_claims(&format!(r#"{{"iss":{}}}"#, nested(120))),
        ),
        ("wide claims", with_claims(&format!(r#"{{{wide}"x":0}}"#))),
        (
            "long number",
            with_claims(&format!(r#"{{"iat":{}}}"#, "9".repeat(SIZE / 2))),
        ),
        (
            "long issuer",
            with_claims(&format!(r#"{{"iss":"{issuer}"}}"#)),
        ),
    ]
}

fn expensive_lines() -> Vec<(&'static str, Sent)> {
    let with_authorization = |value: String| Sent {
        authorization: Some(value),
        ..with_query("")
    };
    let long_referer = Sent {
        referer: Some(format!("https://{}", "a.".repeat(SIZE / 2))),
        ..with_session(&GENUINE)
    };
    let slashes = page_load("/".repeat(SIZE), String::new());
    vec![
        ("slashes", slashes),
        ("question marks", with_query(&"?".repeat(SIZE))),
        ("parameters", with_query(&"a=b&".repeat(SIZE / 4))),
        (
            "handshakes",
            with_query(&"__clerk_handshake=a&".repeat(SIZE / 20)),
        ),
        ("escapes in the query", with_query(&"%41".repeat(SIZE / 3))),
        ("blanks", with_authorization(" ".repeat(SIZE))),
        (
            "bearer",
            with_authorization(format!("Bearer {}", "a.".repeat(SIZE / 2))),
        ),
        ("words", with_authorization("Bearer ".repeat(SIZE / 7))),
        ("referer", long_referer),
    ]
}

#[test]
fn no_request_is_much_work() {
    // Optimised each takes milliseconds and in a debug build some more, but
    // anything quadratic would take minutes. The time of others does not count.
    const MAX_CPU: Duration = Duration::from_secs(5);
    let groups = [expensive_cookies(), expensive_tokens(), expensive_lines()];
    for (name, sent) in groups.iter().flatten() {
        for key in [DEVELOPMENT, PRODUCTION] {
            let began = cpu_time();
            sent.decide(key, NOW * 1000);
            let took = cpu_time() - began;
            assert!(took < MAX_CPU, "{name}: {took:?}");
        }
    }
}

/// How much of a processor this thread has used.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}
