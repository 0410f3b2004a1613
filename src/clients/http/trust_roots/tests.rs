use std::collections::BTreeSet;
use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{certificates, fingerprints, in_all, in_bundle, in_file, names, system_roots};

const AUTHORITY: &str = include_str!("../tests/authority.pem");
const SERVER: &str = include_str!("../tests/server.pem");

fn decoded_by_rustls(pem: &str) -> Vec<CertificateDer<'static>> {
    let decoded = CertificateDer::pem_slice_iter(pem.as_bytes());
    decoded.map(Result::unwrap).collect()
}

fn subject(certificate: &[u8]) -> &[u8] {
    names(certificate).expect("names").subject
}

#[test]
fn bundle_is_read_as_rustls_reads_it() {
    for bundle in [
        String::new(),
        AUTHORITY.to_owned(),
        format!("# An authority\n{AUTHORITY}\n\n# A server\n{SERVER}"),
        format!("{AUTHORITY}{SERVER}").replace('\n', "\r\n"),
    ] {
        let slowly = decoded_by_rustls(&bundle);
        let subjects = slowly.iter().map(|one| subject(one)).collect();
        let found = in_bundle(&bundle, &subjects).unwrap();
        assert_eq!(found.certificates, slowly);
        assert_eq!(found.has_certificates, !bundle.is_empty());
        let found = in_bundle(&bundle, &BTreeSet::from([&b"another"[..]])).unwrap();
        assert!(found.certificates.is_empty());
        assert_eq!(found.has_certificates, !bundle.is_empty());
    }
}

#[test]
fn every_root_of_the_system_is_found_by_its_subject() {
    let file = openssl_probe::probe().cert_file.expect("a bundle");
    let bundle = std::fs::read_to_string(&file).expect("text");
    let all = decoded_by_rustls(&bundle);
    assert!(all.len() > 50, "{}", all.len());
    for root in &all {
        let subjects = BTreeSet::from([subject(root)]);
        let same_subject: Vec<_> = all
            .iter()
            .filter(|one| subject(one) == subject(root))
            .collect();
        let found = in_bundle(&bundle, &subjects)
            .expect("base64 in lines")
            .certificates;
        assert_eq!(found.iter().collect::<Vec<_>>(), same_subject);
    }
    let of_both = BTreeSet::from([subject(&all[3]), subject(&all[40])]);
    assert_eq!(
        in_file(&file, &of_both).certificates,
        [all[3].clone(), all[40].clone()]
    );
}

#[test]
fn names_are_read_from_a_part_of_a_certificate() {
    let authority = &decoded_by_rustls(AUTHORITY)[0];
    let server = &decoded_by_rustls(SERVER)[0];
    let whole = names(server).unwrap();
    assert_eq!(whole.issuer, subject(authority));
    assert_ne!(whole.issuer, whole.subject);
    let mut complete = 0;
    for length in 0..server.len() {
        match names(&server[..length]) {
            Some(part) => assert_eq!(part, whole),
            None => complete = length + 1,
        }
    }
    assert!(complete < server.len());
    assert_eq!(names(b"no certificate"), None);
    assert_eq!(names(&[0x30, 0xff, 0xff, 0xff]), None);
}

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
fn damaged_bundle_is_left_to_rustls() {
    let authority = &decoded_by_rustls(AUTHORITY)[0];
    let subjects = BTreeSet::from([subject(authority)]);
    let cut = AUTHORITY.replace("-----END", "-----FIN");
    let strange = AUTHORITY.replacen('M', "*", 1);
    let in_line = format!("Bag: {AUTHORITY}");
    for damaged in [&cut, &strange, &in_line, &format!("{cut}{AUTHORITY}")] {
        assert!(in_bundle(damaged, &subjects).is_none(), "{damaged}");
    }
    for damaged in [cut, strange] {
        assert!(certificates(&damaged).is_err());
    }
}

#[test]
fn named_files_replace_the_system_roots() {
    let here = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/clients/http/tests"
    ));
    let (authority, missing) = (here.join("authority.pem"), here.join("missing.pem"));
    let both: Vec<_> = [AUTHORITY, SERVER]
        .into_iter()
        .flat_map(decoded_by_rustls)
        .collect();
    let subjects = both.iter().map(|one| subject(one)).collect();
    assert_eq!(
        in_all(Some(&authority), [], &subjects).certificates.len(),
        1
    );
    let none = in_all(Some(&missing), [missing.clone()], &subjects);
    assert!(none.certificates.is_empty() && !none.has_certificates);
    // A key is not a certificate, and files that are not PEM are skipped.
    let files = std::fs::read_dir(&here).unwrap().count();
    assert!(files > 3, "{files}");
    assert_eq!(
        in_all(Some(&missing), [here], &subjects).certificates.len(),
        2
    );
}

#[test]
fn system_has_roots() {
    let file = openssl_probe::probe().cert_file.expect("a bundle");
    let bundle = std::fs::read_to_string(file).expect("text");
    let first = decoded_by_rustls(&bundle).swap_remove(0);
    assert!(system_roots(&BTreeSet::from([subject(&first)])).contains(&first));
}
