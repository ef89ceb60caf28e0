//! Verifying a session leaves jsonwebtoken's process-wide provider to the
//! application: one that signs its own tokens goes on doing so.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use clerk_auth::{Key, PublicKeys};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde_json::json;

mod issuer;

use issuer::Issuer;

/// The provider of an application that signs with HS256.
static APPLICATION: CryptoProvider = CryptoProvider {
    signer_factory: hs256_signer,
    verifier_factory: refuse_to_verify,
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(Vec<u8>);

impl signature::Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let key = PKey::hmac(&self.0).unwrap();
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        Ok(signer.sign_oneshot_to_vec(message).unwrap())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

fn hs256_signer(_: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Ok(Box::new(Hs256(key.as_bytes().to_vec())))
}

fn refuse_to_verify(_: &Algorithm, _: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    Err(ErrorKind::UnsupportedAlgorithm.into())
}

fn verifies() -> bool {
    let issuer = Issuer::new();
    let token = issuer.token(&json!({ "alg": "RS256" }), &json!({ "sub": "user_1" }));
    Key::from_jwk(&issuer.jwk("ins_1"))
        .unwrap()
        .verifies_jws(&token)
}

#[test]
fn an_application_signs_its_own_tokens_before_and_after() {
    assert!(verifies());
    // Fails where a provider is installed already.
    assert!(APPLICATION.install_default().is_ok());
    let secret = EncodingKey::from_secret(b"secret");
    let token = encode(&Header::default(), &json!({ "sub": "a" }), &secret);
    assert_eq!(token.unwrap().split('.').count(), 3);
    assert!(verifies(), "with our own provider, whatever is installed");
    assert!(PublicKeys::from_jwks(b"{}").is_err());
}
