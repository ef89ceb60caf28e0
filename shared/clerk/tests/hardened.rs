//! The rules beyond Clerk's SDK: loops, left-over handshakes, several cookies of
//! one name, sessions without `azp`.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::sync::LazyLock;

use clerk_auth::{
    AuthorizedParties, Decision, Instance, Key, Obstacle, PublicKeys, PublishableKey, Reason,
    RequestView, State, authenticate,
};
use serde_json::{Value, json};

mod issuer;
use issuer::Issuer;

const NOW: i64 = 1_700_000_000;
const ORIGIN: &str = "https://app.quotes.example.com";
/// `clerk.example.com`
const PRODUCTION: &str = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k";
const DEVELOPMENT: &str = "pk_test_aGFwcHktaGlwcG8tMS5jbGVyay5hY2NvdW50cy5kZXYk";

static ISSUER: LazyLock<Issuer> = LazyLock::new(Issuer::new);
static OTHER: LazyLock<Issuer> = LazyLock::new(Issuer::new);

fn instance(publishable_key: &str) -> Instance {
    Instance {
        issuer: None,
        ..Instance::new(PublishableKey::parse(publishable_key).unwrap())
    }
}

fn strict(publishable_key: &str) -> Instance {
    Instance {
        authorized_parties: AuthorizedParties::Listed(vec![ORIGIN.to_owned()]),
        ..instance(publishable_key)
    }
}

fn view<'a>(target: &'a str, cookie: &'a str) -> RequestView<'a> {
    RequestView {
        method: "GET",
        target,
        origin: ORIGIN,
        cookie: (!cookie.is_empty()).then(|| cookie.into()),
        sec_fetch_dest: Some("document"),
        ..RequestView::default()
    }
}

fn decide_by(instance: &Instance, request: &RequestView<'_>) -> Decision {
    let keys = PublicKeys::from(Key::from_jwk(&ISSUER.jwk("ins_1")).unwrap());
    authenticate(instance, &keys, request, NOW * 1000)
}

fn decide(publishable_key: &str, target: &str, cookie: &str) -> Decision {
    decide_by(&instance(publishable_key), &view(target, cookie))
}

fn user(decision: &Decision) -> Option<&str> {
    match &decision.state {
        State::SignedIn(session) => Some(session.user.as_str()),
        State::SignedOut { .. } | State::Handshake { .. } | State::UnreadableHandshake => None,
    }
}

fn obstacle(decision: &Decision) -> Option<Obstacle> {
    match decision.state {
        State::SignedOut { obstacle, .. } => obstacle,
        State::SignedIn(_) | State::Handshake { .. } | State::UnreadableHandshake => None,
    }
}

/// A session of this user, issued so many seconds ago; it lives for a minute.
fn session_by(issuer: &Issuer, user: &str, age: i64, azp: &Value) -> String {
    let iat = NOW - age;
    issuer.token(
        &json!({ "alg": "RS256", "typ": "JWT" }),
        &json!({ "sub": user, "azp": azp, "iat": iat, "exp": iat + 60 }),
    )
}

fn session(user: &str, age: i64) -> String {
    session_by(&ISSUER, user, age, &json!(ORIGIN))
}

fn handshake_of(session: &str) -> String {
    handshake(&json!({ "handshake": [format!("__session={session}; Path=/")] }))
}

fn handshake(claims: &Value) -> String {
    ISSUER.token(&json!({ "alg": "RS256", "typ": "JWT" }), claims)
}

#[test]
fn of_a_token_that_came_before_only_the_signature_is_known() {
    let keys = |issuer: &Issuer| PublicKeys::from(Key::from_jwk(&issuer.jwk("ins_1")).unwrap());
    let (known, rotated) = (keys(&ISSUER), keys(&OTHER));
    let here = strict(PRODUCTION);
    let elsewhere = Instance {
        authorized_parties: AuthorizedParties::Listed(vec!["https://other.example".to_owned()]),
        ..instance(PRODUCTION)
    };
    let own = session("user_1", 0);
    let signature = own.rsplit_once('.').unwrap().1;
    let foreign = session_by(&OTHER, "user_2", 0, &json!(ORIGIN));
    let forged = format!("{}.{signature}", foreign.rsplit_once('.').unwrap().0);
    let user = |instance, keys, token: &str, client_uat: i64, seconds: i64| {
        let cookie = format!("__session={token}; __client_uat={client_uat}");
        let decision = authenticate(instance, keys, &view("/", &cookie), seconds * 1000);
        user(&decision).map(str::to_owned)
    };
    for seconds in [NOW, NOW + 1, NOW + 59] {
        let user = user(&here, &known, &own, 1, seconds);
        assert_eq!(user.as_deref(), Some("user_1"), "{seconds}");
    }
    for (case, refused) in [
        ("expired", user(&here, &known, &own, 1, NOW + 66)),
        ("not yet issued", user(&here, &known, &own, 1, NOW - 60)),
        ("signed in since", user(&here, &known, &own, NOW + 1, NOW)),
        ("another origin", user(&elsewhere, &known, &own, 1, NOW)),
        ("another key", user(&here, &rotated, &own, 1, NOW)),
        ("other claims", user(&here, &known, &forged, 1, NOW)),
    ] {
        assert_eq!(refused, None, "{case}");
    }
}

/// The mark in the URL that the next redirect leads back to.
fn next_mark(decision: &Decision) -> Option<String> {
    let url = url::Url::parse(decision.location()?).unwrap();
    let back = url.query_pairs().find(|(name, _)| name == "redirect_url")?;
    let back = url::Url::parse(&back.1).unwrap();
    let mark = back
        .query_pairs()
        .find(|(name, _)| name == "__clerk_redirects")?;
    Some(mark.1.into_owned())
}

#[test]
fn redirects_are_counted_in_the_url_as_well() {
    for (target, cookie, next) in [
        ("/", "", "1"),
        ("/?__clerk_redirects=1.1700000000", "", "2"),
        ("/?__clerk_redirects=2.1699999940", "", "3"),
        (
            "/?__clerk_redirects=1.1700000000",
            "; __clerk_redirect_count=2",
            "3",
        ),
        // Too old, of the future, or no mark.
        ("/?__clerk_redirects=2.1699999939", "", "1"),
        ("/?__clerk_redirects=2.1700000001", "", "1"),
        ("/?__clerk_redirects=2", "", "1"),
        ("/?__clerk_redirects=-2.1700000000", "", "1"),
        ("/?__clerk_redirects=2.+1700000000", "", "1"),
        ("/?__clerk_redirects=2.1700000000.1", "", "1"),
    ] {
        let cookie = format!("__client_uat=1{cookie}");
        let decision = decide(PRODUCTION, target, &cookie);
        let mark = next_mark(&decision);
        assert_eq!(mark, Some(format!("{next}.{NOW}")), "{target}");
        assert!(decision.set_cookie[0].starts_with(&format!("__clerk_redirect_count={next};")));
    }
    for target in [
        "/?__clerk_redirects=3.1700000000",
        "/?__clerk_redirects=99999999999999999999.1700000000",
    ] {
        let decision = decide(PRODUCTION, target, "__client_uat=1");
        assert!(obstacle(&decision).is_some(), "{target}");
        assert_eq!(decision.location(), None);
    }
}

#[test]
fn by_the_sdks_rules_a_url_has_no_mark() {
    let instance = Instance {
        hardened: false,
        ..instance(PRODUCTION)
    };
    let target = "/?__clerk_redirects=3.1700000000";
    let decision = decide_by(&instance, &view(target, "__client_uat=1"));
    let location = decision.location().unwrap();
    assert!(location.contains("%3F__clerk_redirects%3D3.1700000000&"));
}

#[test]
fn what_stops_a_loop_is_named_where_it_shows() {
    let slow = "/?__clerk_redirects=3.1699999970";
    let at_once = "/?__clerk_redirects=3.1700000000";
    let handshake = handshake(&json!({ "handshake": ["__session=bad; Path=/"] }));
    let with_handshake = format!("__client_uat=1; __clerk_handshake={handshake}");
    for (key, target, cookie, expected) in [
        (DEVELOPMENT, at_once, "", Obstacle::CookiesOff),
        (DEVELOPMENT, slow, "", Obstacle::CookiesOff),
        (
            DEVELOPMENT,
            slow,
            "__clerk_db_jwt=d; __client_uat=1",
            Obstacle::CookieLost,
        ),
        (PRODUCTION, slow, "__client_uat=1", Obstacle::CookieLost),
        (PRODUCTION, slow, &with_handshake, Obstacle::Loop),
        (
            PRODUCTION,
            "/",
            "__client_uat=1; __clerk_redirect_count=3",
            Obstacle::Loop,
        ),
    ] {
        let decision = decide(key, target, cookie);
        assert_eq!(obstacle(&decision), Some(expected), "{target} {cookie}");
    }
    let refused = decide(PRODUCTION, slow, &with_handshake).handshake_refused;
    assert_eq!(refused, Some(Reason::TokenInvalid));
}

#[test]
fn the_mark_leaves_the_url_where_the_cookie_counts() {
    let token = handshake_of(&session("ada", 1));
    let target = format!("/?a=b&__clerk_redirects=1.{NOW}&__clerk_handshake={token}");
    let counted = decide(DEVELOPMENT, &target, "__clerk_redirect_count=1");
    assert_eq!(counted.location(), Some(&*format!("{ORIGIN}/?a=b")));
    let counter = "__clerk_redirect_count=1; SameSite=Lax; HttpOnly; Max-Age=2";
    assert_eq!(counted.set_cookie[1], counter);

    let lost = decide(DEVELOPMENT, &target, "");
    let kept = format!("{ORIGIN}/?a=b&__clerk_redirects=1.{NOW}");
    assert_eq!(lost.location(), Some(&*kept));
    assert_eq!(lost.set_cookie.len(), 1);
}

#[test]
fn a_session_ends_the_count() {
    let cookie = format!("__session={}; __client_uat=1", session("ada", 1));
    let counted = format!("{cookie}; __clerk_redirect_count=3");
    let ended = ["__clerk_redirect_count=; SameSite=Lax; HttpOnly; Max-Age=0"];
    assert_eq!(decide(PRODUCTION, "/", &counted).set_cookie, ended);
    assert!(decide(PRODUCTION, "/", &cookie).set_cookie.is_empty());
    // Not before the redirect that a handshake of development needs.
    let target = format!("/?__clerk_handshake={}", handshake_of(&session("ada", 1)));
    let returned = decide(DEVELOPMENT, &target, "__clerk_redirect_count=1");
    assert_eq!(returned.set_cookie.len(), 1);
}

#[test]
fn a_handshake_that_is_out_of_date_is_passed_over() {
    let fresh = session("grace", 1);
    let with_exp = |exp: i64| {
        let directive = format!("__session={fresh}; Path=/");
        handshake(&json!({ "handshake": [directive], "exp": exp }))
    };
    let older = handshake_of(&session("grace", 30));
    for (name, handshake, cookie, expected) in [
        ("fresh", handshake_of(&fresh), String::new(), Some("grace")),
        ("lives", with_exp(NOW - 4), String::new(), Some("grace")),
        ("has expired", with_exp(NOW - 5), String::new(), None),
        (
            "older than the session",
            older.clone(),
            format!("__session={}; __client_uat=1", session("ada", 20)),
            Some("ada"),
        ),
        (
            "newer than the session",
            handshake_of(&fresh),
            format!("__session={}; __client_uat=1", session("ada", 20)),
            Some("grace"),
        ),
        (
            "newer than a forged session",
            older.clone(),
            format!(
                "__session={}; __client_uat=1",
                session_by(&OTHER, "eve", 0, &json!(ORIGIN))
            ),
            Some("grace"),
        ),
        (
            "older than the last sign-in",
            older.clone(),
            format!("__client_uat={}", NOW - 29),
            None,
        ),
        (
            "as old as the last sign-in",
            older.clone(),
            format!("__client_uat={}", NOW - 30),
            Some("grace"),
        ),
        (
            "after signing out",
            handshake_of(&fresh),
            "__client_uat=0".to_owned(),
            None,
        ),
    ] {
        let cookie = format!("{cookie}; __clerk_handshake={handshake}");
        let decision = decide(PRODUCTION, "/", &cookie);
        assert_eq!(user(&decision), expected, "{name}: {decision:?}");
    }
}

#[test]
fn an_expired_session_still_shows_that_a_handshake_is_older() {
    let cookie = format!(
        "__session={}; __client_uat=1; __clerk_handshake={}",
        session("ada", 70),
        handshake_of(&session("eve", 80)),
    );
    let decision = decide(PRODUCTION, "/", &cookie);
    assert!(matches!(decision.state, State::Handshake { .. }));
    let superseded = Some(Reason::SessionTokenIatBeforeClientUat);
    assert_eq!(decision.handshake_refused, superseded);
}

#[test]
fn development_leaves_a_handshake_that_is_passed_over() {
    let target = format!(
        "/?a=b&__clerk_handshake={}",
        handshake_of(&session("x", 30))
    );
    let own = session("ada", 20);
    let cookie = format!("__clerk_db_jwt=d; __session={own}; __client_uat=1");
    let decision = decide(DEVELOPMENT, &target, &cookie);
    assert_eq!(user(&decision), Some("ada"));
    assert_eq!(decision.location(), Some(&*format!("{ORIGIN}/?a=b")));
    assert!(decision.set_cookie.is_empty());

    let waiting = "__clerk_db_jwt=d; __client_uat=1699999990";
    let location = decide(DEVELOPMENT, &target, waiting);
    let location = location.location().unwrap();
    assert!(!location.contains("__clerk_handshake%3D"), "{location}");
}

#[test]
fn a_left_over_is_deleted_on_every_domain_of_the_host() {
    let deletion =
        |domain: &str| format!("__clerk_handshake=; Path=/; Max-Age=0; Secure; HttpOnly{domain}");
    let all = [
        deletion(""),
        deletion("; Domain=app.quotes.example.com"),
        deletion("; Domain=quotes.example.com"),
        deletion("; Domain=example.com"),
    ];
    let own = session("ada", 1);
    let deleted = |key: &str, handshake: &str| {
        let cookie = format!("__session={own}; __client_uat=1; __clerk_handshake={handshake}");
        decide(key, "/", &cookie).set_cookie
    };
    let stale = handshake_of(&session("eve", 30));
    assert_eq!(deleted(PRODUCTION, &stale), all);
    assert_eq!(deleted(PRODUCTION, "garbage"), all);
    let foreign = OTHER.token(&json!({ "alg": "RS256" }), &json!({ "handshake": [] }));
    assert!(deleted(PRODUCTION, &foreign).is_empty());
    assert!(deleted(PRODUCTION, "").is_empty());
}

#[test]
fn of_several_cookies_the_one_that_verifies_counts() {
    let (own, foreign) = (
        session("ada", 1),
        session_by(&OTHER, "eve", 0, &json!(ORIGIN)),
    );
    let expired = session("ada", 100);
    for cookies in [
        [&foreign, &own],
        [&own, &foreign],
        [&expired, &own],
        [&own, &expired],
    ] {
        let [first, second] = cookies;
        let cookie = format!("__session={first}; __client_uat=1; __session={second}");
        assert_eq!(user(&decide(PRODUCTION, "/", &cookie)), Some("ada"));
    }
    // The session to renew.
    let cookie = format!("__session={foreign}; __client_uat=1; __session={expired}");
    let decision = decide(PRODUCTION, "/", &cookie);
    let location = decision.location().unwrap();
    assert!(location.ends_with(&format!("&__session={expired}")));

    let foreign = OTHER.token(&json!({ "alg": "RS256" }), &json!({ "handshake": [] }));
    let cookie = format!(
        "__clerk_handshake={foreign}; __clerk_handshake={}",
        handshake_of(&own)
    );
    assert_eq!(user(&decide(PRODUCTION, "/", &cookie)), Some("ada"));
}

#[test]
fn of_several_header_values_the_one_that_verifies_counts() {
    let own = session("ada", 1);
    let foreign = session_by(&OTHER, "eve", 0, &json!(ORIGIN));
    for value in [
        format!("Basic dXNlcg==, Bearer {own}"),
        format!("Bearer {foreign},Bearer {own}"),
        format!("Bearer {own}, Bearer {foreign}"),
    ] {
        let request = RequestView {
            authorization: Some(value.into()),
            ..view("/", "")
        };
        let decision = decide_by(&instance(PRODUCTION), &request);
        assert_eq!(user(&decision), Some("ada"));
    }
}

#[test]
fn a_session_that_lacks_only_azp_can_be_renewed_by_a_page() {
    let lacking = |age| session_by(&ISSUER, "ada", age, &json!(null));
    let page = |session: &str| {
        let cookie = format!("__session={session}; __client_uat=1");
        decide_by(&strict(PRODUCTION), &view("/", &cookie))
    };
    let decision = page(&lacking(1));
    assert_eq!(obstacle(&decision), Some(Obstacle::AzpMissing));
    let expired = page(&lacking(100));
    assert!(matches!(expired.state, State::Handshake { .. }));
    let elsewhere = session_by(&ISSUER, "ada", 1, &json!("https://a.example"));
    assert!(matches!(
        page(&elsewhere).state,
        State::SignedOut {
            reason: Reason::TokenInvalidAuthorizedParties,
            obstacle: None,
        }
    ));
    let script = RequestView {
        sec_fetch_dest: Some("empty"),
        ..view("/", "")
    };
    let cookie = format!("__session={}; __client_uat=1", lacking(1));
    let script = RequestView {
        cookie: Some(cookie.into()),
        ..script
    };
    assert_eq!(obstacle(&decide_by(&strict(PRODUCTION), &script)), None);
}

#[test]
fn a_handshake_that_brings_a_session_without_azp_sets_its_cookies() {
    let lacking = session_by(&ISSUER, "ada", 1, &json!(""));
    let token = handshake_of(&lacking);
    let cookie = format!("__client_uat=1; __clerk_handshake={token}");
    let decision = decide_by(&strict(PRODUCTION), &view("/", &cookie));
    assert_eq!(obstacle(&decision), Some(Obstacle::AzpMissing));
    assert!(decision.set_cookie[0].starts_with("__session="));

    let target = format!("/?__clerk_handshake={token}");
    let decision = decide_by(&strict(DEVELOPMENT), &view(&target, ""));
    assert_eq!(decision.location(), Some(&*format!("{ORIGIN}/")));
    assert_eq!(decision.set_cookie.len(), 1);
}

#[test]
fn the_payload_of_a_nonce_is_what_a_handshake_brings() {
    let payload = [json!(format!("__session={}; Path=/", session("ada", 1)))];
    let request = RequestView {
        handshake_payload: Some(&payload),
        ..view("/", "__client_uat=1; __clerk_handshake_nonce=n")
    };
    let decision = decide_by(&instance(PRODUCTION), &request);
    assert_eq!(user(&decision), Some("ada"));
    let deleted = decision.set_cookie.iter().skip(1);
    assert_eq!(deleted.len(), 4);
    for cookie in deleted {
        assert!(cookie.starts_with("__clerk_handshake_nonce=; "));
    }
    let out = RequestView {
        cookie: Some("__client_uat=0; __clerk_handshake_nonce=n".into()),
        ..request
    };
    assert_eq!(user(&decide_by(&instance(PRODUCTION), &out)), None);
}
