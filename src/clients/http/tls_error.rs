//! Why TLS with a server failed.

use rustls::{AlertDescription, CertificateError, Error};

/// Why there is no TLS connection. No request was executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    #[error("the server's certificate has expired")]
    Expired,
    #[error("the server's certificate is not valid yet")]
    NotYetValid,
    /// The names in the certificate.
    #[error("the server's certificate is for another name: it has {0}")]
    WrongName(String),
    #[error("the server's certificate is signed by a CA that is not trusted")]
    UnknownCa,
    /// No trust helps: `rustls` accepts no CA's certificate as a server's.
    #[error("the server's own certificate is marked as that of a CA (CA:TRUE)")]
    CaAsServer,
    #[error("the server's certificate was revoked")]
    Revoked,
    #[error("the server's certificate has a wrong signature")]
    BadSignature,
    #[error("the server's certificate is signed with an unsupported algorithm")]
    UnsupportedAlgorithm,
    #[error("the server's certificate is not one for a server, or is malformed")]
    UnusableCertificate,
    #[error("the server requires a client certificate, and the function has none")]
    ClientCertificateRequired,
    #[error("the server and the function have no TLS version and cipher suite in common")]
    NothingInCommon,
    #[error("the server has no such host name")]
    UnknownName,
    /// The server does not show why.
    #[error("the server ended the TLS handshake")]
    Refused,
    #[error("the server had an internal error during the TLS handshake")]
    ServerFailed,
    #[error("the server does not respond with TLS")]
    NotTls,
    #[error("the TLS handshake failed")]
    Failed,
}

impl TlsError {
    /// `is_connecting` is false after the function's part of the handshake. Then a request may have
    /// been executed, unless the server rejects the handshake. `None` for an error after it.
    pub(super) fn new(error: &Error, is_connecting: bool) -> Option<Self> {
        match error {
            Error::InvalidCertificate(why) => Some(Self::of_certificate(why)),
            // With TLS 1.3, the server judges the client's certificate after the client's part.
            Error::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA,
            ) => Some(TlsError::ClientCertificateRequired),
            Error::AlertReceived(AlertDescription::HandshakeFailure) if !is_connecting => {
                Some(TlsError::ClientCertificateRequired)
            }
            _ if !is_connecting => None,
            Error::AlertReceived(alert) => Some(match alert {
                AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => {
                    TlsError::NothingInCommon
                }
                AlertDescription::UnrecognisedName => TlsError::UnknownName,
                AlertDescription::InternalError
                | AlertDescription::UserCanceled
                | AlertDescription::CloseNotify => TlsError::ServerFailed,
                _ => TlsError::Refused,
            }),
            Error::PeerIncompatible(_) => Some(TlsError::NothingInCommon),
            Error::InvalidMessage(_) => Some(TlsError::NotTls),
            _ => Some(TlsError::Failed),
        }
    }

    fn of_certificate(why: &CertificateError) -> Self {
        match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                TlsError::Expired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                TlsError::NotYetValid
            }
            CertificateError::NotValidForName => TlsError::WrongName("no name".to_owned()),
            CertificateError::NotValidForNameContext { presented, .. } => {
                TlsError::WrongName(names(presented))
            }
            CertificateError::UnknownIssuer => TlsError::UnknownCa,
            CertificateError::Revoked => TlsError::Revoked,
            CertificateError::BadSignature => TlsError::BadSignature,
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                TlsError::UnsupportedAlgorithm
            }
            // The type is of `rustls-webpki`, which `rustls` does not export.
            CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                TlsError::CaAsServer
            }
            _ => TlsError::UnusableCertificate,
        }
    }

    /// Whether another attempt may succeed without a change by a person: a proxy may answer so
    /// while it restarts. A certificate does not change within minutes.
    pub fn is_passing(&self) -> bool {
        match self {
            TlsError::ServerFailed
            | TlsError::UnknownName
            | TlsError::Refused
            | TlsError::NotTls
            | TlsError::Failed => true,
            TlsError::Expired
            | TlsError::NotYetValid
            | TlsError::WrongName(_)
            | TlsError::UnknownCa
            | TlsError::CaAsServer
            | TlsError::Revoked
            | TlsError::BadSignature
            | TlsError::UnsupportedAlgorithm
            | TlsError::UnusableCertificate
            | TlsError::ClientCertificateRequired
            | TlsError::NothingInCommon => false,
        }
    }
}

/// The names of a certificate, which `rustls` returns as `DnsName("example.com")` and
/// `IpAddress(10.0.0.1)`.
fn names(presented: &[String]) -> String {
    let name = |shown: &String| {
        let (_, name) = shown.split_once('(')?;
        let is_known = |c: &char| c.is_ascii_alphanumeric() || "*.:-_".contains(*c);
        Some(name.chars().filter(is_known).collect())
    };
    let names: Vec<String> = presented.iter().take(5).filter_map(name).collect();
    if names.is_empty() {
        "no name".to_owned()
    } else {
        names.join(", ")
    }
}
