//! The client with a replaced connector.

mod over_tls;
mod proxy;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use super::{Http, HttpError, is_certificate, is_https_or_loopback};

/// An authority; its key was thrown away after it had signed the server's certificate.
const AUTHORITY: &str = include_str!("authority.pem");

/// Answers everything with so many bytes.
#[derive(Debug)]
struct Stub(usize);

impl HttpConnector for Stub {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let status = StatusCode::try_from(200).expect("a status");
        let body = SdkBody::from(vec![b' '; self.0]);
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, body)))
    }
}

fn request() -> HttpRequest {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri("https://gitlab.example.com/").expect("an address");
    request
}

fn through(stub: Stub) -> Http {
    Http::new(SharedHttpConnector::new(stub))
}

// claim: server-with-unknown-ca-receives-nothing
#[test]
fn only_loopback_is_accepted_without_tls() {
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

#[test]
fn one_or_several_certificates_are_accepted() {
    assert!(is_certificate(AUTHORITY));
    assert!(is_certificate(&format!("of ours:\n{AUTHORITY}{AUTHORITY}")));
}

#[test]
fn invalid_pem_is_rejected() {
    let cut = AUTHORITY.replace("-----END CERTIFICATE-----", "");
    let other = AUTHORITY.replace("CERTIFICATE", "PRIVATE KEY");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let second = format!("{AUTHORITY}{broken}");
    let damaged = AUTHORITY.replacen('M', "*", 1);
    let others = ["", "no certificate", broken];
    for pem in others.into_iter().chain([&*cut, &other, &second, &damaged]) {
        assert!(!is_certificate(pem), "{pem}");
        assert!(through(Stub(0)).trusting(pem).is_err());
    }
}

#[tokio::test]
async fn replaced_connector_is_used_for_every_ca() {
    let http = through(Stub(3)).trusting(AUTHORITY).expect("trust");
    let answer = http.send(request(), 3).await.expect("an answer");
    assert_eq!(answer.body().bytes(), Some(&b"   "[..]));
}

#[test]
fn client_is_created_once_for_the_same_ca() {
    let http = Http::over_reqwest().expect("a client");
    let clients = || {
        let network = http.network.as_ref().expect("the network");
        network.trusting.lock().expect("clients").len()
    };
    assert_eq!(clients(), 0);
    http.trusting(AUTHORITY).expect("trust");
    http.trusting(AUTHORITY).expect("trust");
    assert_eq!(clients(), 1);
    http.trusting(&AUTHORITY.repeat(2)).expect("trust");
    assert_eq!(clients(), 2);
}

#[tokio::test]
async fn response_over_the_limit_is_an_error() {
    let http = through(Stub(11));
    assert!(http.send(request(), 11).await.is_ok());
    let refused = http.send(request(), 10).await;
    assert_eq!(refused.err(), Some(HttpError::TooLarge));
}
