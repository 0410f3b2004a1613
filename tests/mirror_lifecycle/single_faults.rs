//! One fault at every call of every request and of every step of a rotation, of every life.

use std::time::Duration;

use crate::lives::{Life, lives};
use crate::support::explore::paused;
use crate::support::{Fault, FaultKind, Options};

/// How late IAM is in the second round: lists, tags and logins.
fn late() -> Options {
    Options {
        lists_late: Duration::from_secs(4),
        tags_late: Duration::from_secs(3),
        login_late: Duration::from_secs(5),
        ..Options::default()
    }
}

/// Every call of the life: who makes it, and its index among the caller's.
fn calls(life: &Life, options: &Options) -> Vec<(String, usize)> {
    let world = paused(life.play(options.clone(), &[]));
    let journal = world.journal();
    journal
        .into_iter()
        .map(|entry| (entry.caller, entry.index))
        .collect()
}

/// Tries each kind at every call whose number divided by `step` leaves `rest`.
fn every_single_fault(
    options: &Options,
    delivers_twice: bool,
    kinds: &[FaultKind],
    (step, rest): (usize, usize),
) -> usize {
    let mut schedules = 0;
    let mut failures: Vec<String> = vec![];
    for mut life in lives() {
        life.delivers_twice = delivers_twice;
        let mut of_this = 0;
        for (number, (caller, index)) in calls(&life, options).into_iter().enumerate() {
            for (at, kind) in kinds.iter().enumerate() {
                if (number + at) % step != rest {
                    continue;
                }
                let fault = [(caller.clone(), Fault::at(index, *kind))];
                let shown = format!("{}: {kind:?} at {caller}#{index}", life.name);
                let played =
                    std::panic::AssertUnwindSafe(|| paused(life.play(options.clone(), &fault)));
                match std::panic::catch_unwind(played) {
                    Ok(world) => assert_eq!(world.faults_left(), 0, "{shown} struck nothing"),
                    Err(panic) => {
                        let text = crate::support::panics::text(&*panic);
                        failures.push(format!("{shown}\n{text}"));
                    }
                }
                of_this += 1;
            }
        }
        figure!("schedules: {of_this:>4} single faults in \"{}\"", life.name);
        schedules += of_this;
    }
    figure!("schedules: {schedules} of these, {} failed", failures.len());
    crate::checks::none_failed(&failures);
    schedules
}

#[test]
fn no_single_fault_stops_a_push_or_leaves_anything_behind() {
    let schedules = every_single_fault(&Options::default(), false, &FaultKind::EACH, (1, 0));
    figure!("schedules: {schedules} single faults in all");
    assert!(schedules > 1000);
}

#[test]
fn no_single_fault_does_while_iam_is_late_and_everything_comes_twice() {
    let schedules = every_single_fault(&late(), true, &FaultKind::EACH, (7, 3));
    figure!("schedules: {schedules} single faults with IAM late and everything delivered twice");
    assert!(schedules > 200);
}

#[test]
fn no_answer_that_never_comes_does() {
    let schedules = every_single_fault(&late(), false, &FaultKind::SILENT, (3, 1));
    figure!("schedules: {schedules} calls that hang");
    assert!(schedules > 100);
}
