//! The RS256 check of jsonwebtoken, done by the OpenSSL that TLS brings anyway,
//! through the extension point made for that ([`CryptoProvider`]). A second
//! crypto library would be a megabyte more to load at every cold start.

use std::sync::{Mutex, PoisonError};

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Rsa;
use openssl::sign::Verifier;

/// OpenSSL's RS256 verification; everything else is refused.
pub(super) static PROVIDER: CryptoProvider = CryptoProvider {
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
    prepared(n, e)
        .map(|key| Box::new(Rs256(key)) as Box<dyn JwtVerifier>)
        .map_err(|_| ErrorKind::InvalidKeyFormat.into())
}

/// A key as OpenSSL works with it, and the components that it is made of.
struct Prepared {
    n: Vec<u8>,
    e: Vec<u8>,
    key: PKey<Public>,
}

/// The key that was used last. OpenSSL prepares a modulus at its first use,
/// which costs a quarter of the check; almost every token is of one key.
static LAST: Mutex<Option<Prepared>> = Mutex::new(None);

/// The key of these components, prepared if it is the one that was used last.
fn prepared(n: &[u8], e: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(same) = last.as_ref().filter(|last| last.n == n && last.e == e) {
        return Ok(same.key.clone());
    }
    let rsa = Rsa::from_public_components(BigNum::from_slice(n)?, BigNum::from_slice(e)?)?;
    let key = PKey::from_rsa(rsa)?;
    *last = Some(Prepared {
        n: n.to_owned(),
        e: e.to_owned(),
        key: key.clone(),
    });
    Ok(key)
}

/// RSASSA-PKCS1-v1_5 with SHA-256.
///
/// OpenSSL takes the padding off strictly (`00 01 FF…FF 00`), builds the one
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
