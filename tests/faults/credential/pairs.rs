//! Two faults in one scenario: the second at every call that follows the first.

use crate::scenarios::scenarios;
use fake_aws::explore::paused;
use fake_aws::{Fault, FaultKind, Options, Schedules};

#[test]
fn no_pair_of_faults_in_create_and_delete_breaks_an_invariant() {
    let scenario = scenarios()
        .into_iter()
        .find(|scenario| scenario.name == "create and delete without repositories")
        .expect("that scenario");
    let play = |faults: &[(String, Fault)]| {
        paused(scenario.play_with(Options::default(), faults.to_vec()))
    };
    let mut schedules = Schedules::default();
    let whole = play(&[]).journal();
    for first in &whole {
        for first_kind in FaultKind::EACH {
            let first = (first.caller.clone(), Fault::at(first.index, first_kind));
            let journal = play(std::slice::from_ref(&first)).journal();
            let struck = journal.iter().position(|entry| {
                entry.caller == first.0 && Fault::at(entry.index, first_kind) == first.1
            });
            for second in &journal[struck.expect("the first fault struck") + 1..] {
                for second_kind in FaultKind::EACH {
                    let second = (second.caller.clone(), Fault::at(second.index, second_kind));
                    let faults = [first.clone(), second];
                    schedules.run(format!("{faults:?}"), || play(&faults));
                }
            }
        }
    }
    let schedules = schedules.finish();
    fake_aws::figure!("schedules: {schedules} pairs of faults in Create and Delete");
    assert!(schedules > 3000);
}
