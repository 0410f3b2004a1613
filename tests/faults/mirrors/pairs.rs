//! Two faults in one story: the second at every call that follows the first.

use crate::scenarios::Mirrors;
use fake_aws::schedules::SingleFault;
use fake_aws::{Entry, Schedules};
use test_support::runner::{played, story_called};
use test_support::worlds::Place;

#[test]
fn no_pair_of_faults_in_create_and_delete_breaks_an_invariant() {
    let story = story_called::<Mirrors>("mirrors_login_created: without a repository");
    let play = |faults: &[SingleFault]| {
        let (faults, place) = (faults.to_vec(), Place::default());
        played::<Mirrors>(&story, &Place { faults, ..place }).fake
    };
    let mut schedules = Schedules::default();
    for first in play(&[]).journal().iter().flat_map(SingleFault::each) {
        let journal = play(std::slice::from_ref(&first)).journal();
        let is_struck = |call: &Entry| SingleFault::each(call).contains(&first);
        let struck = journal.iter().position(is_struck);
        let later = &journal[struck.expect("the first fault struck") + 1..];
        for second in later.iter().flat_map(SingleFault::each) {
            let faults = [first.clone(), second];
            let shown = faults.each_ref().map(|one| (&one.caller, one.fault()));
            schedules.run(format!("{shown:?}"), || play(&faults));
        }
    }
    let schedules = schedules.report("pairs of faults in Create and Delete");
    assert!(schedules > 3000);
}
