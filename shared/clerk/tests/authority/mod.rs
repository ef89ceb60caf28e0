//! A certificate authority, and processes that trust it.

use std::path::Path;
use std::process::Command;

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};

/// Names the folder of the authority that a process trusts.
const FOLDER: &str = "KEY_SET_TEST_AUTHORITY";

/// Signs the certificates of servers.
pub(crate) struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

/// What a server's certificate says about it.
pub(crate) struct Certified {
    /// Its address or, with another certificate, somebody else's.
    pub(crate) address: &'static str,
    /// Days from now until it expires; negative: ago.
    pub(crate) days: i64,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = key();
        let mut builder = certificate("Key set test authority", &key, 30);
        let authority = BasicConstraints::new().critical().ca().build().unwrap();
        builder.append_extension(authority).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = builder.build();
        Self { certificate, key }
    }

    /// TLS of a server with a certificate of this authority.
    pub(crate) fn certify(&self, server: &Certified) -> SslAcceptor {
        let key = key();
        let mut builder = certificate("Frontend API", &key, server.days);
        builder
            .set_issuer_name(self.certificate.subject_name())
            .unwrap();
        let address = SubjectAlternativeName::new()
            .ip(server.address)
            .build(&builder.x509v3_context(Some(&self.certificate), None))
            .unwrap();
        builder.append_extension(address).unwrap();
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();

        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        acceptor.set_certificate(&builder.build()).unwrap();
        acceptor.set_private_key(&key).unwrap();
        acceptor.build()
    }

    fn write(&self, folder: &Path) {
        let certificate = self.certificate.to_pem().unwrap();
        std::fs::write(folder.join("certificate.pem"), certificate).unwrap();
        let key = self.key.private_key_to_pem_pkcs8().unwrap();
        std::fs::write(folder.join("key.pem"), key).unwrap();
    }

    fn read(folder: &Path) -> Self {
        let certificate = std::fs::read(folder.join("certificate.pem")).unwrap();
        let key = std::fs::read(folder.join("key.pem")).unwrap();
        Self {
            certificate: X509::from_pem(&certificate).unwrap(),
            key: PKey::private_key_from_pem(&key).unwrap(),
        }
    }
}

/// Runs a test's scenario in a process that trusts the authority it is given.
///
/// What a process trusts it learns from a variable at its start, and setting
/// one later is unsafe. So the test runs this program again, for itself alone.
pub(crate) fn trusting<F: AsyncFnOnce(Authority)>(scenario: F) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        return runtime.block_on(scenario(Authority::read(Path::new(&folder))));
    }
    let folder = tempfile::tempdir().unwrap();
    Authority::new().write(folder.path());
    let test = name_of::<F>();
    let run = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(FOLDER, folder.path())
        .env("SSL_CERT_FILE", folder.path().join("certificate.pem"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

/// The name of the test that a scenario was written in.
fn name_of<F>() -> &'static str {
    let path = std::any::type_name::<F>();
    let (_, path) = path.split_once("::").unwrap();
    path.split("::{{closure}}").next().unwrap()
}

fn key() -> PKey<Private> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap()
}

/// A certificate for `key` that lacks a signature; it is its own issuer.
fn certificate(name: &str, key: &PKey<Private>, days: i64) -> X509Builder {
    const DAY: i64 = 86_400;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    let at = |seconds| Asn1Time::from_unix(seconds).unwrap();
    let name = named(name);
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&at(now - 30 * DAY)).unwrap();
    builder.set_not_after(&at(now + days * DAY)).unwrap();
    builder
}

fn named(name: &str) -> X509Name {
    let mut builder = X509NameBuilder::new().unwrap();
    builder.append_entry_by_text("CN", name).unwrap();
    builder.build()
}
