//! The trusted certificates: the system's, and those that a template adds.
//!
//! The system's are read from OpenSSL's locations. If `SSL_CERT_FILE` or `SSL_CERT_DIR` is set, only
//! these are read.
//! Of each certificate only the names are decoded, until one has a subject that is looked for.
//! rustls's parser would decode all of them, in constant time, which private keys need and
//! certificates do not. It reads only files of another form.

mod der;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

pub use self::der::names;

/// The lines around a certificate in PEM (RFC 7468).
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates in a file or directory that may be the wanted ones.
#[derive(Debug, Default)]
struct Found {
    /// Whether it has certificates at all.
    has_certificates: bool,
    /// Those with a wanted subject, and those that cannot be decoded here.
    certificates: Vec<CertificateDer<'static>>,
}

impl Found {
    fn add(&mut self, other: Found) {
        self.has_certificates |= other.has_certificates;
        self.certificates.extend(other.certificates);
    }
}

/// The system's roots with one of these subjects. Unreadable ones are skipped.
pub fn system_roots(subjects: &BTreeSet<&[u8]>) -> Vec<CertificateDer<'static>> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
    let (file, directories) = (variable("SSL_CERT_FILE"), variable("SSL_CERT_DIR"));
    if file.is_some() || directories.is_some() {
        let directories = directories.iter().flat_map(env::split_paths);
        return in_all(file.as_deref().map(Path::new), directories, subjects).certificates;
    }
    let system = openssl_probe::probe();
    let in_file = in_all(system.cert_file.as_deref(), [], subjects);
    // The directories hold the same certificates, each in a file of its own.
    if !in_file.has_certificates {
        return in_all(None, system.cert_dir, subjects).certificates;
    }
    in_file.certificates
}

fn in_all(
    file: Option<&Path>,
    directories: impl IntoIterator<Item = PathBuf>,
    subjects: &BTreeSet<&[u8]>,
) -> Found {
    let mut found = Found::default();
    for path in file
        .map(Path::to_owned)
        .into_iter()
        .chain(directories.into_iter().flat_map(files_in))
    {
        found.add(in_file(&path, subjects));
    }
    found
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
fn in_file(path: &Path, subjects: &BTreeSet<&[u8]>) -> Found {
    let content = fs::read(path).unwrap_or_default();
    let bundle = std::str::from_utf8(&content).ok();
    bundle
        .and_then(|pem| in_bundle(pem, subjects))
        .unwrap_or_else(|| {
            let certificates: Vec<_> = CertificateDer::pem_slice_iter(&content).flatten().collect();
            Found {
                has_certificates: !certificates.is_empty(),
                certificates,
            }
        })
}

/// The certificates in `pem`. `None` if one is incomplete, or is not base64 in lines as far as it is
/// decoded.
fn in_bundle(pem: &str, subjects: &BTreeSet<&[u8]>) -> Option<Found> {
    let mut found = Found::default();
    let mut decoded = vec![];
    let mut start = 0;
    // Base64 has no hyphen, and texts between certificates have few.
    while let Some(hyphen) = pem[start..].find('-') {
        let (before, boundary) = pem.split_at(start + hyphen);
        let Some(after) = boundary.strip_prefix(BEGIN) else {
            start = before.len() + 1;
            continue;
        };
        let (body, after) = after.split_at(after.find('-')?);
        let is_at_line_start = before.is_empty() || before.ends_with('\n');
        if !is_at_line_start || !body.starts_with(['\r', '\n']) || !body.ends_with('\n') {
            return None;
        }
        found.has_certificates = true;
        if may_have_subject(body, subjects, &mut decoded)? {
            decode(body, &mut decoded, |_| false)?;
            found.certificates.push(decoded.clone().into());
        }
        start = pem.len() - after.strip_prefix(END)?.len();
    }
    Some(found)
}

/// Whether the certificate in `base64` has one of these subjects, or one that is not readable here.
fn may_have_subject(
    base64: &str,
    subjects: &BTreeSet<&[u8]>,
    decoded: &mut Vec<u8>,
) -> Option<bool> {
    decode(base64, decoded, |beginning| names(beginning).is_some())?;
    Some(names(decoded).is_none_or(|names| subjects.contains(names.subject)))
}

/// Decodes the lines of `base64` into `decoded`, until there is enough. `None` if a line is not
/// base64 by itself.
fn decode(base64: &str, decoded: &mut Vec<u8>, is_enough: impl Fn(&[u8]) -> bool) -> Option<()> {
    decoded.clear();
    for line in base64.lines() {
        STANDARD.decode_vec(line, decoded).ok()?;
        if is_enough(decoded) {
            break;
        }
    }
    Some(())
}

/// The regular files in a directory, whose other entries are links to them.
fn files_in(path: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| fs::canonicalize(entry.path()).ok())
        .filter(|path| path.is_file())
        .collect();
    files.sort_unstable();
    files.dedup();
    files
}

#[cfg(test)]
mod tests;
