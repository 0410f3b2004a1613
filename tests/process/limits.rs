//! Little memory, few files, no disk, and a log that is not read.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::function::{Function, Setup, mirror, reason};
use crate::lambda::Invocation;

/// The largest event that Lambda accepts, in bytes. The limit of asynchronous ones, like
/// CloudFormation's, is lower.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const LARGEST_EVENT: usize = 6 * 1024 * 1024;

/// A request with this size because of an unknown property.
fn large(function: &Function) -> Value {
    function.request("Create", &json!({"Large": "x".repeat(LARGEST_EVENT)}))
}

fn creates_and_deletes(function: &Function) {
    for kind in ["Create", "Update", "Delete"] {
        function.succeeds(&function.request(kind, &mirror()));
    }
    function.left_nothing();
}

#[test]
fn largest_event_needs_half_of_the_functions_memory() {
    let function = Function::start();
    function.fails(&large(&function));
    let peak = function.peak_memory();
    assert!(peak < 64 * 1024, "{peak} kB");
    creates_and_deletes(&function);
}

/// The event with a JSON text in place of each text `LARGE`.
fn invoke(function: &Function, event: &Value, large: &str) -> Invocation {
    let event = event.to_string().replace("\"LARGE\"", large);
    function.lambda.invoke(event, Duration::from_mins(1))
}

/// A list whose text has about `size` bytes and which needs 80 times as much in memory.
fn list(size: usize) -> String {
    format!("[{}0]", r#"{"a":0},"#.repeat(size / 8))
}

// claim: every-event-with-a-response-url-gets-one-response-and-none-panics
#[test]
fn event_of_any_size_gets_its_response_in_128_mb() {
    // More than the 1 MB that Lambda accepts for asynchronous events is sent by other callers only.
    for size in [600_000, 1_000_000, LARGEST_EVENT - 10_000] {
        let function = Setup::new().after("ulimit -d 131072").start();
        let mut old = function.request("Update", &json!("LARGE"));
        old["OldResourceProperties"] = mirror();
        let mut pushed: Value =
            serde_json::from_str(include_str!("../../events/first-push.json")).expect("JSON");
        pushed["detail"]["large"] = json!("LARGE");
        let members: Vec<String> = (0..size / 12).map(|i| format!("\"{i:07}\":0")).collect();
        let mut requests = vec![old];
        for kind in ["Create", "Update"] {
            let properties = json!({"UserName": "mirror", "Tags": "LARGE"});
            requests.push(function.request(kind, &properties));
            let properties = json!({"EnvID": "dev", "ProjectID": "shop", "Build": {"x": "LARGE"}});
            requests.push(function.pipeline_request(kind, &properties));
        }
        let others = [
            pushed,
            json!({"HealthCheck": {"EnvID": "dev"}, "x": "LARGE"}),
            json!({"Step": "createSecret", "SecretId": "LARGE", "ClientRequestToken": "x"}),
            json!("LARGE"),
        ];
        for large in [
            list(size),
            format!("\"{}\"", "x".repeat(size)),
            format!("{}{}", "[".repeat(size / 2), "]".repeat(size / 2)),
            format!("{{{}}}", members.join(",")),
        ] {
            for request in &requests {
                let response = function.failed(&invoke(&function, request, &large)).0;
                let reason = reason(&response);
                assert!(reason.starts_with("reading ResourceProperties: the request has "));
                assert!(reason.contains("at most 262144") && reason.ends_with(" - CFG-102"));
            }
            for event in &others {
                let error = invoke(&function, event, &large).error();
                assert_eq!(error["errorType"], "UnknownEvent", "{error}");
                let text = error["errorMessage"].as_str().expect("a message");
                assert!(text.contains("at most 262144") && text.contains("ResponseURL"));
            }
        }
        assert!(function.aws.calls().is_empty());
        let peak = function.peak_memory();
        println!("{size} bytes: {peak} kB");
        assert!(peak < 64 * 1024, "{peak} kB");
    }
}

/// The form of JSON that needs most memory for its size.
#[test]
fn largest_decoded_event_fits_into_128_mb() {
    let function = Setup::new().after("ulimit -d 131072").start();
    let large = format!("[{}0]", r#"{"":0},"#.repeat(260_000 / 7));
    let request = function.request("Create", &json!({"UserName": "mirror", "Typo": "LARGE"}));
    for request in [
        &request,
        &function.pipeline_request("Create", &json!({"Typo": "LARGE"})),
    ] {
        let response = function.failed(&invoke(&function, request, &large)).0;
        assert!(reason(&response).contains("Typo: "), "{response}");
    }
    let check = json!({"HealthCheck": {"EnvID": 1}, "x": "LARGE"});
    let error = invoke(&function, &check, &large).error();
    assert_eq!(error["errorType"], "UnknownEnvironment", "{error}");
    println!("{} kB", function.peak_memory());
    let larger = large + &" ".repeat(3000);
    let response = function.failed(&invoke(&function, &request, &larger)).0;
    assert!(reason(&response).contains("at most 262144"), "{response}");
}

/// A stack must not get stuck because of properties that were rejected.
#[test]
fn too_large_update_is_rolled_back_and_deleted() {
    let function = Setup::new().after("ulimit -d 131072").start();
    let large = list(600_000);
    function.succeeds(&function.request("Create", &mirror()));
    let mut update = function.request("Update", &json!({"UserName": "mirror", "Tags": "LARGE"}));
    update["OldResourceProperties"] = mirror();
    function.failed(&invoke(&function, &update, &large));
    update["OldResourceProperties"] = update["ResourceProperties"].take();
    update["ResourceProperties"] = mirror();
    function.succeeded(&invoke(&function, &update, &large));
    // Two properties that fit alone are accepted together.
    update["ResourceProperties"] = json!({"UserName": "mirror", "Tags": "LARGE"});
    let failed = function.failed(&invoke(&function, &update, &list(200_000)));
    let reason = reason(&failed.0);
    assert!(reason.contains("Tags"), "{reason}");
    assert!(!reason.contains("at most 262144"), "{reason}");
    let delete = function.request("Delete", &json!({"UserName": "mirror", "Tags": "LARGE"}));
    function.succeeded(&invoke(&function, &delete, &large));
    function.left_nothing();
}

#[test]
fn rejected_create_that_is_too_large_is_deleted() {
    let function = Setup::new().after("ulimit -d 131072").start();
    let large = list(600_000);
    let properties = json!({"UserName": "mirror", "EnvID": "dev", "x": "LARGE"});
    for is_pipeline in [false, true] {
        let request = |kind| {
            if is_pipeline {
                function.pipeline_request(kind, &properties)
            } else {
                function.request(kind, &properties)
            }
        };
        let failed = function.failed(&invoke(&function, &request("Create"), &large)).0;
        let mut delete = request("Delete");
        delete["PhysicalResourceId"] = failed["PhysicalResourceId"].clone();
        function.succeeded(&invoke(&function, &delete, &large));
    }
    function.left_nothing();
}

/// Lambda ends a process that needs more memory than there is; here it finds none and ends itself.
/// Either way an event is delivered again.
#[test]
fn too_little_memory_leaves_nothing_half_done() {
    // Kilobytes of data. It suffices for all but the largest events.
    let mut function = Setup::new().after("ulimit -d 12000").start();
    function.succeeds(&function.request("Create", &mirror()));
    let calls = function.aws.calls().len();
    let event = large(&function);
    function.invoke(&event, Duration::from_mins(1));
    let status = function.wait();
    assert_eq!(status.signal(), Some(6), "{status}: it aborts");
    assert_eq!(function.aws.calls().len(), calls);
    assert!(function.bucket.accepted().is_empty());
    function.without_limits();
    function.restart(&[]);
    function.fails(&event);
    let written = function.ended();
    assert!(written.contains("memory allocation of"), "{written}");
}

#[test]
fn few_files_no_disk_and_no_log_lose_no_response() {
    let nowhere = "/nonexistent/directory";
    let traced = Setup::new().with("RUST_LOG", "trace");
    let setups = [
        Setup::new().after("ulimit -n 20"),
        // A process that writes to a file beyond this limit is ended by the system.
        Setup::new()
            .after("ulimit -f 0")
            .after("cd /")
            .with("HOME", nowhere)
            .with("TMPDIR", nowhere),
        // A file that is opened next must not get the descriptor of standard output, and then the
        // log.
        traced.clone().after("exec >&- 2>&-"),
        // The log's disk is full.
        traced.after("exec >/dev/full 2>&1"),
    ];
    for setup in setups {
        let function = setup.start();
        creates_and_deletes(&function);
        function.fails(&function.request("Create", &json!({"Typo": 1})));
    }
}

#[test]
fn slow_log_reader_loses_no_lines() {
    // dd ends with an error when the pipe has no more room, and then the process starts.
    let fill = "! dd if=/dev/zero of=/dev/stdout oflag=nonblock bs=4096 count=1000 2>/dev/null";
    let setup = Setup::new().after("exec 2>&1").after(fill);
    let function = setup.start_unread();
    let event = function.request("Create", &mirror());
    let invocation = function.invoke(&event, Duration::from_mins(1));
    std::thread::sleep(Duration::from_millis(500));
    assert!(!invocation.has_ended());
    function.read_output();
    function.succeeded(&invocation);
    let written = function.ended();
    for line in ["\"request\"", "\"SUCCESS\""] {
        assert!(written.contains(line), "{line}");
    }
}
