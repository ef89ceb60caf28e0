//! Keys fetched from the instance: over real TLS, from a server that rotates
//! them, redirects, fails, hangs and lies, and whose authority is not the
//! database's.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use clerk_auth::{
    Authenticator, Instance, JwksCache, Key, KeySetUnavailable, KeySource, PublicKeys,
    PublishableKey, Reason, RequestView, State,
};
use serde_json::{Value, json};

mod authority;
mod frontend_api;
mod issuer;

use authority::{Authority, Certified, trusting};
use frontend_api::{Answer, FrontendApi};
use issuer::Issuer;

const ORIGIN: &str = "https://www.example.com";

fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 60 * 60)
}

/// In seconds.
const DAY: u64 = 24 * 60 * 60;

/// Age after which a set is fetched anew.
const JWKS_AGE: Duration = Duration::from_secs(300);

/// Shortest time between two fetches while keys are known.
const REFETCH_AGE: Duration = Duration::from_secs(30);

/// An instance that serves its key, `ins_1`, and an application that knows
/// nothing of it yet.
struct Scene {
    issuer: Issuer,
    api: FrontendApi,
    clerk: Arc<Authenticator>,
}

impl Scene {
    fn new(authority: &Authority) -> Self {
        let issuer = Issuer::new();
        let answer = Answer::keys(&[issuer.jwk("ins_1")]);
        let api = FrontendApi::start(authority.certify(&OURS), answer);
        let clerk = Arc::new(fetching(instance(&api.host)));
        Self { issuer, api, clerk }
    }

    /// The decision about a request with a token that names this key.
    async fn decide(&self, key_id: &str) -> Result<State, KeySetUnavailable> {
        decide(&self.clerk, &token(&self.issuer, key_id)).await
    }

    async fn is_signed_in(&self) -> bool {
        matches!(self.decide("ins_1").await, Ok(State::SignedIn(_)))
    }

    async fn is_unavailable(&self) -> bool {
        self.decide("ins_1").await.is_err()
    }
}

const OURS: Certified = Certified {
    address: "127.0.0.1",
    days: 30,
};

fn instance(host: &str) -> Instance {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{host}$"));
    Instance {
        issuer: None,
        ..Instance::new(PublishableKey::parse(&format!("pk_live_{encoded}")).unwrap())
    }
}

/// A session token that is valid from yesterday for a week, whatever a test
/// does to the clock.
fn token(issuer: &Issuer, key_id: &str) -> String {
    let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
    issuer.token(
        &json!({ "alg": "RS256", "typ": "JWT", "kid": key_id }),
        &json!({ "sub": "user_1", "azp": ORIGIN, "iat": now - DAY, "exp": now + 6 * DAY }),
    )
}

/// An application without a configured key.
fn fetching(instance: Instance) -> Authenticator {
    Authenticator::new(instance, KeySource::Jwks(JwksCache::default()))
}

async fn decide(clerk: &Authenticator, token: &str) -> Result<State, KeySetUnavailable> {
    decide_at(clerk, token, now_ms()).await
}

async fn decide_at(
    clerk: &Authenticator,
    token: &str,
    now_ms: i64,
) -> Result<State, KeySetUnavailable> {
    let authorization = format!("Bearer {token}");
    let request = RequestView {
        method: "GET",
        target: "/api/quote",
        origin: ORIGIN,
        authorization: Some((&authorization).into()),
        ..RequestView::default()
    };
    let decision = clerk.decide_at(&request, now_ms).await?;
    Ok(decision.state)
}

fn signed_out(reason: Reason) -> State {
    State::SignedOut {
        reason,
        obstacle: None,
    }
}

/// How far the application's clock is ahead of ours, in milliseconds. Each test
/// runs in a process of its own.
static AHEAD_MS: AtomicI64 = AtomicI64::new(0);

/// The application's clock.
fn now_ms() -> i64 {
    let now_ms = UNIX_EPOCH.elapsed().unwrap().as_millis();
    i64::try_from(now_ms).unwrap() + AHEAD_MS.load(Ordering::Relaxed)
}

/// Lets time pass for the application as if it were frozen: the monotonic clock
/// stands still.
fn later(time: Duration) {
    let time_ms = i64::try_from(time.as_millis()).unwrap();
    AHEAD_MS.fetch_add(time_ms, Ordering::Relaxed);
}

/// Sets the application's clock back.
fn set_back(time: Duration) {
    let time_ms = i64::try_from(time.as_millis()).unwrap();
    AHEAD_MS.fetch_sub(time_ms, Ordering::Relaxed);
}

/// Every way to have no key set.
fn misbehaviours(issuer: &Issuer) -> Vec<(&'static str, Answer)> {
    let good = issuer.jwk("ins_1");
    let set = json!({ "keys": [good] }).to_string();
    let elsewhere = Answer::redirect("302 Found", "https://127.0.0.1:1/");
    let padded = format!("{set}{}", " ".repeat(64 * 1024));
    let ten_thousand = vec![json!({ "kid": "ins_1" }); 10_000];
    let unusable = [
        json!({ "kty": "EC", "kid": "ins_1", "crv": "P-256", "x": "AA", "y": "AA" }),
        json!({ "kty": "oct", "kid": "ins_1", "k": "c2VjcmV0" }),
        with(&good, "use", "enc"),
        with(&good, "alg", "RS512"),
        with(&good, "e", "AQ"),
        with(&good, "n", "AQAB"),
    ];
    vec![
        ("500", Answer::status("500 Internal Server Error", &set)),
        ("404", Answer::status("404 Not Found", &set)),
        ("204", Answer::status("204 No Content", "")),
        ("a redirect elsewhere", elsewhere),
        ("a redirect to nowhere", Answer::status("302 Found", &set)),
        ("no HTTP", Answer::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec())),
        ("nothing", Answer::Bytes(vec![])),
        ("half of it", Answer::Bytes(half_of(&set))),
        ("garbage", Answer::ok("<html>")),
        ("no text", Answer::ok("\u{0}")),
        ("no JSON object", Answer::ok("[]")),
        ("no keys", Answer::ok("{}")),
        ("keys that are no list", Answer::ok(r#"{"keys":{}}"#)),
        ("an empty set", Answer::keys(&[])),
        ("too much", Answer::ok(&padded)),
        ("far too much", Answer::ok(&" ".repeat(16 << 20))),
        ("10,000 keys", Answer::keys(&ten_thousand)),
        ("10,000 small keys", Answer::keys(&vec![json!(1); 10_000])),
        ("deep", Answer::ok(&"[".repeat(60_000))),
        ("unusable keys", Answer::keys(&unusable)),
        ("no key id", Answer::keys(&[with(&good, "kid", 1)])),
    ]
}

fn with(jwk: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut jwk = jwk.clone();
    jwk[name] = value.into();
    jwk
}

fn half_of(body: &str) -> Vec<u8> {
    let length = body.len();
    let half = &body[..length / 2];
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{half}").into_bytes()
}

#[test]
fn a_token_is_verified_with_a_key_that_is_fetched_once() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        assert_eq!(scene.api.count(), 0, "nothing is fetched at the start");
        assert!(scene.is_signed_in().await);
        assert!(scene.is_signed_in().await);
        assert_eq!(scene.api.count(), 1);
        let fetched = scene.api.last().to_ascii_lowercase();
        assert!(fetched.starts_with("get /.well-known/jwks.json http/1.1\r\n"));
        assert!(fetched.contains(&format!("\r\nhost: {}\r\n", scene.api.host)));
        let product = concat!("clerk-auth/", env!("CARGO_PKG_VERSION"));
        assert!(fetched.contains(&format!("\r\nuser-agent: {product}\r\n")));
        assert!(!fetched.contains("authorization") && !fetched.contains("cookie"));
    });
}

#[test]
fn a_proxy_serves_the_key_set_too() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        let mut instance = instance("unreachable.example.com");
        instance.proxy_url = Some(format!("https://{}/__clerk/", scene.api.host));
        let clerk = fetching(instance);
        let state = decide(&clerk, &token(&scene.issuer, "ins_1")).await;
        assert!(matches!(state, Ok(State::SignedIn(_))));
        let line = "GET /__clerk/.well-known/jwks.json ";
        assert!(scene.api.last().starts_with(line));
    });
}

#[test]
fn a_configured_key_needs_no_key_set() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        let key = Key::from_jwk(&scene.issuer.jwk("another")).unwrap();
        let keys = KeySource::Fixed(PublicKeys::from(key));
        let clerk = Authenticator::new(instance(&scene.api.host), keys);
        let state = decide(&clerk, &token(&scene.issuer, "unknown")).await;
        assert!(matches!(state, Ok(State::SignedIn(_))));
        assert_eq!(scene.api.count(), 0);
    });
}

#[test]
fn twenty_requests_at_once_cause_one_fetch() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        let token = token(&scene.issuer, "ins_1");
        // One that read the clock before another may be the later one to fetch.
        let requests = (0..20).map(|number| {
            let (clerk, token) = (Arc::clone(&scene.clerk), token.clone());
            let now_ms = now_ms() - 100 * number;
            tokio::spawn(async move { decide_at(&clerk, &token, now_ms).await })
        });
        for answer in requests.collect::<Vec<_>>() {
            assert!(matches!(answer.await.unwrap(), Ok(State::SignedIn(_))));
        }
        assert_eq!(scene.api.count(), 1);
    });
}

#[test]
fn a_new_key_is_fetched_when_a_token_names_it() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        assert!(scene.is_signed_in().await);
        let rotated = Issuer::new();
        let new = token(&rotated, "ins_2");
        let both = [scene.issuer.jwk("ins_1"), rotated.jwk("ins_2")];
        scene.api.answer(Answer::keys(&both));
        later(REFETCH_AGE);
        assert!(scene.is_signed_in().await);
        assert_eq!(scene.api.count(), 1, "the known key needs no fetch");
        let state = decide(&scene.clerk, &new).await;
        assert!(matches!(state, Ok(State::SignedIn(_))));
        assert!(scene.is_signed_in().await);
        assert_eq!(scene.api.count(), 2);
    });
}

#[test]
fn a_key_that_was_withdrawn_is_not_believed_any_more() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        assert!(scene.is_signed_in().await);
        let rotated = Issuer::new();
        scene.api.answer(Answer::keys(&[rotated.jwk("ins_2")]));
        later(JWKS_AGE - Duration::from_secs(5));
        assert!(scene.is_signed_in().await);
        assert_eq!(scene.api.count(), 1);
        later(Duration::from_secs(5));
        let state = scene.decide("ins_1").await.unwrap();
        assert_eq!(state, signed_out(Reason::JwkKidMismatch));
        assert_eq!(scene.api.count(), 2);
    });
}

#[test]
fn a_key_that_was_withdrawn_during_a_freeze_is_not_believed_after_it() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        let began = Instant::now();
        assert!(scene.is_signed_in().await);
        scene
            .api
            .answer(Answer::keys(&[Issuer::new().jwk("ins_2")]));
        later(hours(2));
        let state = scene.decide("ins_1").await.unwrap();
        assert_eq!(state, signed_out(Reason::JwkKidMismatch));
        assert_eq!(scene.api.count(), 2);
        assert!(began.elapsed() < JWKS_AGE, "by the monotonic clock");
    });
}

#[test]
fn a_clock_that_was_set_back_causes_one_fetch() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        assert!(scene.is_signed_in().await);
        let rotated = Issuer::new();
        scene.api.answer(Answer::keys(&[rotated.jwk("ins_2")]));
        set_back(Duration::from_secs(2));
        assert!(scene.is_signed_in().await);
        assert_eq!(scene.api.count(), 1, "set right by a little");
        set_back(hours(1));
        for _ in 0..20 {
            let state = scene.decide("ins_1").await.unwrap();
            assert_eq!(state, signed_out(Reason::JwkKidMismatch));
        }
        assert_eq!(scene.api.count(), 2);
        scene.api.answer(Answer::status("500 Broken", ""));
        set_back(hours(1));
        for _ in 0..20 {
            let state = decide(&scene.clerk, &token(&rotated, "ins_2")).await;
            assert!(state.is_err(), "the age of the known keys is not known");
        }
        assert_eq!(scene.api.count(), 3);
    });
}

#[test]
fn made_up_key_ids_cause_one_fetch_in_half_a_minute() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        let mismatch = signed_out(Reason::JwkKidMismatch);
        for fetches in 1..=3 {
            for made_up in 0..50 {
                let state = scene.decide(&format!("made_up_{made_up}")).await;
                assert_eq!(state.unwrap(), mismatch);
            }
            assert_eq!(scene.api.count(), fetches);
            later(REFETCH_AGE - Duration::from_secs(5));
            assert_eq!(scene.decide("made_up").await.unwrap(), mismatch);
            assert_eq!(scene.api.count(), fetches);
            later(Duration::from_secs(5));
        }
        assert!(scene.is_signed_in().await);
        assert_eq!(scene.api.count(), 3);
    });
}

#[test]
fn a_token_that_only_names_our_key_causes_no_fetch() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        assert!(scene.is_signed_in().await);
        later(REFETCH_AGE);
        let state = decide(&scene.clerk, &token(&Issuer::new(), "ins_1")).await;
        assert_eq!(state.unwrap(), signed_out(Reason::TokenInvalidSignature));
        assert_eq!(scene.api.count(), 1);
    });
}

#[test]
fn an_odd_key_id_is_never_looked_up() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        // Not even if the set has such a key.
        let odd = [
            "",
            "a b",
            "a\nb",
            "a\0",
            "é",
            "\u{202e}",
            &"k".repeat(129),
            &"k".repeat(8_192),
        ];
        let keys: Vec<Value> = odd.iter().map(|id| scene.issuer.jwk(id)).collect();
        scene.api.answer(Answer::keys(&keys));
        let mismatch = signed_out(Reason::JwkKidMismatch);
        for id in &odd[1..] {
            assert_eq!(scene.decide(id).await.unwrap(), mismatch, "{id:?}");
        }
        assert_eq!(scene.api.count(), 0);
    });
}

#[test]
fn a_request_without_a_usable_token_causes_no_fetch() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        scene.api.answer(Answer::status("500 Broken", ""));
        let bad = scene
            .issuer
            .token(&json!({ "alg": "RS256" }), &json!({ "sub": "user_1" }));
        for token in ["no-token", "oat_opaque", &bad] {
            assert!(decide(&scene.clerk, token).await.is_ok());
        }
        assert_eq!(scene.api.count(), 0);
        // Nor does it learn that the key set cannot be had.
        assert!(scene.is_unavailable().await);
        assert!(decide(&scene.clerk, "no-token").await.is_ok());
        assert_eq!(scene.api.count(), 1);
    });
}

#[test]
fn without_a_key_set_nobody_is_sent_to_sign_in() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        let token = token(&scene.issuer, "ins_1");
        for (failure, answer) in misbehaviours(&scene.issuer) {
            scene.api.answer(answer);
            let before = scene.api.count();
            let clerk = fetching(instance(&scene.api.host));
            for _ in 0..5 {
                let error = decide(&clerk, &token).await.unwrap_err().to_string();
                assert!(
                    error.starts_with("the key set cannot be fetched: "),
                    "{failure}"
                );
            }
            assert_eq!(scene.api.count(), before + 1, "{failure}");
        }
    });
}

#[test]
fn a_key_set_that_is_missing_is_tried_again_after_two_seconds() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        scene.api.answer(Answer::status("500 Broken", ""));
        assert!(scene.is_unavailable().await);
        scene.api.answer(Answer::keys(&[scene.issuer.jwk("ins_1")]));
        assert!(scene.is_unavailable().await);
        assert_eq!(scene.api.count(), 1);
        later(Duration::from_secs(2));
        assert!(scene.is_signed_in().await);
        assert_eq!(scene.api.count(), 2);
    });
}

#[test]
fn a_failed_refresh_keeps_the_known_keys() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        for (failure, answer) in misbehaviours(&scene.issuer) {
            scene.api.answer(Answer::keys(&[scene.issuer.jwk("ins_1")]));
            later(JWKS_AGE);
            assert!(scene.is_signed_in().await);
            scene.api.answer(answer);
            later(JWKS_AGE);
            let before = scene.api.count();
            assert!(scene.is_signed_in().await, "{failure}");
            let unknown = scene.decide("made_up").await.unwrap();
            assert_eq!(unknown, signed_out(Reason::JwkKidMismatch), "{failure}");
            assert_eq!(scene.api.count(), before + 1, "{failure}");
            later(REFETCH_AGE);
            assert!(scene.is_signed_in().await, "{failure}");
            assert_eq!(scene.api.count(), before + 2, "{failure}");
        }
    });
}

#[test]
fn known_keys_are_believed_for_a_day_without_an_answer() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        assert!(scene.is_signed_in().await);
        scene.api.answer(Answer::status("500 Broken", ""));
        later(hours(23));
        assert!(scene.is_signed_in().await);
        later(hours(1));
        assert!(scene.is_unavailable().await);
        scene.api.answer(Answer::keys(&[scene.issuer.jwk("ins_1")]));
        later(Duration::from_secs(2));
        assert!(scene.is_signed_in().await);
    });
}

#[test]
fn a_server_that_hangs_holds_everyone_up_once_and_for_two_seconds() {
    trusting(async |authority| {
        for answer in [Answer::Silence, Answer::Trickle] {
            let scene = Scene::new(&authority);
            scene.api.answer(answer);
            let token = token(&scene.issuer, "ins_1");
            let began = Instant::now();
            let requests = (0..20).map(|_| {
                let (clerk, token) = (Arc::clone(&scene.clerk), token.clone());
                tokio::spawn(async move { decide(&clerk, &token).await })
            });
            for answer in requests.collect::<Vec<_>>() {
                assert!(answer.await.unwrap().is_err());
            }
            assert!(scene.is_unavailable().await);
            let waited = began.elapsed();
            assert!(waited >= Duration::from_millis(1_900), "{waited:?}");
            assert!(waited < Duration::from_millis(3_900), "{waited:?}");
            assert_eq!(scene.api.count(), 1);
        }
    });
}

#[test]
fn a_server_that_hangs_does_not_take_the_known_keys_away() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        assert!(scene.is_signed_in().await);
        scene.api.answer(Answer::Silence);
        later(JWKS_AGE);
        let began = Instant::now();
        for _ in 0..10 {
            assert!(scene.is_signed_in().await);
        }
        assert!(began.elapsed() < Duration::from_millis(3_900));
        assert_eq!(scene.api.count(), 2);
    });
}

#[test]
fn a_server_that_speaks_no_tls_or_is_not_there_is_unavailable() {
    trusting(async |_| {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let silent_host = silent.local_addr().unwrap().to_string();
        let issuer = Issuer::new();
        for host in [&silent_host, "127.0.0.1:1"] {
            let clerk = fetching(instance(host));
            let began = Instant::now();
            assert!(decide(&clerk, &token(&issuer, "ins_1")).await.is_err());
            assert!(began.elapsed() < Duration::from_millis(3_900), "{host}");
        }
    });
}

#[test]
fn only_the_server_that_is_meant_is_asked() {
    trusting(async |authority| {
        let stranger = Authority::new();
        let elsewhere = Certified {
            address: "127.0.0.2",
            ..OURS
        };
        let expired = Certified { days: -1, ..OURS };
        let issuer = Issuer::new();
        let answer = Answer::keys(&[issuer.jwk("ins_1")]);
        for (flaw, tls) in [
            ("another authority", stranger.certify(&OURS)),
            ("another address", authority.certify(&elsewhere)),
            ("expired", authority.certify(&expired)),
        ] {
            let api = FrontendApi::start(tls, answer.clone());
            let clerk = fetching(instance(&api.host));
            let state = decide(&clerk, &token(&issuer, "ins_1")).await;
            assert!(state.is_err(), "{flaw}");
            assert_eq!(api.count(), 0, "{flaw}");
        }
    });
}

#[test]
fn a_redirect_to_the_same_origin_is_followed() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        let token = token(&scene.issuer, "ins_1");
        let host = &scene.api.host;
        for (status, location, target) in [
            ("301 Moved Permanently", "/keys.json?v=1", "/keys.json?v=1"),
            ("302 Found", "keys.json#top", "/.well-known/keys.json"),
            ("303 See Other", &format!("//{host}"), "/"),
            ("307 Temporary Redirect", &format!("https://{host}/a"), "/a"),
            (
                "308 Permanent Redirect",
                &format!("HTTPS://x@{host}//a"),
                "//a",
            ),
        ] {
            let before = scene.api.count();
            scene.api.answer_once(Answer::redirect(status, location));
            let state = decide(&fetching(instance(host)), &token).await;
            assert!(matches!(state, Ok(State::SignedIn(_))), "{location}");
            let line = format!("GET {target} HTTP/1.1\r\n");
            assert!(scene.api.last().starts_with(&line), "{location}");
            assert_eq!(scene.api.count(), before + 2, "{location}");
        }
    });
}

#[test]
fn a_redirect_to_another_origin_is_not_followed() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        let elsewhere = Scene::new(&authority);
        let token = token(&scene.issuer, "ins_1");
        let (host, other) = (&scene.api.host, &elsewhere.api.host);
        let port = host.rsplit(':').next().unwrap();
        for origin in [
            format!("https://{other}"),
            format!("https://localhost:{port}"),
            format!("https://127.0.0.2:{port}"),
            format!("http://{host}"),
        ] {
            for location in [format!("{origin}/.well-known/jwks.json"), origin.clone()] {
                scene
                    .api
                    .answer_once(Answer::redirect("302 Found", &location));
                let state = decide(&fetching(instance(host)), &token).await;
                let error = state.unwrap_err().to_string();
                let reason = format!("redirected to another origin, {origin}");
                assert!(error.ends_with(&reason), "{error}");
            }
        }
        let network_path = format!("//{other}/.well-known/jwks.json");
        for location in [
            &network_path,
            "data:application/json,{}",
            "https://[",
            "\u{80}",
        ] {
            scene
                .api
                .answer_once(Answer::redirect("302 Found", location));
            let state = decide(&fetching(instance(host)), &token).await;
            assert!(state.is_err(), "{location}");
        }
        assert_eq!(scene.api.count(), 12);
        assert_eq!(elsewhere.api.count(), 0);
    });
}

#[test]
fn a_second_redirect_is_not_followed() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        let to_itself = "/.well-known/jwks.json";
        scene.api.answer(Answer::redirect("302 Found", to_itself));
        let error = scene.decide("ins_1").await.unwrap_err().to_string();
        assert!(error.ends_with("redirected twice"), "{error}");
        assert_eq!(scene.api.count(), 2);
    });
}

#[test]
fn the_valid_keys_of_a_set_are_taken_and_no_more_than_32() {
    trusting(async |authority| {
        let scene = Scene::new(&authority);
        let good = |id: &str| scene.issuer.jwk(id);
        let mut keys = vec![
            json!({ "kty": "EC", "kid": "curve", "crv": "P-256", "x": "AA", "y": "AA" }),
            with(&good("for_encryption"), "use", "enc"),
            with(&good("for_another"), "alg", "RS512"),
            json!(null),
        ];
        keys.extend((4..40).map(|number| good(&format!("ins_{number}"))));
        scene.api.answer(Answer::keys(&keys));
        for known in ["ins_4", "ins_31"] {
            let state = scene.decide(known).await;
            assert!(matches!(state, Ok(State::SignedIn(_))), "{known}");
        }
        let mismatch = signed_out(Reason::JwkKidMismatch);
        for unknown in ["curve", "for_encryption", "for_another", "ins_32"] {
            assert_eq!(scene.decide(unknown).await.unwrap(), mismatch);
        }
        assert_eq!(scene.api.count(), 1);
    });
}
