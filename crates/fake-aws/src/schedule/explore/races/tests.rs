use crate::{
    request::Service,
    schedule::explore::{path::ScheduleStep, races::*},
};

fn change(caller: &str, index: usize) -> GatedCall {
    GatedCall {
        caller: caller.to_owned(),
        index,
        service: Service::Iam,
        operation: String::new(),
        reads: false,
    }
}

fn read(caller: &str, index: usize) -> GatedCall {
    GatedCall {
        reads: true,
        ..change(caller, index)
    }
}

/// The reversals of a run of these calls. Each has the calls that wait with it.
fn reversals_of(calls: &[(&GatedCall, &[&GatedCall])]) -> Vec<(usize, Vec<GatedCall>)> {
    let points = calls.iter().map(|(taken, others)| {
        let taken = ScheduleStep::Go((*taken).clone());
        let others = others.iter().map(|call| ScheduleStep::Go((*call).clone()));
        let options = std::iter::once(taken.clone()).chain(others);
        Point::new(options.collect(), vec![], taken, false)
    });
    reversals(&points.collect::<Vec<_>>(), GatedCall::commutes_with)
}

#[test]
fn reads_of_two_callers_do_not_race() {
    let (a, b) = (read("a", 0), read("b", 0));
    assert_eq!(reversals_of(&[(&a, &[&b]), (&b, &[])]), vec![]);
}

#[test]
fn change_and_read_of_it_race() {
    let (a, b) = (change("a", 0), read("b", 0));
    let found = reversals_of(&[(&a, &[&b]), (&b, &[])]);
    assert_eq!(found, vec![(0, vec![b])]);
}

#[test]
fn calls_of_one_caller_in_sequence_do_not_race() {
    let (first, second) = (change("a", 0), change("a", 1));
    assert_eq!(reversals_of(&[(&first, &[]), (&second, &[])]), vec![]);
}

#[test]
fn calls_of_one_caller_side_by_side_race() {
    let (one, other) = (change("a", 0), change("a", 1));
    let found = reversals_of(&[(&one, &[&other]), (&other, &[])]);
    assert_eq!(found, vec![(0, vec![other])]);
}

#[test]
fn what_the_second_call_waits_for_comes_first() {
    // The change of b races with that of a. Before it, b reads something else.
    let (a, b) = (change("a", 0), change("b", 1));
    let mut before = read("b", 0);
    before.service = Service::SecretsManager;
    let found = reversals_of(&[(&a, &[&before]), (&before, &[]), (&b, &[])]);
    assert_eq!(found, vec![(0, vec![before])]);
}

#[test]
fn call_between_two_others_hides_their_race() {
    let [a, b, c] = ["a", "b", "c"].map(|caller| change(caller, 0));
    let found = reversals_of(&[(&a, &[&b, &c]), (&b, &[&c]), (&c, &[])]);
    let points: Vec<usize> = found.into_iter().map(|(at, _)| at).collect();
    assert_eq!(points, vec![0, 1]);
}
