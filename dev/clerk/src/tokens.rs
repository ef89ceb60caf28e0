//! Session tokens like Clerk's.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::{
    StandIn,
    store::{Session, now_ms},
};

/// `cat` of a session token, by which Clerk's verifiers tell it from JWT
/// templates and machine tokens (`JwtCategory` of @clerk/backend).
const SESSION_CATEGORY: &str = "cl_B7d4PD111AAA";

/// How long before `iat` a token is already valid, in seconds, as Clerk has it.
const NOT_BEFORE_SECS: u64 = 10;

impl StandIn {
    /// A session token for any user id, also of nobody who exists here.
    ///
    /// # Errors
    /// An empty user id, a life of no seconds, or OpenSSL's failure.
    pub fn token(&self, user_id: &str, ttl_secs: u64) -> anyhow::Result<String> {
        ensure!(!user_id.is_empty(), "a token needs a user id");
        ensure!(ttl_secs > 0, "a token must live for at least a second");
        self.mint(&Session::new(user_id)?, ttl_secs)
    }

    /// Any header and claims under the instance's key (RS256): what tests need
    /// for tokens that must be refused.
    ///
    /// # Errors
    /// OpenSSL's failure.
    pub fn sign(&self, header: &Value, claims: &Value) -> anyhow::Result<String> {
        self.key.sign(header, claims)
    }

    /// The token of a session, with the life that is configured.
    pub(crate) fn session_token(&self, session: &Session) -> anyhow::Result<String> {
        self.mint(session, self.config.token_ttl_secs)
    }

    fn mint(&self, session: &Session, ttl_secs: u64) -> anyhow::Result<String> {
        let now = now_ms() / 1000;
        let minutes = now.saturating_sub(session.created_at / 1000) / 60;
        let header = json!({
            "alg": "RS256",
            "typ": "JWT",
            "kid": self.key.id,
            "cat": SESSION_CATEGORY,
        });
        let claims = json!({
            "azp": self.config.app_origin,
            "exp": now.saturating_add(ttl_secs),
            "fva": [minutes, -1],
            "iat": now,
            "iss": format!("https://{}", self.instance.host),
            "nbf": now.saturating_sub(NOT_BEFORE_SECS),
            "sid": session.id,
            "sts": "active",
            "sub": session.user_id,
            "v": 2,
        });
        self.sign(&header, &claims)
    }
}

#[cfg(test)]
mod tests {
    use openssl::{hash::MessageDigest, pkey::PKey, sign::Verifier};

    use super::*;
    use crate::fixture::{decoded, development, unbase64};

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
    fn a_token_for_nobody_is_refused() {
        assert!(development().token("", 60).is_err());
    }
}
