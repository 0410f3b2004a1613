//! GitLab CI creates another pipeline of the commit between two calls: a schedule, or "Run
//! pipeline". GitLab adds a status to the newest pipeline, unless the request names another one.

use std::time::Duration;

use crate::checks::check_pipelines;
use crate::fixture::{COMMITS, SHOP, catch_up, fake, in_account, paused, records_of};
use crate::scripts::{Script, script_of, scripts};
use fake_aws::gitlab::records::CiRuns;
use fake_aws::{FakeAws, Schedules, Service};

pub fn run_ci(fake: &FakeAws, runs: CiRuns) {
    fake.change(|aws| records_of(aws).ci_runs = runs);
}

/// Plays the script with every event.
async fn play(script: &Script, runs: CiRuns) -> FakeAws {
    let fake = fake(&[SHOP]).await;
    run_ci(&fake, runs);
    script.play(&fake).await;
    fake
}

/// The number of calls that a script makes of GitLab.
fn calls(script: &Script) -> usize {
    paused(async {
        let fake = play(script, CiRuns::Never).await;
        let journal = fake.journal();
        let of_gitlab = journal.iter().filter(|one| one.service == Service::GitLab);
        of_gitlab.count()
    })
}

#[test]
fn pipeline_of_gitlab_ci_at_each_call_leaves_nothing_open() {
    let mut schedules = Schedules::default();
    for script in scripts() {
        let each = (0..calls(&script)).map(CiRuns::At).chain([CiRuns::Always]);
        for runs in each {
            schedules.run(format!("{}: {runs:?}", script.name), || {
                paused(async {
                    let fake = play(&script, runs).await;
                    script.ends_for_good(&fake).await;
                    check_pipelines(&fake, &script.expected);
                });
            });
        }
    }
    let schedules = schedules.report("pipelines of GitLab CI at calls of reports");
    assert!(schedules > 200);
}

/// GitLab changes nothing in an archived pipeline: an open status remains open there.
#[test]
fn status_of_an_archived_pipeline_goes_to_the_newest() {
    let mut schedules = Schedules::default();
    for script in scripts() {
        for at in 1..script.steps.len() {
            schedules.run(format!("{}: archived at {at}", script.name), || {
                in_account(async |fake| {
                    script.play_steps(fake, 0..at).await;
                    fake.change(|aws| {
                        for pipeline in &mut records_of(aws).pipelines {
                            pipeline.is_archived = true;
                        }
                    });
                    script.play_steps(fake, at..script.steps.len()).await;
                    script.ends(fake).await;
                });
            });
        }
    }
    schedules.report("archived pipelines");
}

/// A push to the branch of a project with a `.gitlab-ci.yml`, while an approval waits for days.
#[test]
fn statuses_that_gitlab_ci_canceled_are_posted_again() {
    in_account(async |fake| {
        let script = script_of("waiting");
        script.play(fake).await;
        tokio::time::sleep(Duration::from_hours(50)).await;
        let commit = COMMITS[script.expected[0].commit];
        fake.change(|aws| records_of(aws).cancel_redundant(commit));
        assert_eq!(catch_up(fake, SHOP, "health check").await, 2);
        script.ends_for_good(fake).await;
    });
}
