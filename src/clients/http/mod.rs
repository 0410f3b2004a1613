//! The only HTTP client of the function.
//!
//! The AWS SDK's clients, the response to CloudFormation, the push check and GitLab's API share a
//! connection pool and a TLS stack. A test that replaces the connector sees every byte.

mod error;
mod proxy;
mod reqwest_connector;
mod response_hosts;
mod tls_error;
mod trust_roots;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use rustls::{ClientConfig, RootCertStore};

pub use crate::clients::http::error::HttpError;
pub use crate::clients::http::proxy::ProxyError;
pub use crate::clients::http::reqwest_connector::ClientError;
pub use crate::clients::http::response_hosts::{ResponseHosts, is_https_or_loopback, is_loopback};
pub use crate::clients::http::tls_error::TlsError;
pub use crate::clients::http::trust_roots::{
    InvalidCertificate, fingerprints, is_certificate, unreadable_certificate,
};

use crate::common::logging;
use crate::common::password::Password;
use cfn_custom_resource::SendError;

/// The most clients with additional certificates that are kept: one for each GitLab.
const MAX_CLIENTS: usize = 8;

/// The characters that are escaped in a value of an address: all but the unreserved ones
/// (<https://www.rfc-editor.org/rfc/rfc3986#section-2.3>).
pub const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Sends requests.
#[derive(Clone, Debug)]
pub struct Http {
    connector: SharedHttpConnector,
    /// `None` if a test replaces the network.
    network: Option<Network>,
}

/// The state that clients over the network share.
#[derive(Clone, Debug)]
struct Network {
    tls: ClientConfig,
    roots: Arc<RootCertStore>,
    /// The clients with additional certificates, by these.
    trusting: Arc<Mutex<HashMap<String, SharedHttpConnector>>>,
}

impl From<SharedHttpConnector> for Http {
    fn from(connector: SharedHttpConnector) -> Self {
        Http::new(connector)
    }
}

impl Http {
    /// Sends through `connector`, even if additional certificates are trusted.
    pub fn new(connector: SharedHttpConnector) -> Self {
        Http {
            connector,
            network: None,
        }
    }

    /// Sends over the network.
    pub fn over_reqwest() -> Result<Self, ClientError> {
        let roots = Arc::new(trust_roots::system_roots());
        Http::over_network(reqwest_connector::tls(Arc::clone(&roots))?, roots)
    }

    /// The same client with connections of its own, for another thread.
    pub fn with_own_connections(&self) -> Result<Self, ClientError> {
        match &self.network {
            Some(network) => Http::over_network(network.tls.clone(), Arc::clone(&network.roots)),
            None => Ok(self.clone()),
        }
    }

    fn over_network(tls: ClientConfig, roots: Arc<RootCertStore>) -> Result<Self, ClientError> {
        Ok(Http {
            connector: reqwest_connector::connector(tls.clone())?,
            network: Some(Network {
                tls,
                roots,
                trusting: Arc::default(),
            }),
        })
    }

    /// A client that also trusts the certificates in `pem`.
    pub fn trusting(&self, pem: &str) -> Result<Self, InvalidCertificate> {
        let certificates = trust_roots::certificates(pem)?;
        let Some(network) = &self.network else {
            return Ok(self.clone());
        };
        let mut clients = network.trusting.lock().unwrap_or_else(PoisonError::into_inner);
        let connector = if let Some(connector) = clients.get(pem) {
            connector.clone()
        } else {
            let mut roots = RootCertStore::clone(&network.roots);
            roots.add_parsable_certificates(certificates);
            let connector = reqwest_connector::tls(Arc::new(roots))
                .and_then(reqwest_connector::connector)
                .map_err(|_| InvalidCertificate(None))?;
            if clients.len() >= MAX_CLIENTS {
                clients.clear();
            }
            clients.insert(pem.to_owned(), connector.clone());
            connector
        };
        Ok(Http {
            connector,
            network: self.network.clone(),
        })
    }

    /// The connector for the AWS SDK's clients.
    pub fn for_sdk(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(CountingConnector(self.connector.clone()));
        http_client_fn(move |_, _| connector.clone())
    }

    /// Sends `request`. The response has at most `max_bytes`.
    pub async fn send(
        &self,
        request: HttpRequest,
        max_bytes: usize,
    ) -> Result<HttpResponse, HttpError> {
        let response = self.connector.call(request).await;
        let response = response.map_err(|error| HttpError::from_connector(&error))?;
        let length = response.body().bytes().map_or(0, <[u8]>::len);
        if length > max_bytes {
            return Err(HttpError::TooLarge);
        }
        Ok(response)
    }

    /// Puts `body` to a presigned URL of `hosts`, without a content type, which is not signed.
    pub async fn put(
        &self,
        hosts: ResponseHosts,
        url: String,
        body: String,
    ) -> Result<u16, SendError> {
        if !hosts.accept(&url) {
            return Err(SendError::Unusable);
        }
        let length = body.len().to_string();
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("PUT").map_err(|_| SendError::Unusable)?;
        request.set_uri(url.as_str()).map_err(|_| SendError::Unusable)?;
        request.headers_mut().insert("content-type", "");
        request.headers_mut().insert("content-length", length);
        match self.send(request, usize::MAX).await {
            Ok(response) => Ok(response.status().as_u16()),
            // The response is the result of the local invocation.
            Err(HttpError::NoConnection) if hosts == ResponseHosts::Local && is_loopback(&url) => {
                Err(SendError::Refused)
            }
            Err(_) => Err(SendError::Unreachable),
        }
    }

    /// Gets `url` with Basic authentication, and returns the HTTP status.
    pub async fn get_status(
        &self,
        url: &str,
        user: &str,
        password: &Password,
    ) -> Result<u16, HttpError> {
        let login = format!("{user}:{}", password.expose());
        let header = format!("Basic {}", aws_smithy_types::base64::encode(login));
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_uri(url).map_err(|_| HttpError::Unsendable)?;
        let headers = request.headers_mut();
        headers.try_insert("authorization", header).map_err(|_| HttpError::Unsendable)?;
        // CodeCommit responds with a page for browsers to other clients than git.
        headers.insert("user-agent", "git/2 (cfn-gitops)");
        Ok(self.send(request, usize::MAX).await?.status().as_u16())
    }
}

#[derive(Debug)]
struct CountingConnector(SharedHttpConnector);

impl HttpConnector for CountingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        logging::count_attempt(request.headers().get("amz-sdk-request"));
        self.0.call(request)
    }
}

#[cfg(test)]
mod tests;
