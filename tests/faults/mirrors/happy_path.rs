//! The stories without faults in kind and unkind worlds, and their calls.

use std::time::Duration;

use tokio::time::Instant;

use crate::fixture::{bare, fake, in_account_with, login, mirror, properties, serial, stack, with};
use crate::scenarios::Mirrors;
use fake_aws::explore::paused;
use fake_aws::{Options, Service};
use test_support::worlds::play_in_each_world;

#[test]
fn every_story_has_the_same_end_in_unkind_worlds() {
    play_in_each_world::<Mirrors>("stories of mirrors");
}

/// How long a Create, a new password and a Delete take with a mirror of each of `count` projects,
/// if each call takes 20 ms and each push 10 s.
async fn durations(count: usize) -> [Duration; 3] {
    let fake = fake(Options {
        latency: Duration::from_millis(20),
        sync_takes: Duration::from_secs(10),
        ..Options::default()
    });
    let mirrors = (0..count).map(|number| {
        let project = format!("platform/many/{number}");
        let repository = format!("many-{number}");
        fake.repository(&repository);
        fake.gitlab_project(&project, &["main"]);
        fake.protect(&project, &["main"]);
        mirror(&project, &repository)
    });
    let properties = with(properties(), "Mirrors", mirrors.collect());
    let mut stack = stack(&fake);
    let start = Instant::now();
    stack.create(&properties).await.assert_success();
    let created = Instant::now();
    let update = stack.update(&serial(&properties, 2), None).await;
    update.assert_success();
    let changed = Instant::now();
    stack.delete().await.assert_success();
    let [create, delete] = ["1-Create.1", "3-Delete.1"].map(|caller| {
        fake.round_trips(|call| {
            // Every second password has a `/`, and is reset.
            let is_reset = call.operation == "ResetServiceSpecificCredential";
            call.caller == caller && call.service.has_policies() && !is_reset
        })
    });
    fake_aws::figure!("round trips with {count} mirrors: Create {create}, Delete {delete}");
    assert!(create <= 7 && delete <= 5);
    [created - start, changed - created, changed.elapsed()]
}

#[test]
fn ten_mirrors_take_at_most_twice_as_long_as_one() {
    paused(async {
        let (one, ten) = (durations(1).await, durations(10).await);
        fake_aws::figure!("Create, new password and Delete: one {one:?}, ten {ten:?}");
        for (one, ten) in one.into_iter().zip(ten) {
            assert!(ten <= one * 2, "one {one:?}, ten {ten:?}");
        }
    });
}

#[test]
fn round_trips_of_each_request_are_bounded() {
    for (properties, what, most) in [
        (bare(), "", [5, 1, 4]),
        // The verification of the login runs beside the last calls of the Create.
        (login(), " with a repository", [5, 2, 4]),
    ] {
        let options = Options {
            latency: Duration::from_millis(20),
            plain_passwords: true,
            ..Options::default()
        };
        in_account_with(options, async |fake, stack, _| {
            stack.create(&properties).await.assert_success();
            stack.update(&properties, None).await.assert_success();
            stack.delete().await.assert_success();
            for (request, most) in ["1-Create", "2-Update", "3-Delete"].into_iter().zip(most) {
                // Without the answer's.
                let trips = fake.round_trips(|call| {
                    let caller = call.caller.strip_suffix(".1");
                    caller == Some(request) && call.service != Service::ResponseBucket
                });
                fake_aws::figure!("round trips{what}: {request} {trips}");
                assert!(trips <= most);
            }
        });
    }
}
