//! Two faults in one scenario: the second at every call that follows the first.

use crate::scenarios::scenarios;
use fake_aws::explore::paused;
use fake_aws::{Fault, FaultKind, Options};

#[test]
fn no_pair_of_faults_in_create_and_delete_breaks_an_invariant() {
    let scenario = scenarios()
        .into_iter()
        .find(|scenario| scenario.name == "create and delete without repositories")
        .expect("that scenario");
    let play = |faults: &[(String, Fault)]| {
        paused(scenario.play_with(Options::default(), faults.to_vec()))
    };
    let mut schedules = 0;
    let mut failures = vec![];
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
                    let played = std::panic::AssertUnwindSafe(|| play(&faults));
                    if let Err(panic) = std::panic::catch_unwind(played) {
                        let text = fake_aws::panics::text(&*panic);
                        failures.push(format!("{faults:?}\n{text}"));
                    }
                    schedules += 1;
                }
            }
        }
    }
    fake_aws::figure!("schedules: {schedules} pairs of faults in Create and Delete");
    let few: Vec<&String> = failures.iter().take(3).collect();
    assert!(
        few.is_empty(),
        "{} of {schedules} pairs failed, among them {few:#?}",
        failures.len()
    );
    assert!(schedules > 3000);
}
