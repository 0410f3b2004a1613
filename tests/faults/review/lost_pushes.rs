//! Pushes whose events CodeCommit loses, delays or repeats: each head has a build and a note in the
//! end, and the function starts at most one.

use std::time::Duration;

use crate::checks::{Others, check_harmless, check_note};
use crate::fixture::{
    LOGIN, NOTE_TEXT, Output, builds_of, changed, check_health, delete_branch, deliver, fake,
    in_account, lose_push, push, succeed,
};
use fake_aws::extent::some_or;
use fake_aws::schedules::Moment;
use fake_aws::{Caller, FakeAws, Schedule, Schedules, sample};

/// The build of a head with only one, which ends now with its note.
async fn end_only_build(fake: &FakeAws, branch: (&str, u64), commit: &str) -> String {
    let builds = builds_of(fake, branch, commit);
    assert_eq!(builds.len(), 1, "{builds:?}");
    let event = succeed(fake, &builds[0].0, &Output::of(changed()));
    deliver(fake, &event, "event").await;
    check_note(fake, branch.1, &builds[0].0, NOTE_TEXT);
    builds[0].0.clone()
}

/// Ends the running builds: a project has one build at a time.
fn end_builds(fake: &FakeAws) {
    let running = fake.look(|aws| {
        let running = aws.builds.values().filter(|build| build.ended.is_none());
        running.map(|build| build.id.clone()).collect::<Vec<_>>()
    });
    for build in running {
        fake.end_build(&build, "FAILED");
    }
}

/// The push, a late event or the end of the branch, at each call of a health check.
#[derive(Clone, Copy, Debug)]
enum Change {
    LatePush,
    LateEvent,
    LostPush,
    Rewind,
    Delete,
}

use Change::{Delete, LateEvent, LatePush, LostPush, Rewind};

fn happen(change: Change, fake: &FakeAws) {
    match change {
        LatePush => drop(push(fake, LOGIN, "c2")),
        LateEvent => drop(push(fake, LOGIN, "c1")),
        LostPush => lose_push(fake, LOGIN, "c2"),
        Rewind => lose_push(fake, LOGIN, "c0"),
        Delete => delete_branch(fake, LOGIN),
    }
}

/// The head loses its event, and `change` happens at this call. Returns whether the check has it.
fn play_at(change: Change, at: usize) -> bool {
    let is_of_check = |_: &FakeAws, caller: &Caller| caller.name() == "first check.1";
    let happen = move |fake: &FakeAws| happen(change, fake);
    let calls = Moment::before(at).play(is_of_check, happen, async |seen| {
        let fake = fake().await;
        let built = push(&fake, LOGIN, "c0");
        fake.end_build(&built, "FAILED");
        lose_push(&fake, LOGIN, "c1");
        check_health(&fake, "first check").await;
        // The token of a start is valid for five minutes.
        tokio::time::sleep(Duration::from_mins(10)).await;
        end_builds(&fake);
        check_health(&fake, "second check").await;
        if seen.calls() <= at {
            return;
        }
        for commit in ["c0", "c1", "c2"] {
            let builds = builds_of(&fake, LOGIN, commit);
            let own = builds.iter().filter(|(_, is_own)| *is_own).count();
            let is_head = match change {
                LatePush | LostPush => commit == "c2",
                LateEvent => commit == "c1",
                Rewind => commit == "c0",
                Delete => false,
            };
            let is_enough = !is_head || !builds.is_empty();
            assert!(own <= 1 && is_enough, "{builds:?}");
        }
    });
    calls > at
}

#[test]
fn change_at_each_call_starts_at_most_one_build() {
    let mut schedules = Schedules::default();
    for change in [LatePush, LateEvent, LostPush, Rewind, Delete] {
        schedules.each_call(|at| format!("{change:?} at {at}"), |at| play_at(change, at));
    }
    let schedules = schedules.report("pushes at calls of a check that finds a lost push");
    assert!(schedules > 60);
}

/// An event arrives within seconds, so the second look finds its build.
#[test]
fn build_of_an_event_during_the_check_is_the_only_one() {
    in_account(async |fake| {
        lose_push(fake, LOGIN, "c1");
        let event = async {
            tokio::time::sleep(Duration::from_secs(50)).await;
            push(fake, LOGIN, "c1");
        };
        tokio::join!(check_health(fake, "health check"), event);
        let builds = builds_of(fake, LOGIN, "c1");
        assert!(matches!(builds[..], [(_, false)]), "{builds:?}");
    });
}

/// Two checks at once, such as a repeated delivery, and an event that arrives meanwhile.
#[test]
fn checks_at_once_start_one_build() {
    let runs = sample(some_or(40, 1000), 1, |schedule: Schedule| async move {
        let fake = fake().await;
        let others = Others::of(&fake);
        lose_push(&fake, LOGIN, "c1");
        fake.obey(&schedule);
        let one = check_health(&fake, "one check");
        schedule.both(one, check_health(&fake, "other check")).await;
        end_only_build(&fake, LOGIN, "c1").await;
        check_harmless(&fake, &others);
    });
    fake_aws::figure!("schedules: {runs} orders of two checks that find a lost push");
}

/// All events of 105 builds are lost. More builds than a page has are read.
#[test]
fn each_head_of_many_builds_gets_its_note() {
    in_account(async |fake| {
        let branches: Vec<(String, u64)> =
            (0..60).map(|n| (format!("検証/b{n}"), 100 + n)).collect();
        let mut builds = vec![];
        for (n, (branch, iid)) in branches.iter().enumerate() {
            builds.push(push(fake, (branch, *iid), &format!("c{n}")));
        }
        for n in 60..105 {
            let build = push(fake, LOGIN, &format!("c{n}"));
            fake.end_build(&build, "FAILED");
        }
        for build in &builds {
            fake.end_build(build, "FAILED");
        }
        check_health(fake, "health check").await;
        for ((_, iid), build) in branches.iter().zip(&builds) {
            check_note(fake, *iid, build, "phase `FAILED`");
        }
    });
}
