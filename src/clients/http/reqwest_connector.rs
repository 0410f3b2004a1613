//! The connector to the network: `reqwest` behind the SDK's trait.

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
use reqwest::{ClientBuilder, NoProxy, Proxy};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{CipherSuite, ClientConfig, NamedGroup, RootCertStore};

use super::error::HttpError;
use super::proxy::{self, ProxyError, ProxyRules};
use super::tls_error::TlsError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Between invocations Lambda freezes the process for minutes, and servers close idle connections:
/// an older connection would probably fail.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Longer than any response takes that the function waits for.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest response in bytes: more than any service sends, and less than the function's memory.
const MAX_RESPONSE_BYTES: usize = 8 * 1024 * 1024;

/// Headers that contain credentials.
const SECRET_HEADERS: [&str; 3] = ["authorization", "private-token", "x-amz-security-token"];

#[derive(Debug)]
struct ReqwestConnector {
    client: reqwest::Client,
    proxied: Arc<ProxyRules>,
}

/// Why there is no HTTP client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The text has no address, which may contain a login.
    #[error("setting up the HTTP client: the stack's parameter HttpsProxy is not an address")]
    Proxy,
    #[error("setting up the HTTP client: {0}")]
    Tls(String),
}

/// A connector with connections of its own. It sends requests over TLS through the proxy
/// `HTTPS_PROXY`, unless `NO_PROXY` has their host.
pub fn connector(tls: ClientConfig) -> Result<SharedHttpConnector, ClientError> {
    let variable = |name| std::env::var(name).unwrap_or_default();
    connector_through(tls, variable("HTTPS_PROXY").trim(), &variable("NO_PROXY"))
}

/// The same through the proxy `address`, if it is not empty.
pub fn connector_through(
    tls: ClientConfig,
    address: &str,
    exceptions: &str,
) -> Result<SharedHttpConnector, ClientError> {
    let client = with_proxy(reqwest::Client::builder(), address, exceptions)?
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|error| ClientError::Tls(error.to_string()))?;
    Ok(SharedHttpConnector::new(ReqwestConnector {
        client,
        proxied: Arc::new(ProxyRules::new(address, exceptions)),
    }))
}

/// The client opens a tunnel with `CONNECT`, so the proxy gets the host and the encrypted bytes.
/// Without this, `reqwest` would also use `HTTP_PROXY` and `ALL_PROXY`, to which it would send the
/// token of a local GitLab in plain text.
fn with_proxy(
    builder: ClientBuilder,
    address: &str,
    exceptions: &str,
) -> Result<ClientBuilder, ClientError> {
    if address.is_empty() {
        return Ok(builder.no_proxy());
    }
    let proxy = Proxy::https(address).map_err(|_| ClientError::Proxy)?;
    Ok(builder.proxy(proxy.no_proxy(NoProxy::from_string(exceptions))))
}

pub fn tls(roots: Arc<RootCertStore>) -> Result<ClientConfig, ClientError> {
    let mut tls = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

/// ring, with the suite and the group first that take the least time.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    let suites = &mut provider.cipher_suites;
    suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    // The client sends a key of this group at once. AWS and GitLab support it.
    provider.kx_groups.sort_by_key(|group| group.name() != NamedGroup::secp256r1);
    provider
}

impl HttpConnector for ReqwestConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (client, proxied) = (self.client.clone(), Arc::clone(&self.proxied));
        HttpConnectorFuture::new(async move { send(&client, &proxied, request).await })
    }
}

async fn send(
    client: &reqwest::Client,
    proxied: &ProxyRules,
    request: HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let method = reqwest::Method::from_bytes(request.method().as_bytes())
        .map_err(|error| ConnectorError::user(error.into()))?;
    let mut outgoing = client.request(method, request.uri());
    for (name, value) in request.headers() {
        let mut value =
            HeaderValue::from_str(value).map_err(|error| ConnectorError::user(error.into()))?;
        // Libraries do not show a sensitive value, and HTTP/2 does not store it in its table.
        value.set_sensitive(SECRET_HEADERS.contains(&name));
        outgoing = outgoing.header(name, value);
    }
    if let Some(body) = request.body().bytes() {
        outgoing = outgoing.body(body.to_vec());
    }
    let mut response = match outgoing.send().await {
        Ok(response) => response,
        Err(error) => {
            let (reason, is_timeout) = (reason_of(&error), error.is_timeout());
            let is_unconnected = reason == HttpError::NoConnection;
            let proxy = proxied.of(request.uri()).filter(|_| is_unconnected);
            return Err(connector_error(match proxy {
                Some(_) if is_timeout => HttpError::Proxy(ProxyError::NoConnection),
                Some(proxy) => HttpError::Proxy(proxy::reason(&proxy, request.uri()).await),
                None => reason,
            }));
        }
    };
    let status = StatusCode::try_from(response.status().as_u16())
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    let headers = response.headers().clone();
    let mut body = Vec::new();
    let cut = |error| connector_error(reason_of(&error));
    while let Some(chunk) = response.chunk().await.map_err(cut)? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(connector_error(HttpError::TooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    let mut outcome = HttpResponse::new(status, SdkBody::from(body));
    for (name, value) in &headers {
        if let Ok(value) = value.to_str() {
            outcome.headers_mut().append(name.to_string(), value.to_owned());
        }
    }
    Ok(outcome)
}

/// The error for this reason.
fn connector_error(reason: HttpError) -> ConnectorError {
    if reason.is_passing() {
        ConnectorError::io(reason.into())
    } else {
        // The SDK does not retry this kind.
        ConnectorError::user(reason.into())
    }
}

/// The reason without `reqwest`'s text, which contains the address. That may be presigned, or
/// contain a login.
fn reason_of(error: &reqwest::Error) -> HttpError {
    if let Some(why) = tls_error(error) {
        HttpError::Tls(why)
    } else if error.is_connect() {
        HttpError::NoConnection
    } else if error.is_builder() {
        HttpError::Unsendable
    } else {
        HttpError::NoResponse
    }
}

/// Why there is no TLS connection. `None` for another error.
fn tls_error(error: &reqwest::Error) -> Option<TlsError> {
    let is_connecting = error.is_connect();
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref() {
            return TlsError::new(error, is_connecting);
        }
        // `source` of an `io::Error` skips the error that it contains.
        let held = error.downcast_ref::<std::io::Error>();
        next = match held.and_then(std::io::Error::get_ref) {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}
