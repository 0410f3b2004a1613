//! Little memory, few files, no disk, and a log that is not read.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::function::{Function, Setup, mirror};

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
