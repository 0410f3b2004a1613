//! The scenarios without faults, and their calls.

use std::time::Duration;

use tokio::time::Instant;

use crate::fixture::{
    bare, fake, in_account_with, late, login, mirror, options, properties, serial, stack, with,
};
use crate::scenarios::scenarios;
use fake_aws::explore::paused;
use fake_aws::gitlab::Language;
use fake_aws::secrets::versions::AbandonedBy;
use fake_aws::{Options, Schedules, Service};

/// The same AWS and GitLab on other days, and in other versions.
fn kinds_of_days() -> Vec<(&'static str, Options)> {
    let day = |name, change: fn(&mut Options)| (name, options(change));
    vec![
        day("the default", |_| {}),
        day("an older GitLab that takes one address twice", |options| {
            options.gitlab.unique_urls = false;
        }),
        day("a free GitLab", |options| options.gitlab.premium = false),
        day("pushes that take a minute and a half", |options| {
            options.sync_takes = Duration::from_secs(90);
        }),
        day("IAM late", |options| *options = late()),
        day("new users, repositories and secrets late", |options| {
            options.new_things_late = Duration::from_secs(8);
        }),
        day("descriptions of secrets late", |options| {
            options.secrets_late = Duration::from_millis(1500);
        }),
        day("short pages", |options| options.page_length = Some(1)),
        day("GitLab in Japanese", |options| {
            options.gitlab.language = Language::Japanese;
        }),
        day("GitLab in German", |options| {
            options.gitlab.language = Language::German;
        }),
        day("GitLab in Polish", |options| {
            options.gitlab.language = Language::Polish;
        }),
        day("AWSPENDING stays", |options| {
            options.pending.goes_with_current = false;
            options.pending.abandoned_by = AbandonedBy::Nothing;
        }),
        day("AWSPENDING goes with any version", |options| {
            options.pending.abandoned_by = AbandonedBy::Any;
        }),
    ]
}

#[test]
fn every_scenario_succeeds_with_every_option() {
    let mut schedules = Schedules::default();
    for (day, options) in kinds_of_days() {
        for mut scenario in scenarios() {
            // Protections of a group are a feature of the paid editions.
            let has_groups = format!("{:?}", scenario.story).contains("a group ");
            if !options.gitlab.premium && has_groups {
                continue;
            }
            for delivers_twice in [false, true] {
                scenario.delivers_twice = delivers_twice;
                let name = format!("{day}, {}, twice {delivers_twice}", scenario.story.name);
                schedules.run(name, || {
                    paused(scenario.play(options.clone(), &[]));
                });
            }
        }
    }
    schedules.finish();
}

#[test]
fn late_copies_of_requests_change_nothing() {
    let mut schedules = Schedules::one_in(1);
    // Requests are ordered by the second in which they were signed.
    let options = options(|options| options.latency = Duration::from_millis(300));
    for mut scenario in scenarios() {
        scenario.repeats_late = true;
        schedules.run(scenario.story.name.clone(), || {
            paused(scenario.play(options.clone(), &[]));
        });
    }
    schedules.report("stories with late copies of all requests");
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
