use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{certificates, fingerprints, in_all, in_bundle, system_roots};

const AUTHORITY: &str = include_str!("../tests/authority.pem");
const SERVER: &str = include_str!("../tests/server.pem");

#[test]
fn bundle_is_read_as_rustls_reads_it() {
    for bundle in [
        String::new(),
        AUTHORITY.to_owned(),
        format!("# An authority\n{AUTHORITY}\n\n# A server\n{SERVER}"),
        format!("{AUTHORITY}{SERVER}").replace('\n', "\r\n"),
    ] {
        let slowly = CertificateDer::pem_slice_iter(bundle.as_bytes());
        let slowly: Vec<_> = slowly.map(Result::unwrap).collect();
        assert_eq!(in_bundle(&bundle).unwrap(), slowly);
    }
}

#[test]
fn fingerprints_are_those_that_openssl_prints() {
    // openssl x509 -in src/http/tests/authority.pem -noout -fingerprint -sha256
    let printed = "13:C3:21:F4:63:78:6C:FF:B8:E3:BE:DE:D2:45:C8:8F:\
                       AE:B7:B9:4D:75:57:8A:40:CC:5E:86:91:A0:90:D4:6A";
    let both = fingerprints(&format!("{AUTHORITY}{SERVER}")).unwrap();
    assert_eq!(both[0], printed.replace(':', ""));
    assert_eq!(both.len(), 2);
    assert_ne!(both[0], both[1]);
}

#[test]
fn damaged_bundle_is_left_to_rustls() {
    let cut = AUTHORITY.replace("-----END", "-----FIN");
    let strange = AUTHORITY.replacen('M', "*", 1);
    for damaged in [cut, strange] {
        assert_eq!(in_bundle(&damaged), None);
        assert!(certificates(&damaged).is_err());
    }
}

#[test]
fn named_files_replace_the_system_roots() {
    let here = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/tests"));
    let (authority, missing) = (here.join("authority.pem"), here.join("missing.pem"));
    assert_eq!(in_all(Some(&authority), []).len(), 1);
    assert!(in_all(Some(&missing), [missing.clone()]).is_empty());
    // A key is not a certificate, and files that are not PEM are skipped.
    let files = std::fs::read_dir(&here).unwrap().count();
    assert!(files > 3, "{files}");
    assert_eq!(in_all(Some(&missing), [here]).len(), 2);
}

#[test]
fn system_has_roots() {
    assert!(!system_roots().is_empty());
}
