//! The only keys that may check a signature, and the check.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use openssl::bn::BigNum;
use openssl::rsa::Rsa;

use super::rs256;

/// Smallest modulus accepted, in bits (RFC 7518 section 3.3: 2048 or larger).
const MIN_MODULUS_BITS: i32 = 2048;

/// Largest modulus accepted, in bits: checking with a larger one is work that
/// a hostile key set could ask for.
const MAX_MODULUS_BITS: i32 = 8192;

/// An RSA public key for RS256, checked to be a sound one.
#[derive(Clone, Debug)]
pub struct Key(DecodingKey);

impl Key {
    /// The key in a PEM file (`PUBLIC KEY`).
    ///
    /// Accepts what people paste into an environment variable: literal `\n`,
    /// CRLF, everything on one line, blanks around it. Clerk's SDK takes a
    /// literal `\n` for part of the key and then refuses every signature.
    ///
    /// Returns `None` when this is no RSA key of 2048 to 8192 bits.
    #[must_use]
    pub fn from_pem(pem: &str) -> Option<Self> {
        let pem = pem.replace("\\r", "\r").replace("\\n", "\n");
        let body = pem
            .trim()
            .trim_start_matches("-----BEGIN PUBLIC KEY-----")
            .trim_end_matches("-----END PUBLIC KEY-----");
        let base64: String = body.split_whitespace().collect();
        let key = Rsa::public_key_from_der(&STANDARD.decode(base64).ok()?).ok()?;
        Self::from_components(&key.n().to_vec(), &key.e().to_vec())
    }

    /// The key in one entry of a JSON Web Key Set.
    ///
    /// Returns `None` when it is not a sound RSA key for RS256 signatures: an
    /// encryption key, or one meant for another algorithm, must not verify.
    #[must_use]
    pub fn from_jwk(jwk: &serde_json::Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(serde_json::Value::as_str);
        let absent_or =
            |name: &str, wanted: &str| jwk.get(name).is_none() || text(name) == Some(wanted);
        let may_verify = jwk.get("key_ops").is_none_or(|operations| {
            let mut operations = operations.as_array().into_iter().flatten();
            operations.any(|operation| operation == "verify")
        });
        if text("kty") != Some("RSA")
            || !absent_or("alg", "RS256")
            || !absent_or("use", "sig")
            || !may_verify
        {
            return None;
        }
        Self::from_components(
            &URL_SAFE_NO_PAD.decode(text("n")?).ok()?,
            &URL_SAFE_NO_PAD.decode(text("e")?).ok()?,
        )
    }

    /// Checks the modulus `n` and the exponent `e`, both big-endian.
    ///
    /// An even or tiny exponent or an even modulus is no RSA key: with `e = 1`
    /// every padded hash is its own signature.
    fn from_components(n: &[u8], e: &[u8]) -> Option<Self> {
        let modulus = BigNum::from_slice(n).ok()?;
        let exponent = BigNum::from_slice(e).ok()?;
        let sound = (MIN_MODULUS_BITS..=MAX_MODULUS_BITS).contains(&modulus.num_bits())
            && modulus.is_bit_set(0)
            && (2..=64).contains(&exponent.num_bits())
            && exponent.is_bit_set(0);
        sound.then(|| Self(DecodingKey::from_rsa_raw_components(n, e)))
    }

    /// Whether `signature` (base64url) is this key's RS256 signature of `message`.
    #[must_use]
    pub fn verifies(&self, message: &str, signature: &str) -> bool {
        // Fails when it is installed already, which is what is wanted.
        let _ = rs256::PROVIDER.install_default();
        crypto::verify(signature, message.as_bytes(), &self.0, Algorithm::RS256).unwrap_or(false)
    }
}
