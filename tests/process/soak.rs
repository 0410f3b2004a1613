//! One process, event after event: memory, connections, file descriptors and threads stay constant
//! after a warm-up. Only the function's process is measured; its environment grows.

use std::time::Duration;

use serde_json::json;

use crate::function::{Function, Setup};

/// Lifecycles of a resource, of five events each.
const LIVES: usize = 120;
const WARM: usize = 40;

/// The allocator's own memory: its arenas and the pages between used ones.
const SLACK_KIB: u64 = 1024;

/// The kernel's data about a process.
#[derive(Debug)]
struct Seen {
    /// Its allocated memory. The pages of its file depend on the machine's other load.
    memory_kib: u64,
    descriptors: usize,
    threads: usize,
}

fn look_at(function: &Function) -> Seen {
    let count = |what: &str| {
        let entries = std::fs::read_dir(format!("/proc/{}/{what}", function.id()));
        entries.expect("a directory").count()
    };
    Seen {
        memory_kib: function.status("RssAnon:"),
        descriptors: count("fd"),
        threads: count("task"),
    }
}

const USER: &str = "user-dev-soaked";

/// A Create, a health check that sees it, an Update, a Delete, and an event that is none.
fn one_life(function: &Function, number: usize) {
    let properties = |serial: usize| {
        json!({
            "ServiceToken": crate::lambda::FUNCTION, "UserName": USER,
            "RepositoryNames": ["infra"], "RotationSerial": serial.to_string(),
        })
    };
    let time = Duration::from_mins(1);
    for (kind, serial) in [("Create", 1), ("Update", 2), ("Delete", 2)] {
        let mut request = function.request(kind, &properties(serial));
        request["RequestId"] = json!(format!("{number}-{kind}"));
        // Another stack each time: a Create of the same second as its own Delete is too late.
        let stack = format!("arn:aws:cloudformation:eu-central-1:123456789012:stack/s/{number}");
        request["StackId"] = json!(stack);
        if kind != "Create" {
            request["PhysicalResourceId"] = json!(format!("codecommit-mirror/{USER}"));
        }
        if kind == "Update" {
            request["OldResourceProperties"] = properties(1);
            let health = json!({"HealthCheck": {"EnvID": "dev"}});
            function.invoke(&health, time).result();
        }
        let answer = function.invoke(&request, time).result();
        assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    }
    function.invoke(&json!({"what": number}), time).error();
}

#[test]
fn warm_process_needs_no_more_memory_files_or_threads() {
    let function = Setup::new().with("RUST_LOG", "error").start();
    function.aws.fake.keep_no_journal();
    function.aws.fake.user(USER);
    let mut warm = None;
    for number in 0..LIVES {
        one_life(&function, number);
        function.aws.fake.drop_deleted_resources();
        if number == WARM {
            warm = Some(look_at(&function));
        }
    }
    let (warm, end) = (warm.expect("more lives than that"), look_at(&function));
    let told = format!("{warm:?}, in the end {end:?}");
    assert!(end.memory_kib <= warm.memory_kib + SLACK_KIB, "{told}");
    // A connection more or less is on its way to be closed.
    assert!(end.descriptors <= warm.descriptors + 2, "{told}");
    assert!(end.threads <= warm.threads + 1, "{told}");
}
