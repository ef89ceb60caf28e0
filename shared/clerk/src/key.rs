//! An instance's public keys, and the RS256 check.
//!
//! The check is jsonwebtoken's extension point ([`CryptoProvider`]) on the
//! AWS-LC that TLS needs anyway: a second crypto library would add up to a
//! megabyte to the program. The provider is called directly and never
//! installed for the process, which belongs to the application: one that signs
//! tokens of its own would find its algorithms gone.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Rsa;
use openssl::sign::Verifier;
use serde_json::Value;

use crate::verified::VerifiedTokens;

/// Smallest modulus accepted, in bits (RFC 7518 section 3.3: 2048 or larger).
const MIN_MODULUS_BITS: i32 = 2048;

/// Largest modulus accepted, in bits: checking with a larger one is work that
/// a hostile key set could ask for.
const MAX_MODULUS_BITS: i32 = 8192;

/// Most keys taken from one source; Clerk's have one or, while rotating, two.
const MAX_KEYS: usize = 32;

/// How a PEM of a public key ends.
const PEM_END: &str = "-----END PUBLIC KEY-----";

/// The public keys of an instance that are known now.
#[derive(Clone, Debug, Default)]
pub struct PublicKeys(Vec<PublicKey>);

#[derive(Clone, Debug)]
struct PublicKey {
    /// `None`: it may check every token, whatever key id that names.
    id: Option<String>,
    key: Key,
}

impl PublicKeys {
    /// The keys in a PEM text: one or, while a key is rotated, several. A
    /// token's key id is not looked at.
    ///
    /// Returns `None` when one of them is refused by [`Key::from_pem`].
    #[must_use]
    pub fn from_pem(pem: &str) -> Option<Self> {
        let pem = unescape(pem);
        let parts = pem.trim().trim_end_matches(PEM_END).split(PEM_END);
        let keys = parts.take(MAX_KEYS).map(Key::from_pem);
        keys.map(|key| {
            Some(PublicKey {
                id: None,
                key: key?,
            })
        })
        .collect::<Option<Vec<_>>>()
        .map(Self)
    }

    /// The valid RS256 keys of a JSON Web Key Set (RFC 7517), by key id.
    ///
    /// # Errors
    /// What is wrong with it, for the log; a set without a valid key too.
    pub fn from_jwks(json: &[u8]) -> Result<Self, &'static str> {
        let set: Value = serde_json::from_slice(json).map_err(|_| "not JSON")?;
        let entries = set["keys"].as_array().ok_or("no key set")?;
        let keys: Vec<_> = entries
            .iter()
            .take(MAX_KEYS)
            .filter_map(|jwk| {
                let id = Some(jwk["kid"].as_str()?.to_owned());
                Key::from_jwk(jwk).map(|key| PublicKey { id, key })
            })
            .collect();
        if keys.is_empty() {
            return Err("no RS256 key in it");
        }
        Ok(Self(keys))
    }

    /// The keys that may have signed a token with this key id.
    pub(crate) fn candidates(&self, id: Option<&str>) -> impl Iterator<Item = &Key> {
        let matching = move |known: &&PublicKey| known.id.is_none() || known.id.as_deref() == id;
        self.0.iter().filter(matching).map(|known| &known.key)
    }
}

impl From<Key> for PublicKeys {
    fn from(key: Key) -> Self {
        Self(vec![PublicKey { id: None, key }])
    }
}

/// The key set could not be fetched and none is known: nobody can be verified.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the key set cannot be fetched: {0}")]
pub struct KeySetUnavailable(pub(crate) Arc<str>);

/// A valid RSA public key for RS256.
#[derive(Clone, Debug)]
pub struct Key {
    decoding: DecodingKey,
    /// One memory for all clones of the key.
    verified: Arc<VerifiedTokens>,
}

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
        let pem = unescape(pem);
        let body = pem
            .trim()
            .trim_start_matches("-----BEGIN PUBLIC KEY-----")
            .trim_end_matches(PEM_END);
        let base64: String = body.split_whitespace().collect();
        let key = Rsa::public_key_from_der(&STANDARD.decode(base64).ok()?).ok()?;
        Self::from_components(&key.n().to_vec(), &key.e().to_vec())
    }

    /// The key in one entry of a JSON Web Key Set.
    ///
    /// Returns `None` when it is not a valid RSA key for RS256 signatures: an
    /// encryption key, or one meant for another algorithm, must not verify.
    #[must_use]
    pub fn from_jwk(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
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
        let valid = (MIN_MODULUS_BITS..=MAX_MODULUS_BITS).contains(&modulus.num_bits())
            && modulus.is_bit_set(0)
            && (2..=64).contains(&exponent.num_bits())
            && exponent.is_bit_set(0);
        valid.then(|| Self {
            decoding: DecodingKey::from_rsa_raw_components(n, e),
            verified: Arc::default(),
        })
    }

    /// Whether `signature` (base64url without padding) is this key's RS256
    /// signature of `message`.
    ///
    /// The last valid ones of a key are remembered and not verified again.
    #[must_use]
    pub fn verifies(&self, message: &str, signature: &str) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(signature) else {
            return false;
        };
        self.verified.check(message, signature, || {
            (PROVIDER.verifier_factory)(&Algorithm::RS256, &self.decoding)
                .is_ok_and(|verifier| verifier.verify(message.as_bytes(), &bytes).is_ok())
        })
    }
}

/// A literal `\n` as the line break that it stands for.
fn unescape(pem: &str) -> String {
    pem.replace("\\r", "\r").replace("\\n", "\n")
}

/// AWS-LC's RS256 verification; everything else is refused.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: refuse_to_sign,
    verifier_factory: rs256_verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

fn refuse_to_sign(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Err(ErrorKind::UnsupportedAlgorithm.into())
}

fn rs256_verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else {
        return Err(ErrorKind::InvalidKeyFormat.into());
    };
    if *algorithm != Algorithm::RS256 {
        return Err(ErrorKind::UnsupportedAlgorithm.into());
    }
    prepare(n, e)
        .map(|key| Box::new(Rs256(key)) as Box<dyn JwtVerifier>)
        .map_err(|_| ErrorKind::InvalidKeyFormat.into())
}

/// A key as AWS-LC works with it, and the components that it is made of.
struct PreparedKey {
    n: Vec<u8>,
    e: Vec<u8>,
    key: PKey<Public>,
}

/// The key that was used last. AWS-LC prepares a modulus at its first use,
/// which costs a quarter of the check; almost every token is of one key.
static LAST_KEY: Mutex<Option<PreparedKey>> = Mutex::new(None);

/// The key of these components, prepared if it is the one that was used last.
fn prepare(n: &[u8], e: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let mut last = LAST_KEY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(same) = last.as_ref().filter(|last| last.n == n && last.e == e) {
        return Ok(same.key.clone());
    }
    let rsa = Rsa::from_public_components(BigNum::from_slice(n)?, BigNum::from_slice(e)?)?;
    let key = PKey::from_rsa(rsa)?;
    *last = Some(PreparedKey {
        n: n.to_owned(),
        e: e.to_owned(),
        key: key.clone(),
    });
    Ok(key)
}

/// RSASSA-PKCS1-v1_5 with SHA-256.
///
/// AWS-LC takes the padding off strictly (`00 01 FF…FF 00`), builds the one
/// `DigestInfo` that is right and compares it with all that is left, so there
/// is no parser for a forgery to exploit.
struct Rs256(PKey<Public>);

impl signature::Verifier<Vec<u8>> for Rs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = Verifier::new(MessageDigest::sha256(), &self.0)
            .and_then(|mut verifier| verifier.verify_oneshot(signature, message));
        match verified {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(signature::Error::new()),
        }
    }
}

impl JwtVerifier for Rs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{ISSUER, Issuer};

    fn pem() -> String {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        String::from_utf8(key.public_key_to_pem().unwrap()).unwrap()
    }

    #[test]
    fn several_pems_are_several_keys() {
        let (old, new) = (pem(), pem());
        let count = |pem: &str| PublicKeys::from_pem(pem).map(|keys| keys.0.len());
        let both = format!("{old}{new}");
        assert_eq!(count(&old), Some(1));
        assert_eq!(count(&both), Some(2));
        assert_eq!(count(&both.replace('\n', "\\n")), Some(2), "literal");
        assert_eq!(count(&both.replace('\n', "")), Some(2));
        assert_eq!(count(&format!("\r\n{both}\r\n\r\n")), Some(2));
        assert_eq!(count(&format!("{both}rest")), None);
        assert_eq!(count(""), None);
    }

    #[test]
    fn a_valid_signature_is_remembered_by_the_key_and_its_clones_alone() {
        let token = ISSUER.token(&json!({ "alg": "RS256" }), &json!({}));
        let (message, signature) = token.rsplit_once('.').unwrap();
        let [key, same] = [(); 2].map(|()| Key::from_jwk(&ISSUER.jwk("ins_1")).unwrap());
        let clone = key.clone();
        let is_known = |key: &Key| key.verified.check(message, signature, || false);
        assert!(!is_known(&key));
        assert!(key.verifies(message, signature));
        assert!(is_known(&key) && is_known(&clone));
        assert!(!is_known(&same));
        // The same text, cut at another dot.
        let (header, claims) = message.split_once('.').unwrap();
        assert!(!key.verifies(header, &format!("{claims}.{signature}")));
        assert!(
            !Key::from_jwk(&Issuer::new().jwk("ins_1"))
                .unwrap()
                .verifies(message, signature)
        );
    }

    #[test]
    fn a_key_with_an_id_checks_tokens_that_name_it_and_one_without_checks_all() {
        let set = json!({ "keys": [ISSUER.jwk("ins_1"), Issuer::new().jwk("ins_2")] });
        let set = PublicKeys::from_jwks(set.to_string().as_bytes()).unwrap();
        let count = |keys: &PublicKeys, id| keys.candidates(id).count();
        assert_eq!(count(&set, Some("ins_1")), 1);
        assert_eq!(count(&set, Some("ins_3")), 0);
        assert_eq!(count(&set, None), 0);
        let configured = PublicKeys::from_pem(&pem()).unwrap();
        assert_eq!(count(&configured, Some("ins_3")), 1);
        assert_eq!(count(&configured, None), 1);
    }
}
