//! What a publishable key says about its instance.

use anyhow::{Context as _, ensure};
use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, general_purpose::NO_PAD},
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE},
};

/// Base64 as publishable keys have it: with or without padding.
const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    NO_PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A Clerk instance, development or production.
pub(crate) struct Instance {
    /// Host of the Frontend API, which is also the issuer of tokens.
    pub(crate) host: String,
    /// `pk_live_…` rather than `pk_test_…`.
    pub(crate) production: bool,
    /// What Clerk appends to cookie names so that instances do not collide.
    pub(crate) suffix: String,
}

impl Instance {
    /// The instance of a publishable key.
    ///
    /// # Errors
    /// A text that is not a publishable key.
    pub(crate) fn of(publishable_key: &str) -> anyhow::Result<Self> {
        let (production, encoded) = if let Some(rest) = publishable_key.strip_prefix("pk_live_") {
            (true, rest)
        } else {
            let rest = publishable_key.strip_prefix("pk_test_");
            (
                false,
                rest.context("a publishable key starts with pk_test_ or pk_live_")?,
            )
        };
        let host = ANY_PADDING
            .decode(encoded)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.strip_suffix('$').map(str::to_owned))
            .context("the publishable key does not contain a host; copy it again")?;
        ensure!(
            host.contains('.') && host.bytes().all(is_host_byte),
            "the publishable key does not contain a host; copy it again"
        );
        Ok(Self {
            host,
            production,
            suffix: suffix(publishable_key),
        })
    }

    /// `iss` of the tokens.
    pub(crate) fn issuer(&self) -> String {
        format!("https://{}", self.host)
    }
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':')
}

/// The first eight characters of the key's SHA-1 in URL-safe base64
/// (`getCookieSuffix` of clerk-js).
fn suffix(publishable_key: &str) -> String {
    let hash = openssl::sha::sha1(publishable_key.as_bytes());
    BASE64_URL_SAFE.encode(hash).chars().take(8).collect()
}

/// The publishable key of the instance whose Frontend API is at `host`.
#[must_use]
pub fn publishable_key(host: &str, production: bool) -> String {
    let kind = if production { "live" } else { "test" };
    let encoded = BASE64_STANDARD.encode(format!("{host}$"));
    format!("pk_{kind}_{}", encoded.trim_end_matches('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_is_the_one_clerk_js_computes() {
        let key = publishable_key("happy-hippo-1.clerk.accounts.dev", false);
        assert_eq!(key, "pk_test_aGFwcHktaGlwcG8tMS5jbGVyay5hY2NvdW50cy5kZXYk");
        let instance = Instance::of(&key).unwrap();
        assert_eq!(instance.suffix, "MWTw9P_R");
        assert_eq!(instance.host, "happy-hippo-1.clerk.accounts.dev");
        assert!(!instance.production);
    }

    #[test]
    fn a_key_without_a_host_is_refused() {
        for key in ["", "sk_test_x", "pk_test_", "pk_live_bG9jYWxob3N0JA=="] {
            assert!(Instance::of(key).is_err(), "{key}");
        }
    }
}
