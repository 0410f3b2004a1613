//! The process is ended in the middle of its work, and Lambda delivers the event again to another
//! one. `tests/faults/mirrors` does the same at every call of every request, without a process.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use crate::aws_front::{CALLER, Mood};
use crate::function::{Function, mirror, wait_until};
use fake_aws::{Fault, FaultKind};

/// Whether there was a call with this index to be killed at.
fn killed_at(call: usize, kind: FaultKind, signal: &str) -> bool {
    let mut function = Function::start();
    let fake = function.aws.fake.clone();
    fake.inject(CALLER, Fault::at(call, kind));
    let event = function.request("Create", &mirror());
    let invocation = function.invoke(&event, Duration::from_mins(1));
    wait_until("the call", || {
        fake.faults_left() == 0 || invocation.has_ended()
    });
    if invocation.has_ended() {
        return false;
    }
    function.signal(signal);
    function.wait();
    function.restart(&[]);
    function.succeeds(&event);
    fake.look(|aws| {
        let issued = aws.credentials("mirror");
        assert_eq!(issued.len(), 1, "{kind:?} at {call}");
    });
    function.succeeds(&function.request("Delete", &mirror()));
    function.left_nothing();
    true
}

#[test]
fn process_killed_at_any_call_is_healed_by_the_next_delivery() {
    let kinds = [
        (FaultKind::KilledBefore, "KILL"),
        (FaultKind::KilledAfter, "KILL"),
        (FaultKind::KilledAfter, "TERM"),
    ];
    std::thread::scope(|scope| {
        for (kind, signal) in kinds {
            scope.spawn(move || {
                let calls = (0..).take_while(|call| killed_at(*call, kind, signal));
                assert!(calls.count() > 5, "more calls than that are made");
            });
        }
    });
}

#[test]
fn sigterm_ends_the_process_promptly() {
    let mut idle = Function::start();
    let mut busy = Function::start();
    busy.aws.mood(Mood::Hanging);
    let event = busy.request("Create", &mirror());
    let _at_work = busy.invoke(&event, Duration::from_mins(1));
    wait_until("work to begin", || !busy.aws.calls().is_empty());
    for function in [&mut idle, &mut busy] {
        function.signal("TERM");
        // The signal itself ends it: no handler waits for work.
        assert_eq!(function.wait().signal(), Some(15));
    }
}
