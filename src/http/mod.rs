//! The one way out: everything that the function sends leaves through one HTTP client.
//!
//! The AWS SDK's clients, the answer to CloudFormation, the probe of a git login and GitLab's API
//! share a connection pool and a TLS stack, and a test that stands in for this one seam sees every
//! byte.

mod reqwest_connector;
mod response_hosts;
mod trust_roots;

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;

pub use crate::http::reqwest_connector::{ClientError, Reqwest};
pub use crate::http::response_hosts::ResponseHosts;
pub use crate::http::trust_roots::InvalidCertificate;

use crate::logging;
use crate::password::Password;
use cfn_custom_resource::PutError;

/// How many clients that trust further certificates are kept: one for each GitLab.
const MOST_CLIENTS: usize = 8;

/// The requests of this crate's own.
#[derive(Clone, Debug)]
pub struct Http {
    connector: SharedHttpConnector,
    /// The clients that trust further certificates, by these; `None` where something stands in for
    /// the network, and for all of them.
    trusting: Option<Arc<Mutex<HashMap<String, SharedHttpConnector>>>>,
}

/// No answer came. The cause is left out: HTTP clients put the address into their texts.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no answer")]
pub struct NoAnswer;

/// What happened instead of an answer, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The request is none.
    #[error("the request cannot be sent")]
    Unsendable,
    /// There was no connection, so that nothing was sent.
    #[error("no connection")]
    NoConnection,
    /// The other side could not prove who it is, so that nothing was sent.
    #[error("its certificate is not trusted: {0}")]
    NotVerified(String),
    /// The answer does not end.
    #[error("the answer is too large")]
    TooLarge,
    /// The request may have been heard.
    #[error("no answer")]
    NoAnswer,
}

impl HttpError {
    pub(crate) fn of(error: &ConnectorError) -> Self {
        match Self::told(error) {
            Some(reason) => reason.clone(),
            None if error.is_user() => HttpError::Unsendable,
            None => HttpError::NoAnswer,
        }
    }

    /// As far as what sends has said it.
    pub(crate) fn told(error: &ConnectorError) -> Option<&Self> {
        error.source().and_then(|source| source.downcast_ref())
    }
}

impl From<SharedHttpConnector> for Http {
    fn from(connector: SharedHttpConnector) -> Self {
        Http::new(connector)
    }
}

impl Http {
    /// Sends through `connector`, whatever certificates are to be trusted.
    pub fn new(connector: SharedHttpConnector) -> Self {
        Http {
            connector,
            trusting: None,
        }
    }

    /// Sends over the network.
    pub fn over_reqwest() -> Result<Self, ClientError> {
        Ok(Http {
            connector: Reqwest::connector()?,
            trusting: Some(Arc::default()),
        })
    }

    /// The same way out for one who trusts the certificates in `pem`, too.
    pub fn trusting(&self, pem: &str) -> Result<Self, InvalidCertificate> {
        let certificates = trust_roots::certificates(pem)?;
        let Some(clients) = &self.trusting else {
            return Ok(self.clone());
        };
        let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
        let connector = if let Some(connector) = clients.get(pem) {
            connector.clone()
        } else {
            let connector = Reqwest::trusting(certificates).map_err(|_| InvalidCertificate)?;
            if clients.len() >= MOST_CLIENTS {
                clients.clear();
            }
            clients.insert(pem.to_owned(), connector.clone());
            connector
        };
        Ok(Http {
            connector,
            trusting: self.trusting.clone(),
        })
    }

    /// The same way out, for the AWS SDK's clients.
    pub fn for_sdk(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(CountingConnector(self.connector.clone()));
        http_client_fn(move |_, _| connector.clone())
    }

    /// Sends `request`, and gets an answer of at most `most` bytes.
    pub async fn send(&self, request: HttpRequest, most: usize) -> Result<HttpResponse, HttpError> {
        let answer = self.connector.call(request).await;
        let answer = answer.map_err(|error| HttpError::of(&error))?;
        let length = answer.body().bytes().map_or(0, <[u8]>::len);
        if length > most {
            return Err(HttpError::TooLarge);
        }
        Ok(answer)
    }

    /// Puts `body` at a presigned address of `hosts`, without a content type, which is not signed.
    pub async fn put(
        &self,
        hosts: ResponseHosts,
        url: String,
        body: String,
    ) -> Result<u16, PutError> {
        if !hosts.accept(&url) {
            return Err(PutError::Unusable);
        }
        let length = body.len().to_string();
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("PUT").map_err(|_| PutError::Unusable)?;
        request.set_uri(url).map_err(|_| PutError::Unusable)?;
        request.headers_mut().insert("content-type", "");
        request.headers_mut().insert("content-length", length);
        let response = self
            .connector
            .call(request)
            .await
            .map_err(|_| PutError::Unreachable)?;
        Ok(response.status().as_u16())
    }

    /// Gets `url` with Basic authentication, and answers the HTTP status.
    pub async fn get_status(
        &self,
        url: &str,
        user: &str,
        password: &Password,
    ) -> Result<u16, NoAnswer> {
        let login = format!("{user}:{}", password.expose());
        let header = format!("Basic {}", aws_smithy_types::base64::encode(login));
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_uri(url).map_err(|_| NoAnswer)?;
        let headers = request.headers_mut();
        headers
            .try_insert("authorization", header)
            .map_err(|_| NoAnswer)?;
        // CodeCommit answers git clients; without their name it shows a page for browsers.
        headers.insert("user-agent", "git/2 (cfn-gitops)");
        let response = self.connector.call(request).await.map_err(|_| NoAnswer)?;
        Ok(response.status().as_u16())
    }
}

/// Counts the SDK's attempts.
#[derive(Debug)]
struct CountingConnector(SharedHttpConnector);

impl HttpConnector for CountingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        logging::count_attempt(request.headers().get("amz-sdk-request"));
        self.0.call(request)
    }
}

/// Whether what is sent to `url` is encrypted on the way, or never leaves this machine.
pub fn is_https_or_loopback(url: &str) -> bool {
    match reqwest::Url::parse(url) {
        Ok(url) => {
            let host = url.host_str().unwrap_or_default();
            url.scheme() == "https"
                || (url.scheme() == "http" && matches!(host, "127.0.0.1" | "[::1]" | "localhost"))
        }
        Err(_) => false,
    }
}

/// The SHA-256 fingerprint of each certificate in `pem`, in upper-case hexadecimal digits without
/// colons.
///
/// # Errors
/// If `pem` has no certificate, or one that cannot be read.
pub fn fingerprints(pem: &str) -> Result<Vec<String>, InvalidCertificate> {
    trust_roots::fingerprints(pem)
}

/// Whether `pem` holds certificates, all of which can be trusted.
pub fn is_certificate(pem: &str) -> bool {
    trust_roots::certificates(pem).is_ok()
}

#[cfg(test)]
mod tests;
