//! An instance's signing key, which only tests have.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::{Value, json};

/// A key of 2048 bits that signs tokens.
pub(crate) struct Issuer(PKey<Private>);

impl Issuer {
    pub(crate) fn new() -> Self {
        Self(PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap())
    }

    /// The public half, as an entry of a key set.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        let key = self.0.rsa().unwrap();
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
            "n": URL_SAFE_NO_PAD.encode(key.n().to_vec()),
            "e": URL_SAFE_NO_PAD.encode(key.e().to_vec()),
        })
    }

    /// A token with this header and these claims, signed as RS256 whatever the
    /// header says.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let mut signer = Signer::new(MessageDigest::sha256(), &self.0).unwrap();
        let signature = signer.sign_oneshot_to_vec(message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
