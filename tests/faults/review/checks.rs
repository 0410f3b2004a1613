//! The records that GitLab must have, and the effects that the function must not have.

use crate::account::assert_others_unwritten;
use crate::fixture::{DEPLOYED, MARKER, records, uuid};
use fake_aws::FakeAws;
use fake_aws::gitlab::records::{Note, OWN_USER, Status};
use test_support::secrecy::assert_none_shown;

/// Calls that change something, and that the function makes here.
const PERMITTED: [&str; 8] = [
    "CreateChangeSet",
    "DeleteChangeSet",
    "StartBuild",
    "GitLab.PostStatus",
    "GitLab.CreateDeployment",
    "GitLab.CreateNote",
    "GitLab.UpdateNote",
    "GitLab.DeleteNote",
];

/// The change sets and the notes that are not the function's.
pub struct Others {
    change_sets: Vec<(String, String)>,
    notes: Vec<Note>,
}

/// Whether a change set has a name that the function gives.
pub fn is_of_function(name: &str) -> bool {
    let has_prefix = name.starts_with("plan-") || name.starts_with("drift-");
    has_prefix && !name.ends_with("persons-own")
}

fn is_own(note: &Note) -> bool {
    note.user == OWN_USER && note.body.starts_with(MARKER)
}

impl Others {
    pub fn of(fake: &FakeAws) -> Self {
        let mut change_sets = fake.all_change_sets();
        change_sets.retain(|(_, name)| !is_of_function(name));
        let mut notes = records(fake).notes;
        notes.retain(|note| !is_own(note));
        Others { change_sets, notes }
    }

    /// The pipeline has executed its own change set: all of the stack are deleted.
    pub fn without_change_sets_of(mut self, stack: &str) -> Self {
        self.change_sets.retain(|(of, _)| of != stack);
        self
    }

    /// Fails if one of them was changed.
    pub fn check(&self, fake: &FakeAws) {
        let now = Others::of(fake);
        let (kept, expected) = (&now.change_sets, &self.change_sets);
        assert_eq!(kept, expected, "change sets of others");
        assert_eq!(now.notes, self.notes, "notes of others");
    }
}

/// Fails if the function has left a change set, changed the resources of others, or shown a secret.
pub fn check_harmless(fake: &FakeAws, before: &Others) {
    let mut left = fake.all_change_sets();
    left.retain(|(_, name)| is_of_function(name));
    assert!(left.is_empty(), "left: {left:?}");
    check_calls(fake);
    before.check(fake);
    assert_none_shown(fake);
    assert_others_unwritten(fake);
    let shown = format!("{:?}", records(fake));
    assert_eq!(fake.secret_in(&shown), None, "a secret in: {shown}");
    fake.assert_unbroken();
}

/// No change set is executed, no macro runs, and nothing else is called.
fn check_calls(fake: &FakeAws) {
    let (executed, macros) = fake.look(|aws| {
        let executed = aws.stacks.change_sets.executed.iter();
        let executed: Vec<_> = executed.map(|one| one.name.clone()).collect();
        (executed, aws.stacks.change_sets.macros_run.clone())
    });
    assert!(executed.is_empty(), "executed: {executed:?}");
    assert_eq!(macros, Vec::<String>::new(), "CloudFormation ran macros");
    for call in fake.journal() {
        let operation = call.operation.as_str();
        assert!(call.reads() || PERMITTED.contains(&operation), "{call}");
    }
}

/// The function's notes on a merge request.
pub fn own_notes(fake: &FakeAws, iid: u64) -> Vec<String> {
    let place = format!("merge_requests/{iid}");
    let notes = records(fake).notes.into_iter();
    let own = notes.filter(|note| note.place == place && is_own(note));
    own.map(|note| note.body).collect()
}

/// Fails if another merge request or a commit has a note of the function.
pub fn assert_notes_only_on(fake: &FakeAws, iids: &[u64]) {
    let places: Vec<_> = iids.iter().map(|iid| format!("merge_requests/{iid}")).collect();
    let mut notes = records(fake).notes;
    notes.retain(|note| is_own(note) && !places.contains(&note.place));
    assert!(notes.is_empty(), "at a wrong place: {notes:?}");
}

/// Fails unless exactly one note on the merge request shows the build, with this text.
pub fn check_note(fake: &FakeAws, iid: u64, build: &str, text: &str) {
    let notes = own_notes(fake, iid);
    let marker = format!("{MARKER}build {} -->", uuid(build));
    let is_shown = |note: &String| note.starts_with(&marker) && note.contains(text);
    assert!(
        notes.len() == 1 && is_shown(&notes[0]),
        "{} notes instead of one of {build} with {text}: {notes:?}",
        notes.len()
    );
}

/// Fails unless the commit has one status of the review, in this state.
pub fn check_review_status(fake: &FakeAws, commit: &str, build: &str, state: &str) {
    let records = records(fake);
    let shown = records.current(commit, "cfn-gitops/dev/shop/review");
    let is_right = |one: &Status| one.state == state && one.target_url.contains(uuid(build));
    assert!(shown.len() == 1 && is_right(shown[0]), "{state}: {shown:?}");
    // It is not Markdown.
    assert!(!shown[0].description.contains(['`', '*']), "{shown:?}");
}

/// The statuses of the deployed stack's drift.
pub fn drift_statuses(fake: &FakeAws) -> Vec<Status> {
    let records = records(fake);
    let shown = records.current(DEPLOYED, "cfn-gitops/dev/shop/drift");
    shown.into_iter().cloned().collect()
}

/// Fails unless the deployed commit has one status of its stack's drift.
pub fn check_status(fake: &FakeAws, state: &str, text: &str) {
    let shown = drift_statuses(fake);
    let is_right = |one: &Status| one.state == state && one.description.contains(text);
    assert!(shown.len() == 1 && is_right(&shown[0]), "{shown:?}");
}
