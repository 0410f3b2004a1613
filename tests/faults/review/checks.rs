//! The records that GitLab must have, and the effects that the function must not have.

use crate::fixture::{CHILD, MARKER, STACK, records, uuid};
use fake_aws::FakeAws;
use fake_aws::gitlab::records::{Note, OWN_USER};
use fake_aws::stacks::change_sets::ChangeSet;
use test_support::secrecy::assert_none_shown;

/// Calls that change something, and that the function makes here.
const PERMITTED: [&str; 9] = [
    "CreateChangeSet",
    "DeleteChangeSet",
    "ExecuteChangeSet",
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
}

/// Fails if the function has left a change set, changed the resources of others, or shown a secret.
pub fn check_harmless(fake: &FakeAws, before: &Others) {
    let mut left = fake.all_change_sets();
    left.retain(|(_, name)| is_of_function(name));
    assert!(left.is_empty(), "left: {left:?}");
    check_calls(fake);
    let now = Others::of(fake);
    let (kept, expected) = (&now.change_sets, &before.change_sets);
    assert_eq!(kept, expected, "change sets of others");
    assert_eq!(now.notes, before.notes, "notes of others");
    assert_none_shown(fake);
    let shown = format!("{:?}", records(fake));
    assert_eq!(fake.secret_in(&shown), None, "a secret in: {shown}");
    fake.assert_unbroken();
}

/// Nothing is executed on a deployed stack, no macro runs, and nothing else is called.
fn check_calls(fake: &FakeAws) {
    let (executed, macros) = fake.look(|aws| {
        let change_sets = &aws.stacks.change_sets;
        let executed = change_sets.executed.iter();
        // A person's has no description.
        let name = |one: &ChangeSet| one.description.as_ref().map(|_| one.name.clone());
        let executed = executed.map(|one| (one.stack_name.clone(), name(one)));
        (executed.collect::<Vec<_>>(), change_sets.macros_run.clone())
    });
    let is_repair = |(stack, name): &(String, Option<String>)| {
        stack == CHILD && name.as_deref() == Some("drift-cfn-gitops")
    };
    assert!(executed.iter().all(is_repair), "executed: {executed:?}");
    assert_eq!(macros, Vec::<String>::new(), "CloudFormation ran macros");
    for call in fake.journal() {
        let operation = call.operation.as_str();
        assert!(call.reads() || PERMITTED.contains(&operation), "{call}");
        let is_of_deployed = call
            .params
            .get("StackName")
            .is_some_and(|name| name == STACK);
        assert!(
            operation != "ExecuteChangeSet" || !is_of_deployed,
            "executed"
        );
    }
}

/// The function's notes on a merge request.
pub fn own_notes(fake: &FakeAws, iid: u64) -> Vec<String> {
    let place = format!("merge_requests/{iid}");
    let notes = records(fake).notes.into_iter();
    let own = notes.filter(|note| note.place == place && is_own(note));
    own.map(|note| note.body).collect()
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
