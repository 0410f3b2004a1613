//! How many instructions the function executes: unlike a time, the count does not depend on the
//! machine's load. `make check-figures` runs this, and compares the counts with their limits.

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::aws_front::Front;
use crate::bucket;
use crate::function::Setup;
use crate::http::AUTHORITY;
use fake_aws::FakeAws;

/// The services that a Create calls. Each has an address of its own, so that a connection to one
/// serves no other. The last one is for the response to CloudFormation.
const ADDRESSES: [&str; 4] = ["IAM", "SECRETS_MANAGER", "CODECOMMIT", "S3"];

/// From the process's start until it polls after its Create. Without an AWS, until its first poll.
fn instructions(serve: Option<fn(FakeAws) -> Front>) -> u64 {
    let folder = format!("cfn-gitops-instructions-{}", std::process::id());
    let folder = std::env::temp_dir().join(folder);
    let [counts, roots, copies] = ["counts", "roots.pem", "copies"].map(|name| folder.join(name));
    fs::create_dir_all(&copies).expect("a folder");
    // As many roots as in Lambda: the system's, and the CA of this test. Some systems have a folder with
    // the same roots beside the file. They must not cost twice.
    let system = openssl_probe::probe().cert_file.expect("the system's roots");
    let certificates = [AUTHORITY.into(), system].map(|file| fs::read(file).expect("roots"));
    for file in [&roots, &copies.join("roots.pem")] {
        fs::write(file, certificates.concat()).expect("a file");
    }
    // Valgrind runs one thread at a time: with fair scheduling, the working thread is not random.
    let valgrind = format!(
        "exec valgrind --tool=callgrind --quiet --fair-sched=try --callgrind-out-file={} \"$0\"",
        counts.display()
    );
    let mut setup = Setup::new()
        .after(&valgrind)
        .with("SSL_CERT_FILE", &roots.to_string_lossy())
        .with("SSL_CERT_DIR", &copies.to_string_lossy());
    let fake = FakeAws::new();
    fake.user("mirror");
    let fronts = serve.map(|serve| ADDRESSES.map(|_| serve(fake.clone())));
    for (service, front) in ADDRESSES.iter().zip(fronts.iter().flatten()) {
        setup = setup.with(&format!("AWS_ENDPOINT_URL_{service}"), &front.url());
    }
    let mut function = setup.start();
    if let Some([.., last]) = &fronts {
        let properties = json!({"UserName": "mirror", "RotationSerial": "1"});
        let mut event = function.request("Create", &properties);
        let signed = bucket::url(last.server.address, SystemTime::now());
        let path = signed.split_once("/arn").expect("a path").1;
        event["ResponseURL"] = json!(format!("{}/arn{path}", last.url()));
        let result = function.invoke(&event, Duration::from_mins(5)).result();
        assert_eq!(result["Status"], "SUCCESS", "{result}");
        assert_eq!(fake.responses().len(), 1);
        function.lambda.wait_until_asked();
        fake.assert_unbroken();
    }
    // Valgrind writes its file when the process ends by a signal that it can handle.
    function.signal("TERM");
    function.wait();
    let text = fs::read_to_string(counts).expect("valgrind's file");
    fs::remove_dir_all(folder).expect("a folder");
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    total.and_then(|total| total.parse().ok()).expect("a total")
}

#[test]
#[ignore = "needs valgrind: make check-figures"]
fn instructions_until_first_poll_and_response() {
    println!("start_instructions = {}", instructions(None));
    println!(
        "create_instructions = {}",
        instructions(Some(Front::over_http))
    );
    println!(
        "create_tls_instructions = {}",
        instructions(Some(Front::over_tls))
    );
}
