//! The one way out: everything that the function sends leaves through one HTTP client.
//!
//! The AWS SDK's clients, the answer to CloudFormation and the probe of a git login share a
//! connection pool and a TLS stack, and a test that stands in for this one seam sees every byte.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use crate::cfn::NotPut;
use crate::secret::Password;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Between invocations Lambda freezes the process for minutes, and the other side closes what it
/// no longer hears from: a connection that old is not worth trying.
const IDLE_CONNECTION_LIVES: Duration = Duration::from_secs(15);

/// Longer than any answer waited for here.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The requests of this crate's own.
#[derive(Clone, Debug)]
pub struct Http(SharedHttpConnector);

/// No answer came. The cause is left out: HTTP clients put the address into their texts.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no answer")]
pub struct NoAnswer;

impl Http {
    /// Sends through `connector`.
    pub fn new(connector: SharedHttpConnector) -> Self {
        Http(connector)
    }

    /// The same way out, for the AWS SDK's clients.
    pub fn for_sdk(&self) -> SharedHttpClient {
        let connector = self.0.clone();
        http_client_fn(move |_, _| connector.clone())
    }

    /// Puts `body` at a presigned address, without a content type, which is not signed.
    pub async fn put(&self, url: String, body: String) -> Result<u16, NotPut> {
        if !is_https_or_loopback(&url) {
            return Err(NotPut::Unusable);
        }
        let length = body.len().to_string();
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("PUT").map_err(|_| NotPut::Unusable)?;
        request.set_uri(url).map_err(|_| NotPut::Unusable)?;
        request.headers_mut().insert("content-type", "");
        request.headers_mut().insert("content-length", length);
        let response = self
            .0
            .call(request)
            .await
            .map_err(|_| NotPut::Unreachable)?;
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
        let response = self.0.call(request).await.map_err(|_| NoAnswer)?;
        Ok(response.status().as_u16())
    }
}

/// The real way out: `reqwest` behind the SDK's trait.
#[derive(Debug)]
pub struct Reqwest(reqwest::Client);

/// The TLS stack or its roots cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("setting up the HTTP client: {0}")]
pub struct SetUp(#[from] reqwest::Error);

impl Reqwest {
    /// Reads the system's TLS roots, which takes milliseconds: make it when first needed.
    pub fn connector() -> Result<SharedHttpConnector, SetUp> {
        // Fails only when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .pool_idle_timeout(IDLE_CONNECTION_LIVES)
            .build()?;
        Ok(SharedHttpConnector::new(Reqwest(client)))
    }
}

impl HttpConnector for Reqwest {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move { send(&client, request).await })
    }
}

async fn send(
    client: &reqwest::Client,
    request: HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let method = reqwest::Method::from_bytes(request.method().as_bytes())
        .map_err(|error| ConnectorError::user(error.into()))?;
    let mut outgoing = client.request(method, request.uri());
    for (name, value) in request.headers() {
        outgoing = outgoing.header(name, value);
    }
    if let Some(body) = request.body().bytes() {
        outgoing = outgoing.body(body.to_vec());
    }
    let response = outgoing.send().await.map_err(connector_error)?;
    let status = StatusCode::try_from(response.status().as_u16())
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    let headers = response.headers().clone();
    let body = response.bytes().await.map_err(connector_error)?;
    let mut answer = HttpResponse::new(status, SdkBody::from(body));
    for (name, value) in &headers {
        if let Ok(value) = value.to_str() {
            answer
                .headers_mut()
                .append(name.to_string(), value.to_owned());
        }
    }
    Ok(answer)
}

fn connector_error(error: reqwest::Error) -> ConnectorError {
    // The address may be the presigned one, or hold a login.
    let error = error.without_url();
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_builder() {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.into())
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

#[cfg(test)]
mod tests {
    use super::is_https_or_loopback;

    #[test]
    fn a_password_goes_in_clear_to_this_machine_alone() {
        assert!(is_https_or_loopback(
            "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/r"
        ));
        assert!(is_https_or_loopback("http://127.0.0.1:8080/v1/repos/r"));
        assert!(is_https_or_loopback("http://[::1]:8080/r"));
        assert!(!is_https_or_loopback("http://127.0.0.1.example.com/r"));
        assert!(!is_https_or_loopback("http://git.example.com/r"));
        assert!(!is_https_or_loopback("file:///etc/passwd"));
        assert!(!is_https_or_loopback("no url"));
    }
}
