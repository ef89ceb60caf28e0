//! Forged signatures: the RS256 check accepts the one encoding of RSASSA-
//! PKCS1-v1_5 (RFC 8017 section 8.2) and nothing that resembles it.
//!
//! The forgeries are made with real private keys, so that each of them is what
//! its name says and would pass a check with that one flaw.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use clerk_auth::{
    AuthorizedParties, Decision, Instance, Key, PublicKeys, PublishableKey, Reason, RequestView,
    State, authenticate,
};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::Signer;
use serde_json::{Value, json};

mod encodings;

use encodings::{SHA256, digest_info, encoded};

static RSA: LazyLock<Rsa<Private>> = LazyLock::new(|| Rsa::generate(2048).unwrap());
static CUBE: LazyLock<Rsa<Private>> = LazyLock::new(|| with_exponent(2048, 3));

const CLAIMS: &str = r#"{"sub":"user_1"}"#;

fn with_exponent(bits: u32, e: u32) -> Rsa<Private> {
    Rsa::generate_with_e(bits, &BigNum::from_u32(e).unwrap()).unwrap()
}

fn jwk(key: &Rsa<Private>) -> Value {
    json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "ins_1",
        "n": base64url(&key.n().to_vec()), "e": base64url(&key.e().to_vec()),
    })
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What is signed: header and claims of a token.
fn message(algorithm: &str) -> String {
    let header = json!({ "alg": algorithm, "typ": "JWT" }).to_string();
    format!(
        "{}.{}",
        base64url(header.as_bytes()),
        base64url(CLAIMS.as_bytes())
    )
}

fn accepts(key: &Rsa<Private>, signature: &[u8]) -> bool {
    verifies(key, &message("RS256"), &base64url(signature))
}

fn verifies(key: &Rsa<Private>, message: &str, signature: &str) -> bool {
    let key = Key::from_jwk(&jwk(key)).unwrap();
    key.verifies_jws(&format!("{message}.{signature}"))
}

fn digest() -> Vec<u8> {
    hash(MessageDigest::sha256(), message("RS256").as_bytes())
        .unwrap()
        .to_vec()
}

/// The signature whose encoded message is `block`: the raw private operation.
fn sign_block(key: &Rsa<Private>, block: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; key.size() as usize];
    key.private_encrypt(block, &mut signature, Padding::NONE)
        .unwrap();
    signature
}

fn sign(key: &PKeyRef<Private>, digest: MessageDigest, message: &str) -> Vec<u8> {
    let mut signer = Signer::new(digest, key).unwrap();
    signer.sign_oneshot_to_vec(message.as_bytes()).unwrap()
}

#[test]
fn valid_keys_verify_what_they_signed() {
    for key in [
        &*RSA,
        &*CUBE,
        &Rsa::generate(3072).unwrap(),
        &Rsa::generate(4096).unwrap(),
    ] {
        let signer = PKey::from_rsa(key.clone()).unwrap();
        let message = message("RS256");
        let mut signature = sign(&signer, MessageDigest::sha256(), &message);
        assert!(accepts(key, &signature));
        // The same, made by hand: what the forgeries below are varied from.
        let block = encoded(key.size() as usize, &digest_info(&SHA256, &digest()));
        assert_eq!(sign_block(key, &block), signature);

        let other = format!("{message}A");
        assert!(!verifies(key, &other, &base64url(&signature)));
        for position in [0, signature.len() / 2, signature.len() - 1] {
            signature[position] ^= 1;
            assert!(!accepts(key, &signature));
            signature[position] ^= 1;
        }
    }
}

#[test]
fn a_key_verifies_only_what_itself_signed() {
    let block = encoded(256, &digest_info(&SHA256, &digest()));
    assert!(!accepts(&CUBE, &sign_block(&RSA, &block)));
    assert!(!accepts(&RSA, &sign_block(&CUBE, &block)));
}

#[test]
fn a_key_is_not_taken_for_the_one_before() {
    // The last key is kept prepared. The next one may share a half of it.
    let block = encoded(256, &digest_info(&SHA256, &digest()));
    let signature = sign_block(&RSA, &block);
    let mut half = jwk(&RSA);
    half["e"] = jwk(&CUBE)["e"].clone();
    let half = Key::from_jwk(&half).unwrap();
    for _ in 0..2 {
        assert!(accepts(&RSA, &signature));
        assert!(!half.verifies(&message("RS256"), &base64url(&signature)));
        assert!(accepts(&RSA, &signature));
        assert!(!accepts(&CUBE, &signature));
    }
}

#[test]
fn malformed_padding_is_refused() {
    let info = digest_info(&SHA256, &digest());
    for (flaw, block) in encodings::malformed_padding(256, &info) {
        assert_eq!(block.len(), 256, "{flaw}");
        for key in [&*RSA, &*CUBE] {
            assert!(!accepts(key, &sign_block(key, &block)), "{flaw}");
        }
    }
}

#[test]
fn malformed_digest_infos_are_refused() {
    for (flaw, info) in encodings::malformed_digest_infos(&digest()) {
        let block = encoded(256, &info);
        for key in [&*RSA, &*CUBE] {
            assert!(!accepts(key, &sign_block(key, &block)), "{flaw}");
        }
    }
}

#[test]
fn garbage_beside_the_digest_is_refused() {
    let info = digest_info(&SHA256, &digest());
    for length in [1, 2, 8, 100, 256 - 3 - info.len() - 8, 256 - 3 - info.len()] {
        for filler in [0x00, 0x01, 0xff, 0xa5] {
            let garbage = vec![filler; length];
            let after = encoded(256, &[&info[..], &garbage].concat());
            let before = encoded(256, &[&garbage[..], &info].concat());
            // An encoding whose padding shrinks by the garbage, as in the
            // attack of 2006, and one where it hides behind a separator.
            for block in [after, before] {
                assert!(!accepts(&RSA, &sign_block(&RSA, &block)), "{length}");
            }
        }
    }
}

#[test]
fn bleichenbachers_cube_root_is_refused() {
    // Without the private key: the smallest cube above 00 01 FF…FF 00 <info>.
    // A root of 683 bits fixes the first third of the block.
    let info = digest_info(&SHA256, &digest());
    for padding in [8, 16, 24] {
        let prefix = [&[0, 1], &vec![0xff; padding][..], &[0], &info].concat();
        let target = [&prefix[..], &vec![0; 256 - prefix.len()]].concat();
        let root = cube_root_above(&BigNum::from_slice(&target).unwrap());
        let signature = root.to_vec_padded(256).unwrap();
        assert!(opened(&CUBE, &signature).starts_with(&prefix));
        assert!(!accepts(&CUBE, &signature));
    }
}

#[test]
fn a_cube_that_ends_like_a_signature_is_refused() {
    // The other half, for a check that skips over the padding: found bit by
    // bit, because cubing permutes the odd numbers modulo a power of two.
    let info = digest_info(&SHA256, &odd_digest().1);
    let mut wanted = vec![0];
    wanted.extend_from_slice(&info);
    let root = cube_root_of_suffix(&wanted);
    let signature = root.to_vec_padded(256).unwrap();
    let opened = opened(&CUBE, &signature);
    assert_eq!(opened[256 - wanted.len()..], wanted);
    let message = odd_digest().0;
    assert!(!verifies(&CUBE, &message, &base64url(&signature)));
}

/// A message whose digest is an odd number.
fn odd_digest() -> (String, Vec<u8>) {
    (0..64)
        .map(|counter| {
            let message = format!("{}{}", message("RS256"), base64url(&[counter; 3]));
            let digest = hash(MessageDigest::sha256(), message.as_bytes()).unwrap();
            (message, digest.to_vec())
        })
        .find(|(_, digest)| digest[31] & 1 == 1)
        .unwrap()
}

/// What a signature looks like to the verifier.
fn opened(key: &Rsa<Private>, signature: &[u8]) -> Vec<u8> {
    let mut block = vec![0; key.size() as usize];
    key.public_decrypt(signature, &mut block, Padding::NONE)
        .unwrap();
    block
}

/// The smallest number whose cube is not below `target`.
fn cube_root_above(target: &BigNum) -> BigNum {
    let mut context = BigNumContext::new().unwrap();
    let mut root = BigNum::new().unwrap();
    for bit in (0..=target.num_bits() / 3 + 1).rev() {
        root.set_bit(bit).unwrap();
        if cubed(&root, &mut context) >= *target {
            root.clear_bit(bit).unwrap();
        }
    }
    root.add_word(1).unwrap();
    root
}

fn cube_root_of_suffix(suffix: &[u8]) -> BigNum {
    let mut context = BigNumContext::new().unwrap();
    let target = BigNum::from_slice(suffix).unwrap();
    let mut root = BigNum::from_u32(1).unwrap();
    for bit in 1..i32::try_from(suffix.len() * 8).unwrap() {
        if cubed(&root, &mut context).is_bit_set(bit) != target.is_bit_set(bit) {
            root.set_bit(bit).unwrap();
        }
    }
    root
}

fn cubed(root: &BigNum, context: &mut BigNumContext) -> BigNum {
    let mut square = BigNum::new().unwrap();
    let mut cube = BigNum::new().unwrap();
    square.sqr(root, context).unwrap();
    cube.checked_mul(&square, root, context).unwrap();
    cube
}

#[test]
fn numbers_that_need_no_private_key_are_refused() {
    let n = || RSA.n().to_owned().unwrap();
    let shifted = |by: i32| {
        let mut number = n();
        match u32::try_from(by) {
            Ok(by) => number.add_word(by).unwrap(),
            Err(_) => number.sub_word(by.unsigned_abs()).unwrap(),
        }
        number.to_vec_padded(256).unwrap()
    };
    for signature in [
        vec![0; 256],
        padded_number(1),
        padded_number(2),
        shifted(-1),
        shifted(0),
        shifted(1),
        vec![0xff; 256],
        vec![],
        vec![0],
        vec![1],
        encoded(256, &digest_info(&SHA256, &digest())),
        digest(),
    ] {
        assert!(!accepts(&RSA, &signature));
        assert!(!accepts(&CUBE, &signature));
    }
}

fn padded_number(number: u32) -> Vec<u8> {
    BigNum::from_u32(number)
        .unwrap()
        .to_vec_padded(256)
        .unwrap()
}

/// A message and its signature of which `wanted` is true.
fn signed_until(wanted: impl Fn(&[u8]) -> bool) -> (String, Vec<u8>) {
    let key = PKey::from_rsa(RSA.clone()).unwrap();
    (0..20_000_u32)
        .map(|counter| {
            let claims = base64url(&counter.to_be_bytes());
            let message = format!("{}{claims}", message("RS256"));
            let signature = sign(&key, MessageDigest::sha256(), &message);
            (message, signature)
        })
        .find(|(_, signature)| wanted(signature))
        .unwrap()
}

#[test]
fn a_signature_has_the_length_of_the_modulus() {
    let (message, signature) = signed_until(|signature| signature[0] == 0);
    let is_valid = |signature: &[u8]| verifies(&RSA, &message, &base64url(signature));
    assert!(is_valid(&signature));
    assert!(!is_valid(&signature[1..]));
    assert!(!is_valid(&[&[0], &signature[..]].concat()));
    assert!(!is_valid(&[&signature[..], &[0]].concat()));
    assert!(!is_valid(&signature[..255]));
    assert!(!is_valid(&[&signature[..], &signature[..]].concat()));
    assert!(!is_valid(&vec![0; 1 << 20]));
}

#[test]
fn a_signature_is_below_the_modulus() {
    let plus_modulus = |signature: &[u8]| {
        let sum = &BigNum::from_slice(signature).unwrap() + RSA.n();
        (sum.num_bits() <= 2048).then(|| sum.to_vec_padded(256).unwrap())
    };
    let (message, signature) = signed_until(|signature| plus_modulus(signature).is_some());
    assert!(verifies(&RSA, &message, &base64url(&signature)));
    let larger = plus_modulus(&signature).unwrap();
    assert!(!verifies(&RSA, &message, &base64url(&larger)));
    let negative = (RSA.n() - &BigNum::from_slice(&signature).unwrap())
        .to_vec_padded(256)
        .unwrap();
    assert!(!verifies(&RSA, &message, &base64url(&negative)));
}

#[test]
fn base64_has_one_form() {
    // Bits that need both characters in which the alphabets differ.
    let (message, signature) = signed_until(|signature| {
        let text = base64url(signature);
        text.contains('-') && text.contains('_')
    });
    let good = base64url(&signature);
    assert!(verifies(&RSA, &message, &good));
    for variant in [
        URL_SAFE.encode(&signature),
        STANDARD.encode(&signature),
        STANDARD_NO_PAD.encode(&signature),
        format!("{good}="),
        format!("={good}"),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{}\r\n{}", &good[..64], &good[64..]),
        format!("{good}A"),
        format!("{good}.{good}"),
        format!("{good}."),
        format!("{good}\0"),
        with_stray_bits(&good),
        good[..good.len() - 1].to_owned(),
    ] {
        assert!(!verifies(&RSA, &message, &variant), "{variant}");
    }
}

/// Other bits in the last character that decode to nothing: 256 bytes leave
/// four of them.
fn with_stray_bits(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = text.split_at(text.len() - 1);
    let value = ALPHABET
        .iter()
        .position(|b| last.as_bytes()[0] == *b)
        .unwrap();
    format!("{rest}{}", char::from(ALPHABET[value ^ 1]))
}

#[test]
fn a_jws_has_three_parts_of_base64url() {
    let key = PKey::from_rsa(RSA.clone()).unwrap();
    let verified = |message: &str| {
        let signature = sign(&key, MessageDigest::sha256(), message);
        verifies(&RSA, message, &base64url(&signature))
    };
    let message = message("RS256");
    let (header, claims) = message.split_once('.').unwrap();
    assert!(verified(&message));
    assert!(verified(&format!("{header}.")), "an empty payload is one");
    for bad in [
        header.to_owned(),
        format!(".{claims}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{claims}"),
        format!("{header}.{claims}!"),
        format!("{header}. {claims}"),
        format!("{claims}.{claims}"),
    ] {
        assert!(!verified(&bad), "{bad}");
    }
}

#[test]
fn only_rs256_is_verified() {
    let key = PKey::from_rsa(RSA.clone()).unwrap();
    let public = key.public_key_to_pem().unwrap();
    let mut forgeries = vec![("none", vec![]), ("None", vec![]), ("NONE", vec![])];
    for secret in [&public[..], &RSA.n().to_vec(), b""] {
        for (name, digest) in [
            ("HS256", MessageDigest::sha256()),
            ("HS512", MessageDigest::sha512()),
        ] {
            if let Ok(secret) = PKey::hmac(secret) {
                forgeries.push((name, sign(&secret, digest, &message(name))));
            }
        }
    }
    for (name, digest) in [
        ("PS256", MessageDigest::sha256()),
        ("PS384", MessageDigest::sha384()),
        ("PS512", MessageDigest::sha512()),
    ] {
        let mut signer = Signer::new(digest, &key).unwrap();
        signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        let signature = signer.sign_oneshot_to_vec(message(name).as_bytes());
        forgeries.push((name, signature.unwrap()));
    }
    for (name, digest) in [
        ("RS1", MessageDigest::sha1()),
        ("RS384", MessageDigest::sha384()),
        ("RS512", MessageDigest::sha512()),
    ] {
        forgeries.push((name, sign(&key, digest, &message(name))));
    }
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let curve = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
    forgeries.push((
        "ES256",
        sign(&curve, MessageDigest::sha256(), &message("ES256")),
    ));
    let edwards = PKey::generate_ed25519().unwrap();
    let mut signer = Signer::new_without_digest(&edwards).unwrap();
    let signature = signer.sign_oneshot_to_vec(message("EdDSA").as_bytes());
    forgeries.push(("EdDSA", signature.unwrap()));

    for (name, signature) in forgeries {
        let signature = base64url(&signature);
        assert!(!verifies(&RSA, &message(name), &signature), "{name}");
        // And with its name changed to the one that is accepted.
        assert!(!verifies(&RSA, &message("RS256"), &signature), "{name}");
    }
    // A good signature under any other name.
    for name in [
        "rs256", "RS256 ", "RS-256", "RSA", "", "none", "HS256", "PS256",
    ] {
        let signature = base64url(&sign(&key, MessageDigest::sha256(), &message(name)));
        assert!(!verifies(&RSA, &message(name), &signature), "{name}");
    }
}

#[test]
fn other_hashes_and_paddings_under_the_right_name_are_refused() {
    let key = PKey::from_rsa(RSA.clone()).unwrap();
    let message = message("RS256");
    for digest in [
        MessageDigest::md5(),
        MessageDigest::sha1(),
        MessageDigest::sha224(),
        MessageDigest::sha384(),
        MessageDigest::sha512(),
        MessageDigest::sha3_256(),
    ] {
        assert!(!accepts(&RSA, &sign(&key, digest, &message)));
    }
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
    let signature = signer.sign_oneshot_to_vec(message.as_bytes()).unwrap();
    assert!(!accepts(&RSA, &signature));
}

#[test]
fn a_header_names_the_algorithm_and_no_critical_extension() {
    let key = PKey::from_rsa(RSA.clone()).unwrap();
    let verified = |header: &str| {
        let message = format!("{}.{}", base64url(header.as_bytes()), base64url(b"{}"));
        let signature = sign(&key, MessageDigest::sha256(), &message);
        verifies(&RSA, &message, &base64url(&signature))
    };
    assert!(verified(r#"{"alg":"RS256"}"#));
    assert!(verified(
        r#"{"alg":"RS256","kid":"another","jku":"https://evil.example"}"#
    ));
    for bad in [
        "{}",
        "null",
        "[]",
        "RS256",
        r#""RS256""#,
        r#"{"alg":null}"#,
        r#"{"alg":["RS256"]}"#,
        r#"{"ALG":"RS256"}"#,
        r#"{"alg":"RS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"RS256","crit":null}"#,
        r#"{"alg":"RS256"} {}"#,
    ] {
        assert!(!verified(bad), "{bad}");
    }
}

fn numbers(n: &[u8], e: &[u8]) -> Value {
    json!({ "kty": "RSA", "n": base64url(n), "e": base64url(e) })
}

#[test]
fn invalid_keys_are_refused() {
    let n = RSA.n().to_vec();
    let accepted = |n: &[u8], e: &[u8]| Key::from_jwk(&numbers(n, e)).is_some();
    for exponent in [&[3][..], &[17], &[1, 0, 1], &[0, 1, 0, 1], &[0xff; 8]] {
        assert!(accepted(&n, exponent), "{exponent:?}");
    }
    for exponent in [
        &[][..],
        &[0],
        &[1],
        &[2],
        &[4],
        &[1, 0, 0],
        &[1, 0, 0, 0, 0, 0, 0, 0, 1],
        &n,
    ] {
        assert!(!accepted(&n, exponent), "{exponent:?}");
    }

    let modulus = |bits: i32| {
        let mut number = BigNum::from_u32(1).unwrap();
        number.set_bit(bits - 1).unwrap();
        number.to_vec()
    };
    for bits in [2048, 3072, 8192] {
        assert!(accepted(&modulus(bits), &[3]), "{bits}");
    }
    for bits in [2, 512, 1024, 2047, 8193, 16_384, 1 << 20] {
        assert!(!accepted(&modulus(bits), &[3]), "{bits}");
    }
    let zeros_in_front = [&[0; 200][..], &modulus(1024)].concat();
    assert!(!accepted(&zeros_in_front, &[3]));
    let mut even = n.clone();
    even[255] &= 0xfe;
    assert!(!accepted(&even, &[1, 0, 1]));
    assert!(!accepted(&[], &[1, 0, 1]));

    let small = Rsa::generate(1024).unwrap();
    assert!(Key::from_jwk(&jwk(&small)).is_none());
    let pem = small.public_key_to_pem().unwrap();
    assert!(Key::from_pem(std::str::from_utf8(&pem).unwrap()).is_none());
}

#[test]
fn a_key_with_exponent_one_signs_nothing() {
    // Such a key would accept the padded digest itself as its signature.
    let block = encoded(256, &digest_info(&SHA256, &digest()));
    let jwk = numbers(&RSA.n().to_vec(), &[1]);
    let verified = Key::from_jwk(&jwk).is_some_and(|key| {
        key.verifies_jws(&format!("{}.{}", message("RS256"), base64url(&block)))
    });
    assert!(!verified);
}

#[test]
fn keys_for_another_purpose_are_refused() {
    let good = jwk(&RSA);
    assert!(Key::from_jwk(&good).is_some());
    let with = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        Key::from_jwk(&jwk).is_some()
    };
    for optional in ["use", "alg", "kid"] {
        let mut jwk = good.clone();
        jwk.as_object_mut().unwrap().remove(optional);
        assert!(Key::from_jwk(&jwk).is_some(), "{optional}");
    }
    assert!(with("key_ops", json!(["verify"])));
    assert!(with("key_ops", json!(["sign", "verify"])));
    for (name, value) in [
        ("use", json!("enc")),
        ("use", json!("")),
        ("use", json!(null)),
        ("use", json!(["sig"])),
        ("alg", json!("RS384")),
        ("alg", json!("RS512")),
        ("alg", json!("PS256")),
        ("alg", json!("RSA-OAEP")),
        ("alg", json!("rs256")),
        ("alg", json!(null)),
        ("kty", json!("EC")),
        ("kty", json!("oct")),
        ("kty", json!("OKP")),
        ("kty", json!("rsa")),
        ("kty", json!(null)),
        ("key_ops", json!([])),
        ("key_ops", json!(["encrypt"])),
        ("key_ops", json!("verify")),
        ("key_ops", json!(null)),
        ("n", json!(null)),
        ("n", json!("")),
        ("n", json!("!")),
        ("n", json!(STANDARD.encode(RSA.n().to_vec()))),
        ("e", json!("AQAB=")),
        ("e", json!("AQAC")),
        ("e", json!(65_537)),
    ] {
        assert!(!with(name, value.clone()), "{name} {value}");
    }
    for other in [
        json!(null),
        json!([]),
        json!({}),
        json!({ "kty": "oct", "k": "c2VjcmV0" }),
        json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }),
    ] {
        assert!(Key::from_jwk(&other).is_none(), "{other}");
    }
}

#[test]
fn a_pem_may_be_pasted_in_many_ways() {
    let pem = String::from_utf8(RSA.public_key_to_pem().unwrap()).unwrap();
    let block = encoded(256, &digest_info(&SHA256, &digest()));
    let jws = format!(
        "{}.{}",
        message("RS256"),
        base64url(&sign_block(&RSA, &block))
    );
    for variant in [
        pem.clone(),
        pem.trim().to_owned(),
        pem.replace('\n', "\r\n"),
        pem.replace('\n', "\\n"),
        pem.replace('\n', "\\r\\n"),
        pem.replace('\n', " "),
        format!("\n  {pem}  \n"),
    ] {
        let key = Key::from_pem(&variant);
        assert!(key.is_some_and(|key| key.verifies_jws(&jws)), "{variant}");
    }
    let private = String::from_utf8(RSA.private_key_to_pem().unwrap()).unwrap();
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let curve = EcKey::generate(&curve)
        .unwrap()
        .public_key_to_pem()
        .unwrap();
    for other in [
        String::new(),
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----".to_owned(),
        pem.replace('M', "!"),
        pem[..pem.len() / 2].to_owned(),
        private,
        String::from_utf8(curve).unwrap(),
        "secret".to_owned(),
    ] {
        assert!(Key::from_pem(&other).is_none());
    }
}

/// `authenticate` with the key of these tests: production, nothing but the
/// signature to fail.
fn decide(request: &RequestView<'_>) -> Decision {
    let instance = Instance {
        authorized_parties: AuthorizedParties::Listed(vec![]),
        issuer: None,
        ..Instance::new(PublishableKey::parse("pk_live_Y2xlcmsuZXhhbXBsZS5jb20k").unwrap())
    };
    let keys = PublicKeys::from(Key::from_jwk(&jwk(&RSA)).unwrap());
    authenticate(&instance, &keys, request, 0)
}

fn by_header(token: &str) -> Decision {
    let authorization = format!("Bearer {token}");
    decide(&RequestView {
        method: "GET",
        target: "/",
        origin: "https://www.example.com",
        authorization: Some((&authorization).into()),
        ..RequestView::default()
    })
}

fn by_cookie(name: &str, token: &str) -> Decision {
    let cookie = format!("{name}={token}; __client_uat=1");
    decide(&RequestView {
        method: "GET",
        target: "/",
        origin: "https://www.example.com",
        cookie: Some((&cookie).into()),
        ..RequestView::default()
    })
}

/// A token whose signature is the raw private operation on `block`, which is
/// made from the `DigestInfo` that would be right.
fn token_with(header: &Value, claims: &Value, block: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    let message = format!("{}.{}", part(header), part(claims));
    let digest = hash(MessageDigest::sha256(), message.as_bytes()).unwrap();
    let signature = sign_block(&RSA, &block(&digest_info(&SHA256, &digest)));
    format!("{message}.{}", base64url(&signature))
}

#[test]
fn a_forged_token_signs_nobody_in() {
    let header = json!({ "alg": "RS256", "typ": "JWT" });
    let claims = json!({ "sub": "user_1", "exp": 60, "iat": 1 });
    let genuine = token_with(&header, &claims, |info| encoded(256, info));
    for decision in [by_header(&genuine), by_cookie("__session", &genuine)] {
        assert!(matches!(decision.state, State::SignedIn(_)));
    }

    let flaws = encodings::malformed_padding(256, &[0; 51]).len();
    for flaw in 0..flaws {
        let forged = token_with(&header, &claims, |info| {
            encodings::malformed_padding(256, info).swap_remove(flaw).1
        });
        for decision in [by_header(&forged), by_cookie("__session", &forged)] {
            let state = State::SignedOut {
                reason: Reason::TokenInvalidSignature,
                obstacle: None,
            };
            assert_eq!(decision.state, state);
        }
    }
}

#[test]
fn a_handshake_that_is_not_the_instances_sets_no_cookie() {
    let claims = json!({ "handshake": ["evil=1; Path=/", "__session=; Path=/"] });
    let sent = |cat: Value, block: fn(&[u8]) -> Vec<u8>| {
        let header = json!({ "alg": "RS256", "typ": "JWT", "cat": cat });
        let decision = by_cookie("__clerk_handshake", &token_with(&header, &claims, block));
        let cookies = decision.set_cookie.into_iter();
        // The handshake itself is deleted.
        let set = cookies.filter(|cookie| !cookie.starts_with("__clerk_handshake=;"));
        set.collect::<Vec<_>>()
    };
    let genuine = |info: &[u8]| encoded(256, info);
    assert_eq!(sent(json!("cl_B7d4PD111AAA"), genuine).len(), 2);

    // A JWT template carries whatever its author likes; machines have tokens.
    for cat in [
        json!("cl_B7d4PD222AAA"),
        json!("cl_B7d4PD333AAA"),
        json!(null),
    ] {
        assert!(sent(cat, genuine).is_empty());
    }
    let garbage_behind = |info: &[u8]| encoded(256, &[info, &[0; 100]].concat());
    assert!(sent(json!("cl_B7d4PD111AAA"), garbage_behind).is_empty());
}
