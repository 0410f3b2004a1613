//! Verifies a server's certificate with rustls, against the roots that can have issued it.
//!
//! A system has about 140 roots, and decoding all of them was a fifth of the work of a cold start,
//! also without TLS. rustls considers a root only if its subject is the issuer of one of the
//! certificates that the server sent. So the roots with these subjects are enough for the same
//! decision. They are looked up when a server's certificate has to be verified.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::trust_roots;
use super::trust_roots::names;

/// The most issuers whose roots are kept. Servers name them before they are trusted.
const MAX_ISSUERS: usize = 64;

/// Verifies servers against the system's roots, and against additional ones.
#[derive(Debug)]
pub struct ServerVerifier {
    provider: Arc<CryptoProvider>,
    additional: Arc<RootCertStore>,
    known: Mutex<KnownRoots>,
}

/// The roots that servers have needed so far.
#[derive(Debug)]
struct KnownRoots {
    /// The issuers whose roots were looked up.
    issuers: BTreeSet<Vec<u8>>,
    roots: Arc<RootCertStore>,
}

impl ServerVerifier {
    /// A verifier that trusts `certificates` in addition to the system's roots.
    pub fn new(provider: Arc<CryptoProvider>, certificates: Vec<CertificateDer<'static>>) -> Self {
        let mut additional = RootCertStore::empty();
        additional.add_parsable_certificates(certificates);
        let additional = Arc::new(additional);
        ServerVerifier {
            provider,
            known: Mutex::new(KnownRoots::new(&additional)),
            additional,
        }
    }

    /// Roots with every one whose subject is one of `issuers`.
    fn roots_of(&self, issuers: BTreeSet<&[u8]>) -> Arc<RootCertStore> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |issuer: &&[u8]| known.issuers.contains(*issuer);
        if !issuers.iter().all(is_known) {
            if known.issuers.len() + issuers.len() > MAX_ISSUERS {
                *known = KnownRoots::new(&self.additional);
            }
            let found = trust_roots::system_roots(&issuers);
            Arc::make_mut(&mut known.roots).add_parsable_certificates(found);
            let issuers = issuers.into_iter().map(<[u8]>::to_vec);
            known.issuers.extend(issuers);
        }
        Arc::clone(&known.roots)
    }
}

impl KnownRoots {
    fn new(additional: &Arc<RootCertStore>) -> Self {
        KnownRoots {
            issuers: BTreeSet::new(),
            roots: Arc::clone(additional),
        }
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let server = ParsedCertificate::try_from(end_entity)?;
        let certificates = std::iter::once(end_entity).chain(intermediates);
        let issuers = certificates.filter_map(|one| Some(names(one)?.issuer));
        let roots = self.roots_of(issuers.collect());
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&server, &roots, intermediates, now, algorithms)?;
        verify_server_name(&server, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[path = "server_verifier_tests.rs"]
mod tests;
