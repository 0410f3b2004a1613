//! No secret is in a log line, in a request to GitLab, in a metric or in a result of the function.

use crate::checks::{Others, check_harmless, check_note};
use crate::fixture::{
    LOGIN, NOTE_TEXT, STACK, check_health, check_health_for_a_day, deliver, fake, in_account,
    paused, pushed,
};
use fake_aws::{FaultKind, On, Schedules};
use test_support::secrecy::{assert_each_leak_is_found, shows};

use FaultKind::{Denied, DeniedExplicitly, InternalError500};

/// Plays the review of a changed template, and a health check that finds drift.
fn play() {
    in_account(async |fake| {
        fake.drift(STACK, "Topic", "MODIFIED");
        let (build, event) = pushed(fake, LOGIN, "c1");
        let others = Others::of(fake);
        deliver(fake, &event, "event").await;
        check_health_for_a_day(fake).await;
        assert!(shows("POST https://gitlab.example.com/api/v4/"));
        assert!(shows("build of a review branch"), "nothing was logged");
        check_harmless(fake, &others);
        check_note(fake, LOGIN.1, &build, NOTE_TEXT);
    });
}

/// Every secret in the search, at every place, is found in the schedule's own check.
#[test]
fn secret_at_any_place_fails_the_check_of_a_schedule() {
    let known = paused(async { fake().await.every_secret_ever().len() });
    let found = assert_each_leak_is_found(known, play);
    assert_eq!(found, 4 * 4, "the token and three sentinels");
}

/// While an operation fails, each error is logged. It contains neither the token nor a value.
#[test]
fn errors_of_each_operation_show_no_secret() {
    let mut schedules = Schedules::default();
    let operations = "GetObject DescribeStacks CreateChangeSet DescribeChangeSet DeleteChangeSet \
        GitLab.CreateNote GitLab.ListNotes";
    for kind in [Denied, DeniedExplicitly, InternalError500] {
        for operation in operations.split_whitespace() {
            schedules.run(format!("{operation}: {kind:?}"), || {
                in_account(async |fake| {
                    let (build, event) = pushed(fake, LOGIN, "c1");
                    let others = Others::of(fake);
                    fake.break_from_now(On::Operation(operation), kind);
                    deliver(fake, &event, "event").await;
                    check_health(fake, "broken health check").await;
                    fake.mend();
                    check_health_for_a_day(fake).await;
                    check_harmless(fake, &others);
                    check_note(fake, LOGIN.1, &build, "");
                });
            });
        }
    }
    schedules.report("calls that fail for hours");
}
