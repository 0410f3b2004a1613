use super::*;
use crate::request::Service;

/// A call that waits since its caller's call before it, if it has one.
fn call(caller: &str, index: usize, service: Service, reads: bool) -> GatedCall {
    GatedCall {
        caller: caller.to_owned(),
        index,
        service,
        operation: String::new(),
        reads,
    }
}

/// A run of `calls`, each of which waits from the start unless its caller has an earlier call.
fn run(calls: &[GatedCall]) -> Vec<Event> {
    let events = calls.iter().enumerate().map(|(at, taken)| {
        let left = &calls[at..];
        let is_next = |one: &&GatedCall| {
            let earlier = |other: &GatedCall| other.caller == one.caller && other.index < one.index;
            !left.iter().any(earlier)
        };
        Event {
            call: taken.clone(),
            waiting: left.iter().filter(is_next).cloned().collect(),
        }
    });
    events.collect()
}

fn reversals_of(calls: &[GatedCall]) -> Vec<(usize, Vec<GatedCall>)> {
    reversals(&run(calls), GatedCall::commutes_with)
}

#[test]
fn reads_of_two_callers_do_not_race() {
    let calls = [
        call("a", 0, Service::Iam, true),
        call("b", 0, Service::Iam, true),
    ];
    assert_eq!(reversals_of(&calls), vec![]);
}

#[test]
fn change_and_read_of_it_race() {
    let (change, read) = (
        call("a", 0, Service::Iam, false),
        call("b", 0, Service::Iam, true),
    );
    let calls = [change, read.clone()];
    assert_eq!(reversals_of(&calls), vec![(0, vec![read])]);
}

#[test]
fn calls_of_one_caller_in_sequence_do_not_race() {
    let calls = [
        call("a", 0, Service::Iam, false),
        call("a", 1, Service::Iam, false),
    ];
    assert_eq!(reversals_of(&calls), vec![]);
}

#[test]
fn calls_of_one_caller_side_by_side_race() {
    let (one, other) = (
        call("a", 0, Service::Iam, false),
        call("a", 1, Service::Iam, false),
    );
    let waiting = vec![one.clone(), other.clone()];
    let events = [
        Event { call: one, waiting },
        Event {
            call: other.clone(),
            waiting: vec![other.clone()],
        },
    ];
    let found = reversals(&events, GatedCall::commutes_with);
    assert_eq!(found, vec![(0, vec![other])]);
}

#[test]
fn what_the_second_call_waits_for_comes_first() {
    // The change of b races with that of a. Before it, b reads something else.
    let read = call("b", 0, Service::SecretsManager, true);
    let calls = [
        call("a", 0, Service::Iam, false),
        read.clone(),
        call("b", 1, Service::Iam, false),
    ];
    assert_eq!(reversals_of(&calls), vec![(0, vec![read])]);
}

#[test]
fn call_between_two_others_hides_their_race() {
    let calls = [
        call("a", 0, Service::Iam, false),
        call("b", 0, Service::Iam, false),
        call("c", 0, Service::Iam, false),
    ];
    let found: Vec<usize> = reversals_of(&calls).into_iter().map(|(at, _)| at).collect();
    assert_eq!(found, vec![0, 1]);
}
