//! Actions of others at each call of a review: they push, delete the branch, close the merge
//! request, deploy, or update the stack.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::scenarios::check_status;

use crate::checks::{
    Others, check_at_most_one, check_harmless, check_note, is_of_function, own_notes,
};
use crate::fixture::{
    CHILD, LOGIN, Output, PROJECT, STACK, changed, check_health, check_health_for_a_day,
    delete_branch, deliver, deployed, fake, in_account, push, pushed, succeed,
};
use fake_aws::schedules::{Moment, Seen};
use fake_aws::{Caller, FakeAws, Schedules};

/// The change of another principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// A later commit is pushed, and its build succeeds.
    Push,
    /// The branch is deleted, and its merge request is closed.
    DeleteBranch,
    /// The merge request is closed.
    Close,
    /// The merge request is closed before the review, and reopened at the call.
    Reopen,
    /// The pipeline executes its own change set, which deletes all others of the stack.
    Deploy,
    /// Another principal updates the stack.
    Update,
    /// The same, and CloudFormation deletes no change set meanwhile.
    UpdateThatKeeps,
    /// The pipeline's stack is updated, which differs from its template.
    UpdateChild,
    /// The stack is deleted.
    DeleteStack,
    /// A person deletes the function's change set.
    DeleteChangeSet,
    /// A person replaces the change set of the pipeline's stack by one of the same name.
    ReplaceChangeSet,
}

const CHANGES: [Change; 9] = [
    Change::Push,
    Change::DeleteBranch,
    Change::Close,
    Change::Reopen,
    Change::Deploy,
    Change::Update,
    Change::UpdateThatKeeps,
    Change::DeleteStack,
    Change::DeleteChangeSet,
];

/// The build and the event of a later push.
type Later = Arc<Mutex<Option<(String, Value)>>>;

impl Change {
    fn prepare(self, fake: &FakeAws) {
        match self {
            Change::Reopen => fake.set_merge_request_state(PROJECT, LOGIN.1, "closed"),
            Change::UpdateChild | Change::ReplaceChangeSet => {
                fake.drift(CHILD, "ReviewRule", "MODIFIED");
            }
            Change::UpdateThatKeeps => {
                fake.options(|options| options.change_sets.kept_during_updates = true);
            }
            _ => {}
        }
    }

    fn happen(self, fake: &FakeAws, later: &Later) {
        let takes = Duration::from_secs(30);
        match self {
            Change::Push => *later.lock().expect("no panic") = Some(pushed(fake, LOGIN, "c2")),
            Change::DeleteBranch => delete_branch(fake, LOGIN),
            Change::Close => fake.set_merge_request_state(PROJECT, LOGIN.1, "closed"),
            Change::Reopen => fake.set_merge_request_state(PROJECT, LOGIN.1, "opened"),
            Change::Deploy => fake.deploy(STACK, &deployed(), takes),
            Change::Update | Change::UpdateThatKeeps => fake.keep_stack_busy(STACK, takes),
            Change::UpdateChild => fake.keep_stack_busy(CHILD, takes),
            Change::DeleteStack => fake.change(|aws| {
                aws.stacks.all.retain(|_, stack| stack.name != STACK);
                for (stack, name) in all_of_stack(aws) {
                    aws.stacks.change_sets.remove(&(stack, name));
                }
            }),
            Change::ReplaceChangeSet => fake.replace_change_set(CHILD, "drift-cfn-gitops"),
            Change::DeleteChangeSet => {
                let names = fake.change_sets(STACK);
                let own = names.iter().filter(|name| is_of_function(name));
                for name in own {
                    fake.delete_change_set(STACK, name);
                }
            }
        }
    }

    /// The others' resources afterwards.
    fn others(self, fake: &FakeAws) -> Others {
        let others = Others::of(fake);
        match self {
            // The repair executes a change set.
            Change::UpdateChild | Change::ReplaceChangeSet => others.without_change_sets_of(CHILD),
            Change::Deploy | Change::DeleteStack => others.without_change_sets_of(STACK),
            _ => others,
        }
    }

    fn check(self, fake: &FakeAws, build: &str, others: &Others) {
        check_harmless(fake, others);
        match self {
            Change::DeleteBranch | Change::Close => check_at_most_one(fake, LOGIN.1),
            // Before the call or after it, the stack existed.
            Change::DeleteStack => {
                let notes = own_notes(fake, LOGIN.1);
                assert_eq!(notes.len(), 1, "{notes:?}");
            }
            _ => check_note(fake, LOGIN.1, build, "1 **replaced**, 1 added"),
        }
    }
}

fn all_of_stack(aws: &fake_aws::AwsState) -> Vec<(String, String)> {
    let of_stack = aws.stacks.change_sets.of(STACK);
    of_stack
        .map(|one| (one.stack_name.clone(), one.name.clone()))
        .collect()
}

/// Plays a review during which `change` happens. Returns whether it has such a call.
fn play(change: Change, moment: Moment) -> bool {
    play_at(change, moment, async |seen, later| {
        let fake = fake().await;
        let (mut build, event) = pushed(&fake, LOGIN, "c1");
        change.prepare(&fake);
        let others = change.others(&fake);
        deliver(&fake, &event, "event").await;
        if seen.calls() <= moment.call {
            return;
        }
        let later = later.lock().expect("no panic").take();
        if let Some((later, event)) = later {
            build = later;
            deliver(&fake, &event, "later event").await;
        }
        // The operation on the stack ends.
        tokio::time::sleep(Duration::from_mins(1)).await;
        check_health(&fake, "first health check").await;
        change.check(&fake, &build, &others);
        check_health_for_a_day(&fake).await;
        change.check(&fake, &build, &others);
    })
}

/// The same for a health check that compares both stacks.
fn play_comparison(change: Change, moment: Moment) -> bool {
    play_at(change, moment, async |seen, _| {
        let fake = fake().await;
        change.prepare(&fake);
        fake.drift(STACK, "Orders", "MODIFIED");
        let others = change.others(&fake);
        check_health(&fake, "event").await;
        if seen.calls() <= moment.call {
            return;
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
        check_health_for_a_day(&fake).await;
        check_harmless(&fake, &others);
        if change != Change::DeleteStack {
            check_status(&fake, "failed", "Orders");
        }
    })
}

/// Plays with `change` at this moment of the first delivery. Returns whether the delivery has such
/// a call.
fn play_at(change: Change, moment: Moment, play: impl AsyncFnOnce(&Seen, &Later)) -> bool {
    let later = Later::default();
    let pushed = Arc::clone(&later);
    let is_first = |_: &FakeAws, caller: &Caller| caller.name() == "event.1";
    let happen = move |fake: &FakeAws| change.happen(fake, &pushed);
    let calls = moment.play(is_first, happen, async |seen| play(seen, &later).await);
    calls > moment.call
}

/// Plays with each of these changes before and after each call. Returns the schedules.
fn every_change(changes: &[Change], play: fn(Change, Moment) -> bool) -> Schedules {
    let mut schedules = Schedules::default();
    for change in changes {
        for is_after in [false, true] {
            let name = |call| format!("{change:?} at {:?}", Moment { call, is_after });
            schedules.each_call(name, |call| play(*change, Moment { call, is_after }));
        }
    }
    schedules
}

#[test]
fn change_at_each_call_ends_in_the_heads_note() {
    let schedules = every_change(&CHANGES, play).report("changes by others at calls of a review");
    assert!(schedules > 250);
}

#[test]
fn change_at_each_call_of_a_comparison_leaves_nothing() {
    let changes = [
        Change::Deploy,
        Change::Update,
        Change::UpdateThatKeeps,
        Change::UpdateChild,
        Change::DeleteStack,
        Change::ReplaceChangeSet,
    ];
    let schedules = every_change(&changes, play_comparison)
        .report("changes by others at calls of a comparison");
    assert!(schedules > 250);
}

/// The template of the branch is the deployed one now.
#[test]
fn merged_branch_shows_no_changes() {
    in_account(async |fake| {
        fake.deploy(STACK, &changed(), Duration::from_secs(30));
        tokio::time::sleep(Duration::from_mins(1)).await;
        let others = Others::of(fake);
        let build = push(fake, LOGIN, "c1");
        let output = Output::of(changed());
        let event = succeed(fake, &build, &output);
        deliver(fake, &event, "event").await;
        check_harmless(fake, &others);
        check_note(fake, LOGIN.1, &build, "no resource changes");
    });
}
