//! TLS over this machine's loopback interface: the servers that the client trusts.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
};

use super::AUTHORITY;
use crate::clients::http::{Http, HttpError, TlsError};

/// The certificate of a server on this machine, signed by [`AUTHORITY`].
const CERTIFICATE: &str = include_str!("server.pem");
const KEY: &str = include_str!("server-key.pem");

/// Self-signed, with the same key, as `openssl req -x509` makes it.
const CA_AS_SERVER: &str = include_str!("ca_as_server.pem");

/// Self-signed, with the same key, until 2020.
const EXPIRED: &str = include_str!("expired.pem");

fn serve_over_tls() -> SocketAddr {
    serve(CERTIFICATE, &[&TLS13, &TLS12], false)
}

/// Answers every request with its own content, until the test ends.
fn serve(
    certificate: &str,
    versions: &[&'static SupportedProtocolVersion],
    wants_client_certificate: bool,
) -> SocketAddr {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = if wants_client_certificate {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(AUTHORITY.as_bytes());
        roots.add(authority.expect("an authority")).expect("a root");
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        verifier.build().expect("a verifier")
    } else {
        WebPkiClientVerifier::no_client_auth()
    };
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.expect("a certificate")], key)
        .expect("a server");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            answer(StreamOwned::new(connection, stream));
        }
    });
    address
}

/// A client that does not trust the server closes the connection, which is not a fault here.
fn answer(mut stream: StreamOwned<ServerConnection, TcpStream>) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return,
        }
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        request.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&request);
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

async fn send(http: &Http, url: &str) -> Result<String, HttpError> {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(url).expect("an address");
    request.headers_mut().insert("private-token", "sentinel");
    let answer = http.send(request, 10_000).await?;
    let body = answer.body().bytes().unwrap_or_default();
    Ok(String::from_utf8_lossy(body).into_owned())
}

#[tokio::test]
async fn server_of_a_trusted_ca_is_accepted() {
    let url = format!("https://{}/api", serve_over_tls());
    let http = Http::over_reqwest().expect("a client");
    let trusting = http.trusting(AUTHORITY).expect("trust");
    let heard = send(&trusting, &url).await.expect("an answer");
    assert!(heard.starts_with("GET /api HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains("private-token: sentinel\r\n"), "{heard}");
}

// claim: server-with-unknown-ca-receives-nothing
#[tokio::test]
async fn server_of_an_unknown_ca_receives_nothing() {
    let url = format!("https://{}/api", serve_over_tls());
    let http = Http::over_reqwest().expect("a client");
    for _ in 0..2 {
        let refused = send(&http, &url).await;
        assert_eq!(refused, Err(HttpError::Tls(TlsError::UnknownCa)));
        // The trust of one client does not extend to the other.
        http.trusting(AUTHORITY).expect("trust");
    }
}

// claim: token-for-another-host-is-neither-read-nor-sent
#[tokio::test]
async fn certificate_for_another_name_is_rejected() {
    let port = serve_over_tls().port();
    let http = Http::over_reqwest().expect("a client");
    let trusting = http.trusting(AUTHORITY).expect("trust");
    let refused = send(&trusting, &format!("https://localhost:{port}/api")).await;
    let names = TlsError::WrongName("127.0.0.1".to_owned());
    assert_eq!(refused, Err(HttpError::Tls(names)));
}

/// Where the system has no IPv6, nothing can be tried.
#[tokio::test]
async fn server_without_an_ipv4_address_is_reached() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        return;
    };
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    let http = Http::over_reqwest().expect("a client");
    let answer = send(&http, &format!("http://{address}/")).await;
    assert_eq!(answer.as_deref(), Ok("ok"));
}

/// Each has its own remedy.
#[tokio::test]
async fn failed_handshake_names_its_cause() {
    let both: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    for (trusted, served, versions, wants_client_certificate, expected) in [
        (
            CA_AS_SERVER,
            CA_AS_SERVER,
            &both[..],
            false,
            TlsError::CaAsServer,
        ),
        (EXPIRED, EXPIRED, &both, false, TlsError::Expired),
        (
            AUTHORITY,
            CERTIFICATE,
            &both[..1],
            true,
            TlsError::ClientCertificateRequired,
        ),
        (
            AUTHORITY,
            CERTIFICATE,
            &both[1..],
            true,
            TlsError::ClientCertificateRequired,
        ),
    ] {
        let url = format!(
            "https://{}/api",
            serve(served, versions, wants_client_certificate)
        );
        let http = Http::over_reqwest().expect("a client").trusting(trusted).expect("trust");
        for _ in 0..5 {
            assert_eq!(
                send(&http, &url).await,
                Err(HttpError::Tls(expected.clone()))
            );
        }
    }
}

/// Servers without TLS 1.2, which this TLS stack does not have, and those that fail.
#[tokio::test]
async fn alert_of_the_server_is_named() {
    for (bytes, expected) in [
        (
            &b"\x15\x03\x01\x00\x02\x02\x46"[..],
            TlsError::NothingInCommon,
        ),
        (b"\x15\x03\x01\x00\x02\x02\x28", TlsError::Refused),
        (b"\x15\x03\x01\x00\x02\x02\x70", TlsError::UnknownName),
        (b"\x15\x03\x01\x00\x02\x02\x50", TlsError::ServerFailed),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", TlsError::NotTls),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(bytes);
                // Closing with unread bytes would reset the connection.
                let _ = stream.read(&mut [0; 4096]);
            }
        });
        let http = Http::over_reqwest().expect("a client");
        let refused = send(&http, &format!("https://{address}/")).await;
        assert_eq!(refused, Err(HttpError::Tls(expected)));
    }
}

#[tokio::test]
async fn closed_port_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let http = Http::over_reqwest().expect("a client");
    let refused = send(&http, &format!("http://{address}/")).await;
    assert_eq!(refused, Err(HttpError::NoConnection));
}

/// The result of a request to a server that answers so.
async fn send_to(answer: fn(TcpStream)) -> Result<String, HttpError> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
    let http = Http::over_reqwest().expect("a client");
    send(&http, &format!("http://{address}/")).await
}

#[tokio::test]
async fn broken_connection_is_no_response() {
    let broken = send_to(|mut stream| {
        let _ = stream.read(&mut [0; 16]);
    });
    assert_eq!(broken.await, Err(HttpError::NoResponse));
}

// claim: endless-response-is-cut-off
#[tokio::test]
async fn endless_response_is_cut_off() {
    let endless = send_to(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b' '; 8_192]).is_ok() {}
    });
    assert_eq!(endless.await, Err(HttpError::TooLarge));
}
