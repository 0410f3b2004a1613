//! The environment of a measured function: Lambda's Runtime API, an AWS over HTTP and over
//! TLS, and the bucket behind `ResponseURL`, on loopback ports that the system chooses.
//!
//! ```text
//! harness --certificate chain.pem --key key.pem
//! ```
//!
//! Its protocol is lines of JSON. The first output line contains the addresses. Each input line
//! prepares one run of one function: a new account with `users`, an AWS that responds after
//! `latency_ms`, and the `events` that the function gets one after another. When the function has
//! responded to the last one and polls again, the run's record is written: the time of each step,
//! in nanoseconds since 1970, which is a clock that the function's parent process also has. The
//! program ends with its input.
//!
//! The account is that of the tests, in `tests/fake-aws`: stateful, and strict where AWS is.
//! Blocking threads serve it, because a sleeping thread has the least latency.

mod account;
mod run;
mod runtime_api;

use std::io::{BufRead, Write};
use std::sync::Arc;

use account::Service;
use fake_aws::http;
use run::{Prepared, Runs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let (certificate, key) = arguments()?;
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let tls = http::tls(chain, PrivateKeyDer::from_pem_file(key)?)?;
    let runs = Arc::new(Runs::default());

    let mut addresses = json!({ "http": {}, "https": {} });
    for service in Service::ALL {
        for (scheme, tls) in [("http", None), ("https", Some(&tls))] {
            let runs = Arc::clone(&runs);
            let port = http::serve(tls.cloned(), move |request| {
                account::answer(&runs, service, &request)
            })?;
            addresses[scheme][service.name()] = format!("{scheme}://127.0.0.1:{port}").into();
        }
    }
    let served = Arc::clone(&runs);
    let port = http::serve(None, move |request| runtime_api::answer(&served, &request))?;
    addresses["runtime_api"] = format!("127.0.0.1:{port}").into();
    write_line(&addresses)?;

    for line in std::io::stdin().lock().lines() {
        let prepared: Prepared = serde_json::from_str(&line?)?;
        runs.prepare(prepared);
        write_line(&json!("prepared"))?;
    }
    Ok(())
}

/// The paths of the certificate chain and of its key.
fn arguments() -> Result<(String, String), Failure> {
    let mut given = std::env::args().skip(1);
    let (mut certificate, mut key) = (None, None);
    while let Some(name) = given.next() {
        match name.as_str() {
            "--certificate" => certificate = given.next(),
            "--key" => key = given.next(),
            // `cargo bench` passes it to every target.
            "--bench" => {}
            _ => return Err(format!("{name} is no argument of this").into()),
        }
    }
    certificate
        .zip(key)
        .ok_or_else(|| "make bench starts this: it needs --certificate and --key".into())
}

/// Whole lines: several threads write.
fn write_line(value: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{value}\n").as_bytes())?;
    out.flush()
}
