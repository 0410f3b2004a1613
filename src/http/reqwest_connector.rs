//! The real way out: `reqwest` behind the SDK's trait.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use reqwest::header::HeaderValue;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;

use super::{HttpError, trust_roots};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Between invocations Lambda freezes the process for minutes, and the other side closes what it
/// no longer hears from: a connection that old is not worth trying.
const IDLE_CONNECTION_LIVES: Duration = Duration::from_secs(15);

/// Longer than any answer waited for here.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// More than any service that is called answers, in bytes, and less than the function's memory.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

/// Headers that let in whoever knows them.
const SECRET_HEADERS: [&str; 3] = ["authorization", "private-token", "x-amz-security-token"];

/// An HTTP client.
#[derive(Debug)]
pub struct Reqwest(reqwest::Client);

/// The TLS stack or its roots cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The system has none, so that nobody could be talked to.
    #[error("setting up the HTTP client: no trusted certificate was found on this system")]
    NoRoots,
    /// By rustls.
    #[error("setting up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// By reqwest.
    #[error("setting up the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

impl Reqwest {
    /// Reads the system's TLS roots: make it when first needed.
    pub fn connector() -> Result<SharedHttpConnector, ClientError> {
        Self::trusting(vec![])
    }

    /// The same with `certificates` beside the system's roots. They are added, and nothing can be
    /// taken away: what no trusted authority has signed is not talked to.
    pub fn trusting(
        certificates: Vec<CertificateDer<'static>>,
    ) -> Result<SharedHttpConnector, ClientError> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .pool_idle_timeout(IDLE_CONNECTION_LIVES)
            .tls_backend_preconfigured(tls(certificates)?)
            .build()?;
        Ok(SharedHttpConnector::new(Reqwest(client)))
    }
}

fn tls(certificates: Vec<CertificateDer<'static>>) -> Result<ClientConfig, ClientError> {
    let mut roots = trust_roots::of_the_system();
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        return Err(ClientError::NoRoots);
    }
    let provider = Arc::new(ring::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
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
        let mut value =
            HeaderValue::from_str(value).map_err(|error| ConnectorError::user(error.into()))?;
        // So that no library shows it, and HTTP/2 does not keep it in a table.
        value.set_sensitive(SECRET_HEADERS.contains(&name));
        outgoing = outgoing.header(name, value);
    }
    if let Some(body) = request.body().bytes() {
        outgoing = outgoing.body(body.to_vec());
    }
    let mut response = outgoing.send().await.map_err(connector_error)?;
    let status = StatusCode::try_from(response.status().as_u16())
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    let headers = response.headers().clone();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(connector_error)? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(ConnectorError::other(HttpError::TooLarge.into(), None));
        }
        body.extend_from_slice(&chunk);
    }
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

/// What happened, without `reqwest`'s own text: it names the address, which may be the presigned
/// one, or hold a login.
fn connector_error(error: reqwest::Error) -> ConnectorError {
    let error = error.without_url();
    let reason = if let Some(why) = refused_certificate(&error) {
        // Of a kind that the SDK does not repeat: it will be no other one in half a minute.
        return ConnectorError::user(HttpError::NotVerified(why).into());
    } else if error.is_connect() {
        HttpError::NoConnection
    } else if error.is_builder() {
        return ConnectorError::user(error.into());
    } else {
        HttpError::NoAnswer
    };
    if error.is_timeout() {
        ConnectorError::timeout(reason.into())
    } else {
        ConnectorError::io(reason.into())
    }
}

/// Why the other side's certificate was not accepted, if that is what happened.
fn refused_certificate(error: &reqwest::Error) -> Option<String> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
            return Some(why.to_string());
        }
        // An `io::Error` leaves what it holds out of its sources.
        let held = error.downcast_ref::<std::io::Error>();
        next = match held.and_then(std::io::Error::get_ref) {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}
