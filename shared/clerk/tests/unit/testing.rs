//! What the unit tests have in common: an instance that can sign.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::instance::{Instance, PublishableKey};
use crate::key::{Key, PublicKeys};
use crate::request::RequestView;

#[path = "../issuer/mod.rs"]
mod issuer;
pub(crate) use issuer::Issuer;

/// The instance's key.
pub(crate) static ISSUER: LazyLock<Issuer> = LazyLock::new(Issuer::new);

/// The time of the tests, in seconds.
pub(crate) const NOW: i64 = 1_700_000_000;

/// [`NOW`] in milliseconds.
pub(crate) const NOW_MS: i64 = NOW * 1000;

/// Origin of the application.
pub(crate) const ORIGIN: &str = "https://www.example.com";

/// `happy-hippo-1.clerk.accounts.dev`, whose cookies end in `_MWTw9P_R`.
pub(crate) const DEVELOPMENT: &str = "pk_test_aGFwcHktaGlwcG8tMS5jbGVyay5hY2NvdW50cy5kZXYk";

/// `clerk.example.com`.
pub(crate) const PRODUCTION: &str = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k";

/// The instance of a key, by the rules of Clerk's SDK.
pub(crate) fn instance(publishable_key: &str) -> Instance {
    Instance {
        issuer: Some("https://clerk.example.com".to_owned()),
        hardened: false,
        ..Instance::new(PublishableKey::parse(publishable_key).unwrap())
    }
}

pub(crate) fn keys() -> PublicKeys {
    Key::from_jwk(&ISSUER.jwk("ins_1")).unwrap().into()
}

/// A browser that loads the page.
pub(crate) fn page_load() -> RequestView<'static> {
    RequestView {
        method: "GET",
        target: "/",
        origin: ORIGIN,
        sec_fetch_dest: Some("document"),
        ..RequestView::default()
    }
}

/// The header of a session token.
pub(crate) fn header() -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": "ins_1", "cat": "cl_B7d4PD111AAA" })
}

/// The claims of a session token that is valid now.
pub(crate) fn claims() -> Value {
    json!({
        "sub": "user_1", "sid": "sess_1", "azp": ORIGIN, "iss": "https://clerk.example.com",
        "iat": NOW - 10, "nbf": NOW - 20, "exp": NOW + 50,
    })
}

/// `members` with one of them changed.
pub(crate) fn with(mut members: Value, name: &str, value: impl Into<Value>) -> Value {
    members[name] = value.into();
    members
}

/// `members` with one of them left out.
pub(crate) fn without(mut members: Value, name: &str) -> Value {
    members.as_object_mut().unwrap().remove(name);
    members
}

/// A session token with these claims.
pub(crate) fn session(claims: &Value) -> String {
    ISSUER.token(&header(), claims)
}
