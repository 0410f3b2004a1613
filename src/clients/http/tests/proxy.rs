//! Requests through the proxy, and the hosts that `NoProxy` excepts.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use regex_lite::Regex;
use rustls::RootCertStore;

use crate::clients::http::proxy::{ProxyError, ProxyRules};
use crate::clients::http::{Http, HttpError, reqwest_connector};

/// A proxy that answers every request so, and closes the connection.
fn proxy(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

async fn send(proxy: SocketAddr, exceptions: &str, url: &str) -> HttpError {
    let tls = reqwest_connector::tls(Arc::new(RootCertStore::empty())).expect("a TLS stack");
    let connector =
        reqwest_connector::connector_through(tls, &format!("http://{proxy}"), exceptions);
    let http = Http::new(connector.expect("a connector"));
    let mut request = HttpRequest::get(url).expect("a request");
    request.headers_mut().insert("private-token", "sentinel");
    http.send(request, 1000).await.expect_err("no connection")
}

#[tokio::test]
async fn proxy_that_opens_no_tunnel_is_named_with_its_status() {
    for (answer, expected, is_passing) in [
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            ProxyError::Answered(403),
            false,
        ),
        (
            "HTTP/1.0 407 Login\r\n\r\n",
            ProxyError::Answered(407),
            false,
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\n\r\n",
            ProxyError::Answered(502),
            true,
        ),
        ("", ProxyError::NoConnection, true),
        ("hello", ProxyError::NoConnection, true),
    ] {
        let error = send(proxy(answer), "", "https://gitlab.kit.test/").await;
        assert_eq!(error, HttpError::Proxy(expected), "{answer}");
        assert_eq!(expected.is_passing(), is_passing, "{answer}");
    }
}

#[tokio::test]
async fn excepted_host_is_reached_without_the_proxy() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}/", closed.local_addr().expect("an address"));
    drop(closed);
    let proxy = proxy("HTTP/1.1 403 Forbidden\r\n\r\n");
    assert_eq!(
        send(proxy, "127.0.0.0/8", &url).await,
        HttpError::NoConnection
    );
    let through = send(proxy, "127.0.0.1/32,gitlab.kit.test", "https://127.0.0.2/").await;
    assert_eq!(through, HttpError::Proxy(ProxyError::Answered(403)));
}

/// The template rejects each entry that no host would match.
#[test]
fn pattern_accepts_the_exceptions_that_match() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("template.yaml");
    let template = fake_aws::yaml::read(&std::fs::read_to_string(path).expect("a template"));
    let pattern = template["Parameters"]["NoProxy"]["AllowedPattern"].as_str();
    let pattern = format!("^({})$", pattern.expect("a pattern"));
    let pattern = Regex::new(&pattern).expect("a pattern that this engine reads");
    let name = "https://gitlab.kit.test:8443/api";
    let address = "https://192.0.2.7/";
    for (entry, url, expected) in [
        ("gitlab.kit.test", name, true),
        ("kit.test", name, true),
        (".kit.test", name, true),
        ("Kit.TEST", name, true),
        ("other.test,kit.test", name, true),
        ("192.0.2.7", address, true),
        ("192.0.2.0/24", address, true),
        ("0.0.0.0/0", address, true),
        ("gitlab.kit.test:8443", name, false),
        ("https://gitlab.kit.test", name, false),
        ("gitlab.kit.test.", name, false),
        ("gitlab.kit.test/", name, false),
        ("*.kit.test", name, false),
        ("2001:db8::/32", name, false),
        ("192.0.2.7:443", address, false),
        ("192.0.2.0/33", address, false),
        ("192.0.2.0/024", address, false),
        ("192.0.2.07", address, false),
        ("192.0.2.", address, false),
    ] {
        let is_excepted = ProxyRules::new("http://proxy.kit.test", entry).of(url).is_none();
        assert_eq!(is_excepted, expected, "{entry}");
        assert_eq!(pattern.is_match(entry), expected, "{entry}");
    }
}
