//! One Clerk instance: what it consists of, its tokens, and which browser a
//! request comes from.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::ensure;
use http::header::ORIGIN;
use serde_json::{Value, json};

use crate::{
    config::{Config, Switches},
    cookies::{CLIENT, Cookies, DEV_BROWSER},
    keys::{self, Instance, SigningKey},
    store::{Client, Session, Store, now_ms},
    web::Request,
};

/// `cat` of a session token, by which Clerk's verifiers tell it from JWT
/// templates and machine tokens (`JwtCategory` of @clerk/backend).
const SESSION_CATEGORY: &str = "cl_B7d4PD111AAA";

/// One Clerk instance: its key, its demo users and who is signed in.
pub struct StandIn {
    pub(crate) config: Config,
    pub(crate) switches: Switches,
    pub(crate) instance: Instance,
    pub(crate) key: SigningKey,
    pub(crate) store: Store,
    pub(crate) cookies: Cookies,
    secret_key: String,
    pub(crate) webhook_secret: String,
    handshakes: Mutex<HashMap<String, Vec<String>>>,
}

impl StandIn {
    /// Opens the instance whose key and sign-ins are kept in `config.dir`, and
    /// makes both on first use.
    ///
    /// # Errors
    /// A publishable key or an address that is not one, or a folder that
    /// cannot be read or written.
    pub fn open(config: Config) -> anyhow::Result<Self> {
        let config = config.checked()?;
        let instance = Instance::of(&config.publishable_key)?;
        let store = Store::open(&config.dir)?;
        Ok(Self {
            key: SigningKey::open(&store)?,
            secret_key: keys::secret_key(&store, &instance)?,
            webhook_secret: keys::webhook_secret(&store)?,
            handshakes: Mutex::default(),
            cookies: Cookies::new(&config, &instance),
            config,
            switches: Switches::default(),
            instance,
            store,
        })
    }

    /// The same instance with these switches, for tests.
    #[must_use]
    pub fn with(self, switches: Switches) -> Self {
        Self { switches, ..self }
    }

    /// The public key as PEM (SPKI), for `CLERK_JWT_KEY`.
    #[must_use]
    pub fn jwt_key(&self) -> String {
        self.key.public_pem.clone()
    }

    /// The key of the Backend API, for `CLERK_SECRET_KEY`.
    #[must_use]
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// The secret that webhook messages are signed with, for
    /// `CLERK_WEBHOOK_SIGNING_SECRET`.
    #[must_use]
    pub fn webhook_secret(&self) -> &str {
        &self.webhook_secret
    }

    /// The key set, as `/.well-known/jwks.json` serves it.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.key.jwks.clone()
    }

    /// A session token for any user id, which need not be that of a demo user.
    ///
    /// # Errors
    /// An empty user id, a life of no seconds, or the crypto library's failure.
    pub fn token(&self, user_id: &str, ttl_secs: u64) -> anyhow::Result<String> {
        ensure!(!user_id.is_empty(), "a token needs a user id");
        let azp = Some(self.config.app_origin.as_str());
        self.sign_session(&Session::new(user_id)?, ttl_secs, azp)
    }

    /// Any header and claims under the instance's key (RS256), so that tests
    /// can make tokens that must be refused.
    ///
    /// # Errors
    /// The crypto library's failure.
    pub fn sign(&self, header: &Value, claims: &Value) -> anyhow::Result<String> {
        self.key.sign(header, claims)
    }

    /// The token of a session for this request, valid for as long as is
    /// configured.
    pub(crate) fn session_token(
        &self,
        request: &Request,
        session: &Session,
    ) -> anyhow::Result<String> {
        let azp = if self.switches.azp_from_origin {
            request.header(&ORIGIN)
        } else {
            Some(self.config.app_origin.as_str())
        };
        self.sign_session(session, self.config.token_ttl_secs, azp)
    }

    fn sign_session(
        &self,
        session: &Session,
        ttl_secs: u64,
        azp: Option<&str>,
    ) -> anyhow::Result<String> {
        ensure!(ttl_secs > 0, "a token must live for at least a second");
        let now = now_ms() / 1000;
        let minutes = now.saturating_sub(session.created_at / 1000) / 60;
        let header = json!({
            "alg": "RS256",
            "typ": "JWT",
            "kid": self.key.id,
            "cat": SESSION_CATEGORY,
        });
        let issuer = if self.switches.proxy_issuer {
            self.config.frontend_api.clone()
        } else {
            format!("https://{}", self.instance.host)
        };
        let mut claims = json!({
            "exp": now.saturating_add(ttl_secs),
            "fva": [minutes, -1],
            "iat": now,
            "iss": issuer,
            // Clerk's tokens are valid ten seconds early, for slow clocks.
            "nbf": now.saturating_sub(10),
            "sid": session.id,
            "sts": "active",
            "sub": session.user_id,
            "v": 2,
        });
        if let Some(azp) = azp {
            claims["azp"] = azp.into();
        }
        if self.switches.custom_claim_bytes > 0 {
            claims["custom"] = "x".repeat(self.switches.custom_claim_bytes).into();
        }
        self.sign(&header, &claims)
    }

    /// The `Set-Cookie` values of handshakes by nonce, until they are fetched.
    pub(crate) fn handshakes(&self) -> MutexGuard<'_, HashMap<String, Vec<String>>> {
        let locked = self.handshakes.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    /// The browser that a request comes from, if it is known. The secret of a
    /// development browser may be in the query or in a form as well, because
    /// hosts other than the application's get no cookie with it.
    pub(crate) fn client(&self, request: &Request) -> anyhow::Result<Option<Client>> {
        let secret = if self.instance.production {
            request.cookies.get(CLIENT)
        } else {
            let suffixed = self.cookies.suffixed(DEV_BROWSER);
            request
                .query
                .get(DEV_BROWSER)
                .or_else(|| request.form.get(DEV_BROWSER))
                .or_else(|| request.cookies.get(&suffixed))
                .or_else(|| request.cookies.get(DEV_BROWSER))
        };
        match secret {
            Some(secret) => self.store.find(secret),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use openssl::{hash::MessageDigest, pkey::PKey, sign::Verifier};

    use super::*;
    use crate::fixture::{decoded, development, development_with, unbase64};

    #[test]
    fn a_token_has_the_claims_of_clerk() {
        let stand_in = development();
        let token = stand_in.token("user_x", 60).unwrap();
        let (header, claims) = decoded(&token);
        assert_eq!(header["alg"], "RS256");
        assert_eq!(header["typ"], "JWT");
        assert_eq!(header["cat"], SESSION_CATEGORY);
        assert_eq!(header["kid"], stand_in.jwks()["keys"][0]["kid"]);
        assert_eq!(claims["sub"], "user_x");
        assert_eq!(claims["iss"], "https://happy-hippo-1.clerk.accounts.dev");
        assert_eq!(claims["azp"], "http://localhost:9000");
        assert_eq!(claims["v"], 2);
        assert_eq!(claims["sts"], "active");
        let [iat, exp, nbf] = ["iat", "exp", "nbf"].map(|name| claims[name].as_u64().unwrap());
        assert_eq!((exp - iat, iat - nbf), (60, 10));
        assert!(claims["sid"].as_str().unwrap().starts_with("sess_"));
    }

    #[test]
    fn a_token_verifies_under_the_published_key() {
        let stand_in = development();
        let token = stand_in.token("user_x", 60).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let key = PKey::public_key_from_pem(stand_in.jwt_key().as_bytes()).unwrap();
        let mut verifier = Verifier::new(MessageDigest::sha256(), &key).unwrap();
        verifier.update(signed.as_bytes()).unwrap();
        assert!(verifier.verify(&unbase64(signature)).unwrap());
    }

    #[test]
    fn a_proxy_can_be_the_issuer() {
        let stand_in = development_with(Switches {
            proxy_issuer: true,
            ..Switches::default()
        });
        let (_header, claims) = decoded(&stand_in.token("user_x", 60).unwrap());
        assert_eq!(claims["iss"], "http://localhost:9000/__clerk");
    }

    #[test]
    fn a_token_for_nobody_is_refused() {
        assert!(development().token("", 60).is_err());
    }
}
