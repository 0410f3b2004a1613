//! GitLab CI creates another pipeline of the commit between two calls: a schedule, or "Run
//! pipeline". GitLab adds a status to the newest pipeline, unless the request names another one.

use crate::checks::{check, check_pipelines, check_with_notes};
use crate::fixture::{PROJECT, SHOP, catch_up, deliver_once, fake, in_account, paused};
use crate::scripts::{Script, scripts};
use fake_aws::extent::some_or;
use fake_aws::gitlab::records::CiRuns;
use fake_aws::{FakeAws, Schedule, Schedules, Service, sample};

/// Orders at random of two deliveries.
const SAMPLES: u64 = 12;

fn run_ci(fake: &FakeAws, runs: CiRuns) {
    fake.change(|aws| aws.gitlab.project_mut(PROJECT).records.ci_runs = runs);
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
                    catch_up(&fake, SHOP, "health check").await;
                    check(&fake, SHOP, &script.expected);
                    check_pipelines(&fake, &script.expected);
                    let posted = catch_up(&fake, SHOP, "second health check").await;
                    assert_eq!(posted, 0, "posted again");
                });
            });
        }
    }
    let schedules = schedules.report("pipelines of GitLab CI at calls of reports");
    assert!(schedules > 200);
}

/// Two deliveries at once may post the first status twice, to two pipelines.
#[test]
fn first_status_in_two_pipelines_ends_in_both() {
    let mut orders = 0;
    for script in scripts() {
        for at in 0..script.steps.len() {
            let step = script.steps[at];
            if !step.has_event() {
                continue;
            }
            let samples = some_or(SAMPLES / 3, 400);
            orders += sample(samples, 0, async |schedule: Schedule| {
                let fake = fake(&[SHOP]).await;
                script.play_steps(&fake, 0..at).await;
                step.take(&fake, SHOP).await;
                run_ci(&fake, CiRuns::Always);
                fake.obey(&schedule);
                let one = deliver_once(&fake, SHOP, step.subject(), "one");
                let other = deliver_once(&fake, SHOP, step.subject(), "other");
                schedule.both(one, other).await;
                let rest = at + 1..script.steps.len();
                script.play_steps(&fake, rest).await;
                catch_up(&fake, SHOP, "health check").await;
                check_with_notes(&fake, SHOP, &script.expected, 2);
            });
        }
    }
    fake_aws::figure!("schedules: {orders} orders of two deliveries between pipelines");
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
                        let records = &mut aws.gitlab.project_mut(PROJECT).records;
                        for pipeline in &mut records.pipelines {
                            pipeline.is_archived = true;
                        }
                    });
                    script.play_steps(fake, at..script.steps.len()).await;
                    catch_up(fake, SHOP, "health check").await;
                    check(fake, SHOP, &script.expected);
                });
            });
        }
    }
    schedules.report("archived pipelines");
}
