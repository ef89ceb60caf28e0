//! The signing key: made once, kept in a file, published as PEM and as a key set.

use std::{fs, io, path::Path};

use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use openssl::{
    hash::MessageDigest,
    pkey::{PKey, Private},
    rsa::Rsa,
    sha::sha256,
    sign::Signer,
};
use serde_json::{Value, json};

use crate::files;

pub use crate::instance::publishable_key;

/// Bits of the RSA key, as many as Clerk's have.
const BITS: u32 = 2048;

pub(crate) struct SigningKey {
    private: PKey<Private>,
    public_pem: String,
    /// `kid` of the tokens. Clerk's is the id of the instance.
    pub(crate) id: String,
    jwks: Value,
}

impl SigningKey {
    /// Reads `key.pem` in `dir`, or makes it.
    ///
    /// # Errors
    /// A file that is no RSA key or cannot be read or written.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("key.pem");
        let rsa = match fs::read(&path) {
            Ok(pem) => Rsa::private_key_from_pem(&pem).with_context(|| {
                format!(
                    "{} is not an RSA key; delete it for a new one",
                    path.display()
                )
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let rsa = Rsa::generate(BITS)?;
                files::write_private(&path, &rsa.private_key_to_pem()?)?;
                rsa
            }
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", path.display()));
            }
        };
        Self::from_rsa(rsa)
    }

    fn from_rsa(rsa: Rsa<Private>) -> anyhow::Result<Self> {
        let public = rsa.public_key_to_pem()?;
        let id = format!("ins_{}", hex(&sha256(&public)[..16]));
        let jwks = json!({ "keys": [{
            "use": "sig",
            "kty": "RSA",
            "alg": "RS256",
            "kid": &id,
            "n": BASE64_URL_SAFE_NO_PAD.encode(rsa.n().to_vec()),
            "e": BASE64_URL_SAFE_NO_PAD.encode(rsa.e().to_vec()),
        }]});
        Ok(Self {
            private: PKey::from_rsa(rsa)?,
            public_pem: String::from_utf8(public)?,
            id,
            jwks,
        })
    }

    pub(crate) fn public_pem(&self) -> &str {
        &self.public_pem
    }

    pub(crate) fn jwks(&self) -> Value {
        self.jwks.clone()
    }

    /// A compact JWS (RS256) over any header and claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> anyhow::Result<String> {
        let [header, claims] =
            [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let mut signer = Signer::new(MessageDigest::sha256(), &self.private)?;
        let signature = signer.sign_oneshot_to_vec(signed.as_bytes())?;
        Ok(format!(
            "{signed}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(signature)
        ))
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_kept_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = SigningKey::open(dir.path()).unwrap();
        let again = SigningKey::open(dir.path()).unwrap();
        assert_eq!(first.public_pem(), again.public_pem());
        assert_eq!(first.id, again.id);
        let file = fs::metadata(dir.path().join("key.pem")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_no_key_is_an_error_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("key.pem"), "nothing").unwrap();
        assert!(SigningKey::open(dir.path()).is_err());
    }
}
