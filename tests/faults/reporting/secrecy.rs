//! No secret is in a log line, in a request to GitLab or in a result of the function.

use crate::checks::check;
use crate::fixture::{SHOP, catch_up, fake, in_account, paused};
use crate::scenarios::scenario;
use test_support::secrecy::{assert_each_leak_is_found, shows};

/// An output of the deployed stack that is not the environment's address.
pub const OUTPUT: &str = "SentinelOfAnOutput/+=";

/// Plays the story of a note with a change set, and the health check.
fn play() {
    let waiting = scenario("report_waiting");
    in_account(async |fake| {
        waiting.play(fake).await;
        catch_up(fake, SHOP, "health check").await;
        assert!(shows("POST https://gitlab.example.com/api/v4/"));
        assert!(shows("pipeline execution"), "nothing was logged");
        check(fake, SHOP, &waiting.expected());
    });
}

/// Every secret in the search, at every place, is found in the schedule's own check.
#[test]
fn secret_at_any_place_fails_the_check_of_a_schedule() {
    let known = paused(async { fake(&[SHOP]).await.every_secret_ever().len() });
    let found = assert_each_leak_is_found(known, play);
    assert_eq!(found, 4 * 5, "the token and four sentinels");
}
