//! The one right encoding of a PKCS#1 v1.5 signature, and those that resemble it.
//!
//! Collected from the literature: Bleichenbacher's forgery (CVE-2006-4339), its
//! variants by Kühn, Pyshkin, Tews and Weinmann (garbage in the parameters,
//! 2008), BERserk (long lengths, CVE-2014-1568), the lax parsers that Chau et
//! al. found (NDSS 2019), and the RSA signature cases of Project Wycheproof.

/// `AlgorithmIdentifier` of SHA-256: its object identifier and NULL.
pub(crate) const SHA256: [u8; 15] = [
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
];

const SHA256_OID: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// `00 01 FF…FF 00` before the content, `size` bytes in all.
pub(crate) fn encoded(size: usize, content: &[u8]) -> Vec<u8> {
    let padding = vec![0xff; size - 3 - content.len()];
    [&[0, 1], &padding[..], &[0], content].concat()
}

/// DER of a `DigestInfo`.
pub(crate) fn digest_info(algorithm: &[u8], digest: &[u8]) -> Vec<u8> {
    der(0x30, &[algorithm, &der(0x04, digest)].concat())
}

/// DER of a value of at most 127 bytes.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}

/// A value whose length is written as `length`.
fn ber(tag: u8, length: &[u8], content: &[u8]) -> Vec<u8> {
    [&[tag], length, content].concat()
}

/// `size` bytes each; the `DigestInfo` in them is right.
pub(crate) fn malformed_padding(size: usize, info: &[u8]) -> Vec<(String, Vec<u8>)> {
    let good = encoded(size, info);
    let separator = size - info.len() - 1;
    let mut blocks = Vec::new();
    let mut add = |flaw: &str, block: Vec<u8>| blocks.push((flaw.to_owned(), block));

    for (position, name) in [
        (0, "leading zero"),
        (1, "block type"),
        (2, "first padding byte"),
        (9, "eighth padding byte"),
        (separator / 2, "padding byte in the middle"),
        (separator - 1, "last padding byte"),
        (separator, "separator"),
    ] {
        for byte in [0x00, 0x01, 0x02, 0x7f, 0xfe, 0xff] {
            let mut block = good.clone();
            block[position] = byte;
            // Nothing at or above the modulus can be signed.
            if block != good && block[0] < 0x80 {
                add(&format!("{name} is {byte:02x}"), block);
            }
        }
    }
    for block_type in [0x00, 0x02] {
        for filler in [0x00, 0x01, 0xa5] {
            let mut block = good.clone();
            block[1] = block_type;
            block[2..separator].fill(filler);
            add(
                &format!("block type {block_type} filled with {filler:02x}"),
                block,
            );
        }
    }
    for filler in [0x00, 0x01, 0xfe] {
        let mut block = good.clone();
        block[2..separator].fill(filler);
        add(&format!("padding filled with {filler:02x}"), block);
    }
    for length in [0, 1, 7, 8] {
        let short = [&[1], &vec![0xff; length][..], &[0], info].concat();
        let zeros = vec![0; size - short.len()];
        let before = [&zeros[..], &short].concat();
        add(&format!("{length} bytes of padding after zeros"), before);
        let after = [&[0], &short[..], &zeros[1..]].concat();
        add(&format!("{length} bytes of padding before zeros"), after);
    }
    add(
        "no leading zero",
        [&good[1..separator], &[0xff], &good[separator..]].concat(),
    );
    add("trailing zero", [&good[..2], &good[3..], &[0]].concat());
    add("two separators", {
        let mut block = good.clone();
        block[separator - 1] = 0;
        block
    });
    add("a separator after eight bytes", {
        let mut block = good.clone();
        block[10] = 0;
        block
    });
    add(
        "nothing but padding",
        [&[0, 1][..], &vec![0xff; size - 2]].concat(),
    );
    add("nothing after the separator", encoded(size, &[]));
    add(
        "no padding at all",
        [&vec![0; size - info.len()][..], info].concat(),
    );
    add(
        "content first",
        [&[0, 1], info, &vec![0xff; size - 2 - info.len()][..]].concat(),
    );
    add("ANSI X9.31", {
        let digest = &info[info.len() - 32..];
        [
            &[0x6b],
            &vec![0xbb; size - 36][..],
            &[0xba],
            digest,
            &[0x34, 0xcc],
        ]
        .concat()
    });
    blocks
}

/// What stands in place of the `DigestInfo`; the padding around it is right.
pub(crate) fn malformed_digest_infos(digest: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let good = digest_info(&SHA256, digest);
    let octets = der(0x04, digest);
    let oid = der(0x06, SHA256_OID);
    let with_parameters =
        |parameters: &[u8]| digest_info(&der(0x30, &[&oid, parameters].concat()), digest);
    let algorithm = |oid: &[u8]| der(0x30, &[&der(0x06, oid)[..], &[0x05, 0x00]].concat());
    let content = [&SHA256[..], &octets].concat();

    let mut infos = vec![
        ("the digest alone", digest.to_vec()),
        ("the octet string alone", octets.clone()),
        ("the digest in hexadecimal", hexadecimal(digest)),
        ("no parameters", with_parameters(&[])),
        ("NULL with content", with_parameters(&[0x05, 0x01, 0x00])),
        (
            "NULL with a long length",
            with_parameters(&[0x05, 0x81, 0x00]),
        ),
        (
            "NULL of indefinite length",
            with_parameters(&[0x05, 0x80, 0x00, 0x00]),
        ),
        ("NULL cut off", with_parameters(&[0x05])),
        ("two NULLs", with_parameters(&[0x05, 0x00, 0x05, 0x00])),
        (
            "an octet string as parameters",
            with_parameters(&[0x04, 0x00]),
        ),
        ("a sequence as parameters", with_parameters(&[0x30, 0x00])),
        ("zeros as parameters", with_parameters(&[0x00, 0x00])),
        (
            "garbage as parameters",
            with_parameters(&der(0x04, &[0xa5; 64])),
        ),
        ("garbage in NULL", with_parameters(&der(0x05, &[0xa5; 64]))),
        ("outer length long", ber(0x30, &[0x81, 0x31], &content)),
        (
            "outer length longer",
            ber(0x30, &[0x82, 0x00, 0x31], &content),
        ),
        (
            "outer length overflowing",
            ber(0x30, &[0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0x31], &content),
        ),
        ("outer length reserved", ber(0x30, &[0xff], &content)),
        (
            "outer length indefinite",
            ber(0x30, &[0x80], &[&content[..], &[0, 0]].concat()),
        ),
        ("outer length one more", ber(0x30, &[0x32], &content)),
        ("outer length one less", ber(0x30, &[0x30], &content)),
        ("outer length zero", ber(0x30, &[0x00], &content)),
        (
            "algorithm length long",
            digest_info(&ber(0x30, &[0x81, 0x0d], &SHA256[2..]), digest),
        ),
        (
            "algorithm length indefinite",
            digest_info(&[&[0x30, 0x80], &SHA256[2..], &[0, 0]].concat(), digest),
        ),
        (
            "algorithm length one more",
            digest_info(&ber(0x30, &[0x0e], &SHA256[2..]), digest),
        ),
        (
            "algorithm length one less",
            digest_info(&ber(0x30, &[0x0c], &SHA256[2..]), digest),
        ),
        (
            "identifier length long",
            digest_info(
                &der(
                    0x30,
                    &[&ber(0x06, &[0x81, 0x09], SHA256_OID)[..], &[5, 0]].concat(),
                ),
                digest,
            ),
        ),
        (
            "digest length long",
            der(
                0x30,
                &[&SHA256[..], &ber(0x04, &[0x81, 0x20], digest)].concat(),
            ),
        ),
        (
            "digest length one more",
            der(0x30, &[&SHA256[..], &ber(0x04, &[0x21], digest)].concat()),
        ),
        (
            "digest length one less",
            der(0x30, &[&SHA256[..], &ber(0x04, &[0x1f], digest)].concat()),
        ),
        (
            "digest length indefinite",
            der(
                0x30,
                &[&SHA256[..], &ber(0x24, &[0x80], &octets), &[0, 0]].concat(),
            ),
        ),
        (
            "digest constructed",
            der(0x30, &[&SHA256[..], &der(0x24, &octets)].concat()),
        ),
        (
            "digest in two pieces",
            der(
                0x30,
                &[
                    &SHA256[..],
                    &der(
                        0x24,
                        &[der(0x04, &digest[..16]), der(0x04, &digest[16..])].concat(),
                    ),
                ]
                .concat(),
            ),
        ),
        (
            "digest as bit string",
            der(
                0x30,
                &[&SHA256[..], &der(0x03, &[&[0], digest].concat())].concat(),
            ),
        ),
        ("outer tag set", [&[0x31], &good[1..]].concat()),
        ("outer tag primitive", [&[0x10], &good[1..]].concat()),
        ("outer tag in context", [&[0xa0], &good[1..]].concat()),
        (
            "identifier relative",
            digest_info(
                &der(0x30, &[&der(0x0d, SHA256_OID)[..], &[5, 0]].concat()),
                digest,
            ),
        ),
        (
            "identifier padded",
            digest_info(
                &algorithm(&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x80, 0x01]),
                digest,
            ),
        ),
        (
            "identifier cut off",
            digest_info(&algorithm(&SHA256_OID[..8]), digest),
        ),
        (
            "identifier continued",
            digest_info(&algorithm(&[SHA256_OID, &[0x01]].concat()), digest),
        ),
        (
            "no identifier",
            digest_info(&der(0x30, &[0x05, 0x00]), digest),
        ),
        ("no algorithm", der(0x30, &octets)),
        ("empty algorithm", digest_info(&[0x30, 0x00], digest)),
        (
            "digest before algorithm",
            der(0x30, &[&octets[..], &SHA256].concat()),
        ),
        ("zeros behind", [&good[..], &[0, 0]].concat()),
        ("zeros within", der(0x30, &[&content[..], &[0, 0]].concat())),
        (
            "garbage within",
            der(0x30, &[&content[..], &der(0x04, &[0xa5; 40])].concat()),
        ),
        ("zeros before", [&[0, 0], &good[..]].concat()),
        ("twice", [&good[..], &good].concat()),
        ("in a sequence of its own", der(0x30, &good)),
        ("nothing", Vec::new()),
        ("empty sequence", vec![0x30, 0x00]),
    ];
    for (name, oid) in [
        ("MD5", &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05][..]),
        ("SHA-1", &[0x2b, 0x0e, 0x03, 0x02, 0x1a]),
        (
            "SHA-384",
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02],
        ),
        (
            "SHA-512",
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03],
        ),
        (
            "SHA-224",
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x04],
        ),
        (
            "SHA-512/256",
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x06],
        ),
        (
            "SHA3-256",
            &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x08],
        ),
        (
            "SHA-256 with RSA",
            &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b],
        ),
    ] {
        infos.push((name, digest_info(&algorithm(oid), digest)));
    }
    for (name, length) in [("20 bytes", 20), ("31 bytes", 31), ("no bytes", 0)] {
        infos.push((name, digest_info(&SHA256, &digest[..length])));
    }
    for (name, more) in [("33 bytes", &[0][..]), ("64 bytes", &[0; 32])] {
        infos.push((name, digest_info(&SHA256, &[digest, more].concat())));
        infos.push((name, digest_info(&SHA256, &[more, digest].concat())));
    }
    for (name, position, bit) in [("first bit", 0, 0x80), ("last bit", 31, 0x01)] {
        let mut digest = digest.to_vec();
        digest[position] ^= bit;
        infos.push((name, digest_info(&SHA256, &digest)));
    }
    infos.push(("a digest of zeros", digest_info(&SHA256, &[0; 32])));
    infos
}

fn hexadecimal(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .flat_map(|byte| format!("{byte:02x}").into_bytes())
        .collect()
}
