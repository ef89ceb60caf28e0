//! One RS256 check for each line of input: the signature of `TOKEN` with the
//! key `CLERK_JWT_KEY`, both read once.

use std::time::Instant;

use anyhow::{Context, ensure};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Verifier;

fn main() -> anyhow::Result<()> {
    let key = PKey::public_key_from_pem(floor::read_variable("CLERK_JWT_KEY")?.as_bytes())?;
    let token = floor::read_variable("TOKEN")?;
    let (signed, signature) = token.rsplit_once('.').context("TOKEN is no JWT")?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature)?;

    floor::for_each_line(|| {
        let begin = Instant::now();
        let mut verifier = Verifier::new(MessageDigest::sha256(), &key)?;
        let valid = verifier.verify_oneshot(&signature, signed.as_bytes())?;
        let took = begin.elapsed();
        ensure!(valid, "TOKEN is not signed with CLERK_JWT_KEY");
        Ok(took)
    })
}
