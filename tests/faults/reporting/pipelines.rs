//! GitLab CI creates another pipeline of the commit between two calls: a schedule, or "Run
//! pipeline". GitLab adds a status to the newest pipeline, unless the request names another one.

use crate::checks::check_pipelines;
use crate::fixture::{SHOP, fake, in_account, paused, records_of};
use crate::scenarios::{Scenario, scenarios};
use fake_aws::gitlab::records::CiRuns;
use fake_aws::{FakeAws, Schedules, Service};

pub fn run_ci(fake: &FakeAws, runs: CiRuns) {
    fake.change(|aws| records_of(aws).ci_runs = runs);
}

/// Plays the story with every event.
async fn play(scenario: &Scenario, runs: CiRuns) -> FakeAws {
    let fake = fake(&[SHOP]).await;
    run_ci(&fake, runs);
    scenario.play(&fake).await;
    fake
}

/// The number of calls that a story makes of GitLab.
fn calls(scenario: &Scenario) -> usize {
    paused(async {
        let fake = play(scenario, CiRuns::Never).await;
        let journal = fake.journal();
        let of_gitlab = journal.iter().filter(|one| one.service == Service::GitLab);
        of_gitlab.count()
    })
}

#[test]
fn pipeline_of_gitlab_ci_at_each_call_leaves_nothing_open() {
    let mut schedules = Schedules::one_in(14);
    for scenario in scenarios() {
        let each = (0..calls(scenario)).map(CiRuns::At).chain([CiRuns::Always]);
        for runs in each {
            schedules.run(format!("{}: {runs:?}", scenario.name()), || {
                paused(async {
                    let fake = play(scenario, runs).await;
                    scenario.ends_for_good(&fake).await;
                    check_pipelines(&fake, &scenario.expected());
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
    let mut schedules = Schedules::one_in(14);
    for scenario in scenarios() {
        for at in 1..scenario.actions.len() {
            schedules.run(format!("{}: archived at {at}", scenario.name()), || {
                in_account(async |fake| {
                    scenario.play_some(fake, 0..at).await;
                    fake.change(|aws| {
                        for pipeline in &mut records_of(aws).pipelines {
                            pipeline.is_archived = true;
                        }
                    });
                    scenario.play_some(fake, at..scenario.actions.len()).await;
                    scenario.ends(fake).await;
                });
            });
        }
    }
    schedules.report("archived pipelines");
}
