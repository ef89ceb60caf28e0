//! The keys of an instance: the publishable key, which names it, the secret
//! key of its Backend API, and the signing key of its tokens.

use anyhow::{Context as _, bail};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use openssl::{
    hash::MessageDigest,
    pkey::{PKey, Private},
    rand::rand_bytes,
    rsa::Rsa,
    sha::{sha1, sha256},
    sign::Signer,
};
use serde_json::{Value, json};

use crate::store::{Store, new_id};

/// The file of the signing key, in PEM.
const FILE: &str = "key.pem";

/// The file of the secret key.
const SECRET_KEY_FILE: &str = "secret-key";

/// The file of the webhook's secret.
const WEBHOOK_SECRET_FILE: &str = "webhook-secret";

/// What a webhook's secret begins with, and how many bytes follow in base64.
pub(crate) const WEBHOOK_SECRET_PREFIX: &str = "whsec_";
const WEBHOOK_SECRET_BYTES: usize = 24;

/// Bits of the RSA key, as many as Clerk's have.
const BITS: u32 = 2048;

/// The publishable key of the instance whose Frontend API is at `host`.
#[must_use]
pub fn publishable_key(host: &str, production: bool) -> String {
    let kind = if production { "live" } else { "test" };
    let encoded = BASE64_STANDARD_NO_PAD.encode(format!("{host}$"));
    format!("pk_{kind}_{encoded}")
}

/// What a publishable key says about its instance.
pub(crate) struct Instance {
    /// Host of the Frontend API, which is also the issuer of tokens.
    pub(crate) host: String,
    /// `pk_live_…` rather than `pk_test_…`.
    pub(crate) production: bool,
    /// What Clerk appends to the names of cookies, so that those of two
    /// instances do not collide: the first eight characters of the key's SHA-1
    /// in URL-safe base64 (`getCookieSuffix` of clerk-js).
    pub(crate) cookie_suffix: String,
}

impl Instance {
    /// The instance of a publishable key, which may have base64's padding.
    ///
    /// # Errors
    /// A text that is not a publishable key.
    pub(crate) fn of(publishable_key: &str) -> anyhow::Result<Self> {
        let (production, encoded) = if let Some(rest) = publishable_key.strip_prefix("pk_live_") {
            (true, rest)
        } else if let Some(rest) = publishable_key.strip_prefix("pk_test_") {
            (false, rest)
        } else {
            bail!("a publishable key starts with pk_test_ or pk_live_");
        };
        let host = BASE64_STANDARD_NO_PAD
            .decode(encoded.trim_end_matches('='))
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.strip_suffix('$').map(str::to_owned))
            .filter(|host| host.contains('.') && host.bytes().all(is_host_byte))
            .context("the publishable key does not contain a host; copy it again")?;
        let mut cookie_suffix = BASE64_URL_SAFE_NO_PAD.encode(sha1(publishable_key.as_bytes()));
        cookie_suffix.truncate(8);
        Ok(Self {
            host,
            production,
            cookie_suffix,
        })
    }
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':')
}

/// The secret key that is kept in the store; it is made on first use.
///
/// # Errors
/// A file that is no text or cannot be read or written.
pub(crate) fn secret_key(store: &Store, instance: &Instance) -> anyhow::Result<String> {
    let kind = if instance.production { "live" } else { "test" };
    let make = || Ok(new_id(&format!("sk_{kind}"))?.into_bytes());
    let key = store.read_or_make(SECRET_KEY_FILE, make)?;
    Ok(String::from_utf8(key)?)
}

/// The secret of the webhook endpoint that is kept in the store; it is made on
/// first use.
///
/// # Errors
/// A file that is no text or cannot be read or written.
pub(crate) fn webhook_secret(store: &Store) -> anyhow::Result<String> {
    let make = || {
        let mut random = [0; WEBHOOK_SECRET_BYTES];
        rand_bytes(&mut random)?;
        Ok(format!("{WEBHOOK_SECRET_PREFIX}{}", BASE64_STANDARD.encode(random)).into_bytes())
    };
    let secret = store.read_or_make(WEBHOOK_SECRET_FILE, make)?;
    Ok(String::from_utf8(secret)?)
}

/// The RSA key that signs tokens.
pub(crate) struct SigningKey {
    private: PKey<Private>,
    /// SPKI.
    pub(crate) public_pem: String,
    /// `kid` of the tokens. Clerk's is the id of the instance.
    pub(crate) id: String,
    /// The public key as a key set.
    pub(crate) jwks: Value,
}

impl SigningKey {
    /// The key that is kept in the store; it is made on first use.
    ///
    /// # Errors
    /// A file that is no RSA key or cannot be read or written.
    pub(crate) fn open(store: &Store) -> anyhow::Result<Self> {
        let pem = store.read_or_make(FILE, || Ok(Rsa::generate(BITS)?.private_key_to_pem()?))?;
        let rsa = Rsa::private_key_from_pem(&pem).with_context(|| {
            let path = store.path(FILE);
            format!(
                "{} is not an RSA key; delete it for a new one",
                path.display()
            )
        })?;
        let public = rsa.public_key_to_pem()?;
        let digest = BASE64_URL_SAFE_NO_PAD.encode(&sha256(&public)[..16]);
        let id = format!("ins_{digest}");
        let jwks = json!({ "keys": [{
            "use": "sig",
            "kty": "RSA",
            "alg": "RS256",
            "kid": id,
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

    /// A compact JWS (RS256) over any header and claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> anyhow::Result<String> {
        let [header, claims] =
            [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let mut signer = Signer::new(MessageDigest::sha256(), &self.private)?;
        let signature = signer.sign_oneshot_to_vec(signed.as_bytes())?;
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        Ok(format!("{signed}.{signature}"))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    use super::*;

    fn open(dir: &Path) -> anyhow::Result<SigningKey> {
        SigningKey::open(&Store::open(dir)?)
    }

    #[test]
    fn the_suffix_is_the_one_clerk_js_computes() {
        let key = publishable_key("happy-hippo-1.clerk.accounts.dev", false);
        assert_eq!(key, "pk_test_aGFwcHktaGlwcG8tMS5jbGVyay5hY2NvdW50cy5kZXYk");
        let instance = Instance::of(&key).unwrap();
        assert_eq!(instance.cookie_suffix, "MWTw9P_R");
        assert_eq!(instance.host, "happy-hippo-1.clerk.accounts.dev");
        assert!(!instance.production);
    }

    #[test]
    fn a_key_without_a_host_is_refused() {
        for key in ["", "sk_test_x", "pk_test_", "pk_live_bG9jYWxob3N0JA=="] {
            assert!(Instance::of(key).is_err(), "{key}");
        }
    }

    #[test]
    fn the_key_is_kept_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path()).unwrap();
        let again = open(dir.path()).unwrap();
        assert_eq!(first.public_pem, again.public_pem);
        assert_eq!(first.id, again.id);
        let file = fs::metadata(dir.path().join("key.pem")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_secret_key_is_kept_and_of_the_kind_of_the_publishable_key() {
        for (production, start) in [(false, "sk_test_"), (true, "sk_live_")] {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(dir.path()).unwrap();
            let publishable_key = publishable_key("clerk.example.test", production);
            let instance = Instance::of(&publishable_key).unwrap();
            let key = secret_key(&store, &instance).unwrap();
            assert!(key.starts_with(start), "{key}");
            assert_eq!(secret_key(&store, &instance).unwrap(), key);
        }
    }

    #[test]
    fn a_file_that_is_no_key_is_an_error_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("key.pem"), "nothing").unwrap();
        assert!(open(dir.path()).is_err());
    }
}
