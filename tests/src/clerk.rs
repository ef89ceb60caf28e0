//! Clerk instances, users and their tokens, signed for real.

use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clerk_stand_in::keys::publishable_key;
use clerk_stand_in::{Config, StandIn, Switches};
use openssl::sha::sha1;
use serde_json::{Value, json};

use crate::environment::Variables;
use crate::random::unique;

/// How long a user's token is valid, in seconds: longer than any test takes.
const TEST_TOKEN_AGE: u64 = 600;

/// A Clerk instance and the application that it belongs to.
pub struct Instance {
    stand_in: Arc<StandIn>,
    publishable_key: String,
    /// Origin of the application.
    pub origin: &'static str,
    /// Host of the Frontend API, from the publishable key.
    pub host: &'static str,
}

/// A user who is signed in.
#[derive(Clone, Debug)]
pub struct User {
    pub id: String,
    /// A session token.
    pub token: String,
}

impl User {
    /// What tells the user's pages and forms from those of others.
    pub fn hash(&self) -> String {
        let mut hash = URL_SAFE_NO_PAD.encode(sha1(self.id.as_bytes()));
        hash.truncate(8);
        hash
    }
}

impl Instance {
    /// A production instance with an application on https.
    pub fn production() -> &'static Self {
        static PRODUCTION_INSTANCE: LazyLock<Instance> =
            LazyLock::new(|| Instance::production_with(Switches::default()));
        &PRODUCTION_INSTANCE
    }

    /// A development instance with an application on localhost.
    pub fn development() -> &'static Self {
        static DEVELOPMENT_INSTANCE: LazyLock<Instance> = LazyLock::new(|| {
            Instance::new(
                "happy-hippo-1.clerk.accounts.dev",
                false,
                "http://localhost:9000",
                Switches::default(),
            )
        });
        &DEVELOPMENT_INSTANCE
    }

    /// Another instance with the same names as [`Instance::production`]: only
    /// its key is different.
    pub fn impostor() -> &'static Self {
        static IMPOSTOR_INSTANCE: LazyLock<Instance> =
            LazyLock::new(|| Instance::production_with(Switches::default()));
        &IMPOSTOR_INSTANCE
    }

    /// As [`Instance::impostor`], with these switches of the stand-in.
    pub fn production_with(switches: Switches) -> Self {
        let origin = "https://quotes.example.com";
        Self::new("clerk.example.com", true, origin, switches)
    }

    fn new(host: &'static str, production: bool, origin: &'static str, switches: Switches) -> Self {
        let publishable_key = publishable_key(host, production);
        // Kept only until the key is read: nobody signs in through this stand-in.
        let folder = tempfile::tempdir().unwrap();
        let stand_in = StandIn::open(Config {
            dir: folder.path().to_owned(),
            publishable_key: publishable_key.clone(),
            frontend_api: format!("https://{host}"),
            accounts: format!("https://{}", host.replacen("clerk.", "accounts.", 1)),
            app_origin: origin.to_owned(),
            node_modules: folder.path().to_owned(),
            token_ttl_secs: TEST_TOKEN_AGE,
        })
        .unwrap();
        Self {
            stand_in: Arc::new(stand_in.with(switches)),
            publishable_key,
            origin,
            host,
        }
    }

    /// The environment variables of the application.
    pub fn variables(&self) -> Variables {
        Variables::from([
            ("CLERK_PUBLISHABLE_KEY", self.publishable_key.clone()),
            ("CLERK_JWT_KEY", self.stand_in.jwt_key()),
            ("PUBLIC_ORIGIN", self.origin.to_owned()),
            (
                "CLERK_WEBHOOK_SIGNING_SECRET",
                self.stand_in.webhook_secret().to_owned(),
            ),
        ])
    }

    /// A new user who is signed in.
    pub fn user(&self) -> User {
        let id = format!("user_{}", unique());
        let token = self.stand_in.token(&id, TEST_TOKEN_AGE).unwrap();
        User { id, token }
    }

    /// A session token of this user in which these claims replace the usual
    /// ones; `null` removes a claim.
    pub fn token_with(&self, user: &User, claims: &Value) -> String {
        self.token_of(user, &json!({}), claims)
    }

    /// As [`Instance::token_with`], for the header.
    pub fn token_with_header(&self, user: &User, header: &Value) -> String {
        self.token_of(user, header, &json!({}))
    }

    /// A session token that expired a minute ago.
    pub fn expired_token(&self, user: &User) -> String {
        let now = now();
        let times = json!({ "iat": now - 120, "nbf": now - 130, "exp": now - 60 });
        self.token_with(user, &times)
    }

    /// The token of a handshake that sets these cookies.
    pub fn handshake_token(&self, directives: &[String]) -> String {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id() });
        let claims = json!({ "handshake": directives });
        self.stand_in.sign(&header, &claims).unwrap()
    }

    /// The stand-in that has the instance's keys.
    pub fn stand_in(&self) -> &Arc<StandIn> {
        &self.stand_in
    }

    /// As [`Instance::token_with`], for header and claims.
    pub fn token_of(&self, user: &User, header: &Value, claims: &Value) -> String {
        let now = now();
        let usual_header = json!({
            "alg": "RS256", "cat": "cl_B7d4PD111AAA", "kid": self.key_id(), "typ": "JWT",
        });
        let usual_claims = json!({
            "azp": self.origin,
            "exp": now + TEST_TOKEN_AGE,
            "fva": [0, -1],
            "iat": now,
            "iss": format!("https://{}", self.host),
            "nbf": now - 10,
            "sid": format!("sess_{}", unique()),
            "sts": "active",
            "sub": user.id,
            "v": 2,
        });
        let header = override_members(usual_header, header);
        let claims = override_members(usual_claims, claims);
        self.stand_in.sign(&header, &claims).unwrap()
    }

    fn key_id(&self) -> Value {
        self.stand_in.jwks()["keys"][0]["kid"].clone()
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn override_members(mut usual: Value, changes: &Value) -> Value {
    let members = usual.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    usual
}
