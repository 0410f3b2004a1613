//! The trusted certificates: the system's, and those that a template adds.
//!
//! The system's are read from OpenSSL's locations. If `SSL_CERT_FILE` or `SSL_CERT_DIR` is set, only
//! these are read.
//! Reading them was most of the work of a cold start, because rustls's parser decodes in constant
//! time, which private keys need and certificates do not. So they are decoded here, and rustls's
//! parser reads only files of another form.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

/// The lines around a certificate in PEM (RFC 7468).
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The system's roots. Unreadable ones are skipped.
pub fn system_roots() -> RootCertStore {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
    let (file, directories) = (variable("SSL_CERT_FILE"), variable("SSL_CERT_DIR"));
    if file.is_some() || directories.is_some() {
        let directories = directories.iter().flat_map(env::split_paths);
        return in_all(file.as_deref().map(Path::new), directories);
    }
    let found = openssl_probe::probe();
    let in_file = in_all(found.cert_file.as_deref(), []);
    // The directories hold the same certificates, each in a file of its own.
    if in_file.is_empty() {
        return in_all(None, found.cert_dir);
    }
    in_file
}

fn in_all(file: Option<&Path>, directories: impl IntoIterator<Item = PathBuf>) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(file.into_iter().flat_map(in_file));
    for directory in directories {
        store.add_parsable_certificates(in_directory(&directory));
    }
    store
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

/// The certificates in a file. Unreadable ones are skipped, so that fewer are trusted.
fn in_file(path: &Path) -> Vec<CertificateDer<'static>> {
    let content = fs::read(path).unwrap_or_default();
    let decoded = std::str::from_utf8(&content).ok().and_then(in_bundle);
    decoded.unwrap_or_else(|| CertificateDer::pem_slice_iter(&content).flatten().collect())
}

/// The certificates in `pem`. `None` if one is incomplete, or is not base64 in lines.
fn in_bundle(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let mut certificates = vec![];
    let mut lines = pem.lines();
    let mut text = String::new();
    while let Some(line) = lines.next() {
        if line != BEGIN {
            if line.contains(BEGIN) {
                return None;
            }
            continue;
        }
        text.clear();
        loop {
            match lines.next()? {
                END => break,
                line => text.push_str(line),
            }
        }
        certificates.push(STANDARD.decode(&text).ok()?.into());
    }
    Some(certificates)
}

fn in_directory(path: &Path) -> Vec<CertificateDer<'static>> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    // Each file has several links.
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| fs::canonicalize(entry.path()).ok())
        .filter(|path| path.is_file())
        .collect();
    files.sort_unstable();
    files.dedup();
    files.iter().flat_map(|path| in_file(path)).collect()
}

#[cfg(test)]
mod tests;
