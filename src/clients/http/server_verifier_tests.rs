use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};

use super::{MAX_ISSUERS, ServerVerifier};

const AUTHORITY: &str = include_str!("tests/authority.pem");
const SERVER: &str = include_str!("tests/server.pem");

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
}

fn verify(
    verifier: &dyn ServerCertVerifier,
    server: &CertificateDer<'_>,
    name: &str,
) -> Result<(), Error> {
    let name = ServerName::try_from(name).expect("a name");
    let decision = verifier.verify_server_cert(server, &[], &name, &[], UnixTime::now());
    decision.map(drop)
}

#[test]
fn decision_is_that_of_rustls_with_all_roots() {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate(AUTHORITY)).expect("a root");
    let of_rustls =
        WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let of_rustls = of_rustls.build().expect("a verifier");
    let ours = ServerVerifier::new(provider, vec![certificate(AUTHORITY)]);
    let (server, authority) = (certificate(SERVER), certificate(AUTHORITY));
    let garbage = CertificateDer::from(vec![0x30, 0x82]);
    for shown in [&server, &authority, &garbage] {
        for name in ["127.0.0.1", "localhost", "example.com"] {
            let (ours, theirs) = (verify(&ours, shown, name), verify(&*of_rustls, shown, name));
            // Two errors of webpki are never equal.
            assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        }
    }
    assert_eq!(verify(&ours, &server, "127.0.0.1"), Ok(()));
}

#[test]
fn issuer_without_a_root_is_unknown() {
    let unknown = Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
    let ours = ServerVerifier::new(Arc::new(ring::default_provider()), vec![]);
    for _ in 0..2 {
        assert_eq!(verify(&ours, &certificate(SERVER), "127.0.0.1"), unknown);
    }
}

#[test]
fn issuers_are_kept_up_to_a_limit() {
    let provider = Arc::new(ring::default_provider());
    let ours = ServerVerifier::new(provider, vec![certificate(AUTHORITY)]);
    for number in 0..200_u8 {
        let roots = ours.roots_of([&[number][..]].into());
        assert!(!roots.is_empty(), "the additional one stays");
        let known = ours.known.lock().expect("roots");
        assert!(known.issuers.len() <= MAX_ISSUERS);
    }
    assert_eq!(verify(&ours, &certificate(SERVER), "127.0.0.1"), Ok(()));
}
