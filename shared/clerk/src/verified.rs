//! The tokens whose signature a key has verified.
//!
//! A page sends several requests with one token, and the RS256 check is the largest part
//! of what is computed for a request. It alone is remembered: time, origin, class and
//! every other rule is applied to each request.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use openssl::sha::Sha256;

/// Most tokens remembered of one key. A token lives for a minute; a server with more
/// users than this verifies some of them again.
const MAX_TOKENS: usize = 64;

/// SHA-256 of a whole token.
type Digest = [u8; 32];

/// The tokens that were verified last. They are forgotten with their key.
#[derive(Default)]
pub(crate) struct VerifiedTokens(Mutex<Ring>);

#[derive(Default)]
struct Ring {
    digests: Vec<Digest>,
    /// What the next one replaces when all places are taken.
    oldest: usize,
}

impl VerifiedTokens {
    /// Whether the signature is valid: as remembered, or else as `verify` finds. There
    /// must be no dot in it, or a token cut elsewhere would be the same.
    ///
    /// An invalid signature is not remembered, so that made-up tokens displace none.
    pub(crate) fn check(
        &self,
        signed: &str,
        signature: &str,
        verify: impl FnOnce() -> bool,
    ) -> bool {
        let mut token = Sha256::new();
        token.update(signed.as_bytes());
        token.update(b".");
        token.update(signature.as_bytes());
        let token = token.finish();
        if self.ring().digests.contains(&token) {
            return true;
        }
        let valid = verify();
        if valid {
            self.ring().insert(token);
        }
        valid
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn insert(&mut self, token: Digest) {
        if self.digests.len() < MAX_TOKENS {
            self.digests.push(token);
        } else {
            self.digests[self.oldest] = token;
            self.oldest = (self.oldest + 1) % MAX_TOKENS;
        }
    }
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("VerifiedTokens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_remembered(tokens: &VerifiedTokens, number: usize) -> bool {
        tokens.check("header.claims", &number.to_string(), || false)
    }

    #[test]
    fn a_valid_signature_is_verified_once_and_an_invalid_one_each_time() {
        for (valid, times) in [(true, 1), (false, 3)] {
            let tokens = VerifiedTokens::default();
            let mut verified = 0;
            for _ in 0..3 {
                let found = tokens.check("header.claims", "signature", || {
                    verified += 1;
                    valid
                });
                assert_eq!(found, valid);
            }
            assert_eq!(verified, times);
        }
    }

    #[test]
    fn each_part_of_a_token_counts() {
        let tokens = VerifiedTokens::default();
        assert!(tokens.check("header.claims", "signature", || true));
        for (signed, signature) in [
            ("Header.claims", "signature"),
            ("header.Claims", "signature"),
            ("header.claims", "Signature"),
            ("header.claims", ""),
        ] {
            assert!(!tokens.check(signed, signature, || false));
        }
    }

    #[test]
    fn the_last_tokens_are_remembered() {
        let tokens = VerifiedTokens::default();
        for number in 0..MAX_TOKENS + 2 {
            assert!(tokens.check("header.claims", &number.to_string(), || true));
        }
        assert_eq!(tokens.ring().digests.len(), MAX_TOKENS);
        let known = (0..MAX_TOKENS + 2).filter(|number| is_remembered(&tokens, *number));
        assert_eq!(known.collect::<Vec<_>>(), Vec::from_iter(2..MAX_TOKENS + 2));
    }
}
