//! The process's beginning and end.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::aws_front::Mood;
use crate::function::{Function, wait_until};

#[test]
fn start_calls_nothing() {
    let function = Function::start();
    function.lambda.wait_until_asked();
    assert!(function.aws.calls().is_empty());
    assert!(function.bucket.attempts().is_empty());
    assert_eq!(function.lambda.posted(), Vec::<String>::new());
}

#[test]
fn sigterm_ends_the_process_promptly() {
    let mut idle = Function::start();
    idle.lambda.wait_until_asked();
    let mut busy = Function::start();
    busy.aws.mood(Mood::Hanging);
    let event = busy.request("Create", &json!({"UserName": "mirror"}));
    let _at_work = busy.invoke(&event, Duration::from_mins(1));
    wait_until("work to begin", || !busy.aws.calls().is_empty());
    for function in [&mut idle, &mut busy] {
        let asked = Instant::now();
        function.signal("TERM");
        function.wait();
        assert!(asked.elapsed() < Duration::from_secs(1));
    }
}
