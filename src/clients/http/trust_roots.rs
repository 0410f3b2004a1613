//! The trusted certificates: the system's, and those that a template adds.

use std::fmt::Write as _;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use crate::common::text_file::place;

/// The roots in OpenSSL's locations. If `SSL_CERT_FILE` or `SSL_CERT_DIR` is set, only those in these.
/// Unreadable ones are skipped, so that fewer are trusted.
pub fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The certificates in `pem`. One that is not readable is an error. Each is read alone: the parser
/// skips the first line of a text that begins with a byte order mark, and with it a certificate.
pub fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, InvalidCertificate> {
    let begins = pem.match_indices("-----BEGIN CERTIFICATE-----");
    let certificates = begins.map(|(at, _)| {
        let place = || InvalidCertificate(Some(place(&pem[..at])));
        let one = CertificateDer::from_pem_slice(&pem.as_bytes()[at..]).map_err(|_| place())?;
        let added = RootCertStore::empty().add(one.clone());
        added.map_err(|_| place()).map(|()| one)
    });
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>()?;
    if certificates.is_empty() {
        return Err(InvalidCertificate(None));
    }
    Ok(certificates)
}

/// Whether `pem` holds certificates, all of which are readable.
pub fn is_certificate(pem: &str) -> bool {
    certificates(pem).is_ok()
}

/// Names the first certificate in `pem` that is not readable. `None` if there is none.
pub fn unreadable_certificate(pem: &str) -> Option<String> {
    let place = certificates(pem).err()?.0?;
    Some(format!("the one that begins at {place} is not readable"))
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

/// The text has no certificate, or the one that begins here is not readable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no certificate in PEM")]
pub struct InvalidCertificate(pub Option<String>);

#[cfg(test)]
mod tests {
    use super::{fingerprints, system_roots, unreadable_certificate};

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
    fn unreadable_certificate_is_named_by_its_line() {
        let lines = AUTHORITY.trim_end().lines().count();
        let second = format!("line {}, column 1", lines + 1);
        let cut = SERVER.lines().take(3).collect::<Vec<_>>().join("\n");
        for broken in [SERVER.replace('\n', " "), cut, SERVER.replace("MII", "!!!")] {
            let error = unreadable_certificate(&format!("{AUTHORITY}{broken}"));
            assert!(
                error.is_some_and(|error| error.contains(&second)),
                "{broken}"
            );
        }
        assert_eq!(unreadable_certificate("no certificate"), None);
        let marked = format!("\u{feff}{AUTHORITY}{SERVER}");
        assert_eq!(fingerprints(&marked).map(|all| all.len()), Ok(2));
    }

    #[test]
    fn system_has_roots() {
        assert!(system_roots().len() > 50);
    }
}
