//! Certificates for servers on this machine.
//!
//! Every start makes a new authority whose key is never written to a file: it
//! cannot sign anything later, and no certificate has to be renewed.

use std::net::IpAddr;

use openssl::{
    asn1::{Asn1Time, Asn1TimeRef},
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    x509::{
        X509, X509Builder, X509Name, X509NameRef,
        extension::{
            AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage,
            SubjectAlternativeName, SubjectKeyIdentifier,
        },
    },
};

/// How long certificates are valid, in days: longer than a server runs.
const CERTIFICATE_AGE: u32 = 365;

/// A certificate authority that only this process can sign with.
pub struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

/// A certificate and its key, both as PEM.
pub struct Identity {
    /// What the server shows its clients.
    pub certificate: Vec<u8>,
    /// The private key, as PKCS#8.
    pub key: Vec<u8>,
}

impl Authority {
    /// Makes a new authority with a key of its own.
    ///
    /// # Errors
    /// If the crypto library fails.
    pub fn new() -> Result<Self, ErrorStack> {
        let key = generate_key()?;
        let name = common_name("quotes: authority of one local server")?;
        let end = Asn1Time::days_from_now(CERTIFICATE_AGE)?;
        let mut builder = start_certificate(&name, &name, &key, &end)?;
        builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().build()?)?;
        let identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
        builder.append_extension(identifier)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Self {
            certificate: builder.build(),
            key,
        })
    }

    /// The authority's certificate as PEM: what clients are told to trust.
    ///
    /// # Errors
    /// If the crypto library fails.
    pub fn pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.certificate.to_pem()
    }

    /// A server certificate for these host names and addresses.
    ///
    /// # Errors
    /// If the crypto library fails.
    pub fn issue(&self, names: &[&str]) -> Result<Identity, ErrorStack> {
        self.issue_until(names, &*Asn1Time::days_from_now(CERTIFICATE_AGE)?)
    }

    /// A server certificate that is valid no longer than `end`.
    ///
    /// # Errors
    /// If the crypto library fails.
    pub fn issue_until(&self, names: &[&str], end: &Asn1TimeRef) -> Result<Identity, ErrorStack> {
        let key = generate_key()?;
        let subject = common_name(names.first().copied().unwrap_or("localhost"))?;
        let issuer = self.certificate.subject_name();
        let mut builder = start_certificate(&subject, issuer, &key, end)?;
        let mut alternatives = SubjectAlternativeName::new();
        for name in names {
            match name.parse::<IpAddr>() {
                Ok(_) => alternatives.ip(name),
                Err(_) => alternatives.dns(name),
            };
        }
        let context = builder.x509v3_context(Some(&self.certificate), None);
        let extensions = [
            BasicConstraints::new().critical().build()?,
            KeyUsage::new().critical().digital_signature().build()?,
            ExtendedKeyUsage::new().server_auth().build()?,
            alternatives.build(&context)?,
            SubjectKeyIdentifier::new().build(&context)?,
            AuthorityKeyIdentifier::new().keyid(true).build(&context)?,
        ];
        for extension in extensions {
            builder.append_extension(extension)?;
        }
        builder.sign(&self.key, MessageDigest::sha256())?;
        Ok(Identity {
            certificate: builder.build().to_pem()?,
            key: key.private_key_to_pem_pkcs8()?,
        })
    }
}

fn generate_key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

fn common_name(text: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::COMMONNAME, text)?;
    Ok(name.build())
}

/// What the certificates of authorities and servers have in common.
fn start_certificate(
    subject: &X509NameRef,
    issuer: &X509NameRef,
    key: &PKey<Private>,
    end: &Asn1TimeRef,
) -> Result<X509Builder, ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::ONE, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let serial = serial.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    builder.set_pubkey(key)?;
    let begin = Asn1Time::from_unix(0)?;
    builder.set_not_before(&begin)?;
    builder.set_not_after(end)?;
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issued_certificate_verifies_with_its_authority_only() {
        let authority = Authority::new().unwrap();
        let issued = authority.issue(&["localhost", "127.0.0.1", "::1"]).unwrap();
        let certificate = X509::from_pem(&issued.certificate).unwrap();

        assert!(certificate.verify(&authority.key).unwrap());
        assert!(!certificate.verify(&Authority::new().unwrap().key).unwrap());
        let key = PKey::private_key_from_pem(&issued.key).unwrap();
        assert!(certificate.public_key().unwrap().public_eq(&key));
    }

    #[test]
    fn names_and_addresses_are_told_apart() {
        let issued = Authority::new()
            .unwrap()
            .issue(&["localhost", "127.0.0.1"])
            .unwrap();
        let certificate = X509::from_pem(&issued.certificate).unwrap();
        let alternatives = certificate.subject_alt_names().unwrap();
        assert_eq!(alternatives[0].dnsname(), Some("localhost"));
        assert_eq!(alternatives[1].ipaddress(), Some(&[127, 0, 0, 1][..]));
    }
}
