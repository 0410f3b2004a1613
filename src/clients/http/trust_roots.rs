//! The trusted certificates: the system's, and those that a template adds.

use std::fmt::Write as _;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

/// The roots in OpenSSL's locations. If `SSL_CERT_FILE` or `SSL_CERT_DIR` is set, only those in these.
/// Unreadable ones are skipped, so that fewer are trusted.
pub fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The certificates in `pem`. One that is not readable is an error.
pub fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, InvalidCertificate> {
    let mut store = RootCertStore::empty();
    let mut certificates = vec![];
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| InvalidCertificate)?;
        store
            .add(certificate.clone())
            .map_err(|_| InvalidCertificate)?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(InvalidCertificate);
    }
    Ok(certificates)
}

/// Whether `pem` holds certificates, all of which are readable.
pub fn is_certificate(pem: &str) -> bool {
    certificates(pem).is_ok()
}

/// The SHA-256 fingerprint of each certificate in `pem`, in upper-case hexadecimal digits without
/// colons.
///
/// # Errors
/// If `pem` has no certificate, or one that cannot be read.
pub fn fingerprints(pem: &str) -> Result<Vec<String>, InvalidCertificate> {
    let certificates = certificates(pem)?;
    Ok(certificates.iter().map(|one| fingerprint(one)).collect())
}

fn fingerprint(certificate: &[u8]) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(certificate) {
        let _ = write!(hex, "{byte:02X}");
    }
    hex
}

/// The text has no certificate, or one that is not readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no certificate in PEM")]
pub struct InvalidCertificate;

#[cfg(test)]
mod tests {
    use super::{fingerprints, system_roots};

    const AUTHORITY: &str = include_str!("tests/authority.pem");
    const SERVER: &str = include_str!("tests/server.pem");

    #[test]
    fn fingerprints_are_those_that_openssl_prints() {
        // openssl x509 -in src/clients/http/tests/authority.pem -noout -fingerprint -sha256
        let printed = "13:C3:21:F4:63:78:6C:FF:B8:E3:BE:DE:D2:45:C8:8F:\
                       AE:B7:B9:4D:75:57:8A:40:CC:5E:86:91:A0:90:D4:6A";
        let both = fingerprints(&format!("{AUTHORITY}{SERVER}")).unwrap();
        assert_eq!(both[0], printed.replace(':', ""));
        assert_eq!(both.len(), 2);
        assert_ne!(both[0], both[1]);
    }

    #[test]
    fn system_has_roots() {
        assert!(system_roots().len() > 50);
    }
}
