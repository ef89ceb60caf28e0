//! What the Rust peers have in common: the quote, the token, the environment.

use std::env;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::{Deserialize, Serialize};

/// What is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    pub message: String,
    pub saved_at: String,
}

/// Verifies session tokens.
pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
    origin: String,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    azp: String,
}

impl Verifier {
    /// With the key and the origin of the environment.
    ///
    /// # Panics
    /// If one is missing, or the key is none.
    pub fn from_env() -> Self {
        let key = variable("CLERK_JWT_KEY");
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = 5;
        validation.validate_nbf = true;
        Self {
            key: DecodingKey::from_rsa_pem(key.as_bytes()).expect("CLERK_JWT_KEY is a key"),
            validation,
            origin: variable("PUBLIC_ORIGIN"),
        }
    }

    /// The user whose token is in this `Authorization` header.
    pub fn user(&self, authorization: Option<&str>) -> Option<String> {
        let token = authorization?.strip_prefix("Bearer ")?;
        let token = decode::<Claims>(token, &self.key, &self.validation).ok()?;
        (token.claims.azp == self.origin).then_some(token.claims.sub)
    }
}

/// An environment variable.
///
/// # Panics
/// If it is not set.
pub fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("set {name}"))
}
