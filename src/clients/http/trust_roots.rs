//! The trusted certificates: the system's, and those that a template adds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::string::FromUtf8Error;
use std::{env, fs};

use aws_smithy_types::base64;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use crate::common::text_file::place;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// The roots in OpenSSL's locations. If `SSL_CERT_FILE` or `SSL_CERT_DIR` is set, only those in
/// these. Unreadable ones are skipped, so that fewer are trusted.
pub fn system_roots() -> RootCertStore {
    let [file, directories] = ["SSL_CERT_FILE", "SSL_CERT_DIR"].map(env::var_os);
    let directories = directories.iter().flat_map(env::split_paths);
    let directories = directories.filter(|path| !path.as_os_str().is_empty());
    let mut places: Vec<_> = directories.chain(file.map(PathBuf::from)).collect();
    if places.is_empty() {
        let probed = openssl_probe::probe();
        places = probed.cert_dir;
        places.extend(probed.cert_file);
    }
    roots_in(&places)
}

/// The roots in these files, and in the files of these directories. A directory often repeats the
/// file beside it, so equal texts are decoded once: decoding was two fifths of a first Create's
/// instructions.
fn roots_in(places: &[PathBuf]) -> RootCertStore {
    let directories = places.iter().filter_map(|place| fs::read_dir(place).ok());
    let entries = directories.flatten().flatten().map(|entry| entry.path());
    // Several links lead to most files.
    let files = entries.chain(places.iter().cloned()).filter_map(|path| {
        let found = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        Some(((found.dev(), found.ino()), path))
    });
    let files: BTreeMap<_, _> = files.collect();
    // Comments may be in any encoding. If they are in UTF-8, its check costs less.
    let lossy = |it: FromUtf8Error| String::from_utf8_lossy(it.as_bytes()).into_owned();
    let texts = files.values().filter_map(|file| fs::read(file).ok());
    let texts = texts.map(|it| String::from_utf8(it).unwrap_or_else(lossy));
    let texts: Vec<_> = texts.collect();
    let parts = texts.iter().flat_map(|text| text.split(BEGIN).skip(1));
    let bodies: BTreeMap<_, _> = parts.filter_map(|part| part.split_once('-')).collect();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(bodies.keys().filter_map(|body| {
        let body: String = body.split_ascii_whitespace().collect();
        base64::decode(body).ok().map(CertificateDer::from)
    }));
    roots
}

/// The certificates in `pem`. One that is not readable is an error. Each is read alone: the parser
/// skips the first line of a text that begins with a byte order mark, and with it a certificate.
pub fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, InvalidCertificate> {
    let begins = pem.match_indices(BEGIN);
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
    use super::{fingerprints, roots_in, system_roots, unreadable_certificate};

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
    fn roots_of_a_file_and_its_directory_are_read_once() {
        let directory = std::env::temp_dir().join(format!("roots-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let write = |name: &str, text: String| {
            let file = directory.join(name);
            std::fs::write(&file, text).map(|()| file).unwrap()
        };
        write("marked.pem", format!("\u{feff}{AUTHORITY}{SERVER}"));
        write("broken.pem", SERVER.replace("MII", "!!!"));
        let copy = write("copy.pem", AUTHORITY.to_owned());
        let unreadable = directory.join("unreadable");
        assert!(roots_in(std::slice::from_ref(&unreadable)).is_empty());
        assert_eq!(roots_in(&[directory.clone(), copy, unreadable]).len(), 2);
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn system_has_roots() {
        assert!(system_roots().len() > 50);
    }
}
