//! The proxy of the template's parameter `HttpsProxy`.

use std::time::Duration;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The proxy has just answered another request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Why there is no connection through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("the proxy (HttpsProxy) answers CONNECT with {0}")]
    Answered(u16),
    #[error("no connection through the proxy (HttpsProxy)")]
    NoConnection,
}

impl ProxyError {
    /// Whether another attempt may succeed. A proxy denies the host with 403, and demands a login
    /// with 407.
    pub fn is_passing(self) -> bool {
        !matches!(self, ProxyError::Answered(403 | 407))
    }
}

/// The requests that go through the proxy.
#[derive(Debug)]
pub struct ProxyRules(Matcher);

impl ProxyRules {
    /// Those over TLS, unless `exceptions` has their host. Without an `address`, none.
    pub fn new(address: &str, exceptions: &str) -> Self {
        let rules = Matcher::builder().https(address).no(exceptions);
        ProxyRules(rules.build())
    }

    /// The proxy of a request to `url`. `None` if it has none.
    pub fn of(&self, url: &str) -> Option<Intercept> {
        self.0.intercept(&url.parse().ok()?)
    }
}

/// Why `proxy` opened no tunnel for a request to `url`. The HTTP client drops the status, so this
/// requests one more.
pub async fn reason(proxy: &Intercept, url: &str) -> ProxyError {
    match timeout(ANSWER_TIMEOUT, answer(proxy, url)).await {
        Ok(Some(status)) => ProxyError::Answered(status),
        _ => ProxyError::NoConnection,
    }
}

/// The status with which the proxy rejects a tunnel. `None` if it does not.
async fn answer(proxy: &Intercept, url: &str) -> Option<u16> {
    let url = url.parse::<reqwest::Url>().ok()?;
    let target = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
    let address = (proxy.uri().host()?, proxy.uri().port_u16().unwrap_or(80));
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    // `HTTP/1.1 407`
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).await.ok()?;
    let begin = std::str::from_utf8(&begin).ok()?;
    let (_, status) = begin.rsplit_once(' ')?;
    status.parse().ok().filter(|status| *status != 200)
}
