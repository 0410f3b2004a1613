//! Actions of others at each call of a review: they push, delete the branch, close the merge
//! request, deploy, or update the stack.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::changes::delete_stack;
use crate::checks::{Others, check_harmless, check_note, check_status, is_of_function, own_notes};
use crate::fixture::{
    LOGIN, PROJECT, STACK, check_health, check_health_for_a_day, delete_branch, deliver, deployed,
    fake, pushed,
};
use fake_aws::schedules::{Moment, Seen};
use fake_aws::{Caller, FakeAws, Schedules};
use test_support::secrecy::shows;

use Change::{
    Close, DeleteBranch, DeleteChangeSet, DeleteStack, Deploy, Push, Reopen, Update,
    UpdateThatKeeps,
};

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
    /// The stack is deleted.
    DeleteStack,
    /// A person deletes the function's change set.
    DeleteChangeSet,
}

/// The build and the event of a later push.
type Later = Arc<Mutex<Option<(String, Value)>>>;

impl Change {
    fn prepare(self, fake: &FakeAws) {
        match self {
            Reopen => fake.set_merge_request_state(PROJECT, LOGIN.1, "closed"),
            UpdateThatKeeps => {
                fake.options(|options| options.change_sets.kept_during_updates = true);
            }
            _ => {}
        }
    }

    fn happen(self, fake: &FakeAws, later: &Later) {
        let takes = Duration::from_secs(30);
        match self {
            Push => *later.lock().expect("no panic") = Some(pushed(fake, LOGIN, "c2")),
            DeleteBranch => delete_branch(fake, LOGIN),
            Close => fake.set_merge_request_state(PROJECT, LOGIN.1, "closed"),
            Reopen => fake.set_merge_request_state(PROJECT, LOGIN.1, "opened"),
            Deploy => fake.deploy(STACK, &deployed(), takes),
            Update | UpdateThatKeeps => fake.keep_stack_busy(STACK, takes),
            DeleteStack => delete_stack(fake),
            DeleteChangeSet => {
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
            Deploy | DeleteStack => others.without_change_sets_of(STACK),
            _ => others,
        }
    }

    fn check(self, fake: &FakeAws, build: &str, others: &Others) {
        check_harmless(fake, others);
        match self {
            DeleteBranch | Close => assert!(own_notes(fake, LOGIN.1).len() <= 1),
            // Before the call or after it, the stack existed.
            DeleteStack => assert_eq!(own_notes(fake, LOGIN.1).len(), 1),
            _ => check_note(fake, LOGIN.1, build, "1 **replaced**, 1 added"),
        }
    }
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

/// The same for a health check that compares the deployed stack.
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
        if change == DeleteStack {
            // A person deletes a stack. That is not a failure of the check.
            assert!(!shows(r#""HealthCheckFailed":1"#));
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
        check_health_for_a_day(&fake).await;
        check_harmless(&fake, &others);
        if change != DeleteStack {
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
    let updates = [
        Deploy,
        Update,
        UpdateThatKeeps,
        DeleteStack,
        DeleteChangeSet,
    ];
    let changes = [&[Push, DeleteBranch, Close, Reopen][..], &updates].concat();
    let schedules = every_change(&changes, play).report("changes by others at calls of a review");
    assert!(schedules > 250);
}

#[test]
fn change_at_each_call_of_a_comparison_leaves_nothing() {
    let changes = [Deploy, Update, UpdateThatKeeps, DeleteStack];
    let schedules = every_change(&changes, play_comparison);
    let schedules = schedules.report("changes by others at calls of a comparison");
    assert!(schedules > 250);
}
