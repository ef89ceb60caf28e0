//! Random names.

/// Returns 16 random hexadecimal digits: tests that share a server do not meet.
pub fn unique() -> String {
    let mut random = [0; 8];
    openssl::rand::rand_bytes(&mut random).expect("the system has randomness");
    format!("{:016x}", u64::from_ne_bytes(random))
}
