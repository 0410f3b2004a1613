//! Why a request has no response.

use std::error::Error as _;

use aws_smithy_runtime_api::client::result::ConnectorError;

use super::proxy::ProxyError;
use super::tls_error::TlsError;

/// Why there is no response. The cause is left out, because HTTP clients put the address into
/// their texts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The request is invalid.
    #[error("the request cannot be sent")]
    Unsendable,
    /// No connection. Nothing was sent.
    #[error("no connection")]
    NoConnection,
    /// No connection through the proxy. Nothing was sent.
    #[error(transparent)]
    Proxy(ProxyError),
    /// No TLS connection.
    #[error(transparent)]
    Tls(TlsError),
    /// The response exceeds the limit.
    #[error("the response is too large")]
    TooLarge,
    /// The request may have been received.
    #[error("no response")]
    NoResponse,
}

impl HttpError {
    /// Whether another attempt may succeed without a change by a person.
    pub fn is_passing(&self) -> bool {
        match self {
            HttpError::NoConnection | HttpError::NoResponse => true,
            HttpError::Proxy(error) => error.is_passing(),
            HttpError::Tls(error) => error.is_passing(),
            HttpError::Unsendable | HttpError::TooLarge => false,
        }
    }

    pub(crate) fn from_connector(error: &ConnectorError) -> Self {
        match Self::source_of(error) {
            Some(reason) => reason.clone(),
            None if error.is_user() => HttpError::Unsendable,
            None => HttpError::NoResponse,
        }
    }

    /// The source that this module's connector added. `None` for an error of the SDK.
    pub(crate) fn source_of(error: &ConnectorError) -> Option<&Self> {
        error.source().and_then(|source| source.downcast_ref())
    }
}
