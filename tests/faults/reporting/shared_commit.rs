//! Several pipelines, and another bot, report to the same commit.

use crate::checks::{check, check_harmless};
use crate::fixture::{
    BRANCH, COMMITS, PROJECT, Reporting, SHOP, catch_up, check_health, deliver_once, fake,
    in_account, paused, records, records_of,
};
use crate::scenarios::{Expected, Scenario, event, ordinary, scenario, scenarios, take};
use fake_aws::gitlab::records::{OTHER_USER, OWN_USER, PERSON, Status};
use fake_aws::{FakeAws, Schedules, World};

/// The same project in another environment, from whose name GitLab guesses the tier `testing`.
const PRODUCTION: Reporting = Reporting {
    env_id: "prd",
    project_id: "shop",
    environment: "prd-printing",
    project: PROJECT,
};

/// Another project of the same repository, with an environment of its own in GitLab.
const BLOG: Reporting = Reporting {
    env_id: "dev",
    project_id: "blog",
    environment: "dev-blog",
    project: PROJECT,
};

/// Plays two stories in turn, action by action. The second one begins `after` the first one.
async fn play_both(fake: &FakeAws, both: [(Reporting, &Scenario); 2], after: usize) {
    let [(one, first), (other, second)] = both;
    let length = first.actions.len().max(second.actions.len() + after);
    for at in 0..length {
        let later = at.checked_sub(after).and_then(|at| second.actions.get(at));
        for (of, action) in [(one, first.actions.get(at)), (other, later)] {
            let Some(action) = action else { continue };
            take(action, fake, of).await;
            // Every third event is lost.
            if let Some(event) = event(action).filter(|_| at % 3 != 2) {
                let name = format!("{}-{at}", of.pipeline());
                deliver_once(fake, of, event, &name).await;
            }
        }
    }
}

#[test]
fn pipelines_of_one_commit_are_reported_side_by_side() {
    let mut schedules = Schedules::one_in(14);
    for other in [PRODUCTION, BLOG] {
        for first in ordinary() {
            for second in ordinary() {
                for after in [0, 2] {
                    let (one, two) = (first.name(), second.name());
                    let name = format!("{one}, and {two} of {other:?} {after} later");
                    schedules.run(name, || {
                        paused(async {
                            let fake = fake(&[SHOP, other]).await;
                            let both = [(SHOP, first), (other, second)];
                            play_both(&fake, both, after).await;
                            for (of, scenario) in both {
                                catch_up(&fake, of, &format!("check {}", of.pipeline())).await;
                                check(&fake, of, &scenario.expected());
                            }
                            check(&fake, SHOP, &first.expected());
                        });
                    });
                }
            }
        }
    }
    schedules.report("pairs of pipelines of one commit");
}

/// GitLab shows the last one that is posted, of any user. So the function's own status is there,
/// even if GitLab marks it as retried, and it does not post it again.
#[test]
fn status_of_another_bot_is_left_alone() {
    let mut schedules = Schedules::one_in(14);
    for scenario in scenarios() {
        for at in 0..scenario.actions.len() {
            for state in ["pending", "running", "success", "failed"] {
                schedules.run(format!("{}: {state} at {at}", scenario.name()), || {
                    in_account(async |fake| {
                        let post = || post_as(fake, OTHER_USER, state, "");
                        scenario.play_with(fake, at, post).await;
                        catch_up(fake, SHOP, "health check").await;
                        let posted = catch_up(fake, SHOP, "second health check").await;
                        assert_eq!(posted, 0, "posted again");
                        check_harmless(fake);
                        for expected in scenario.expected() {
                            check_own(fake, &expected);
                        }
                    });
                });
            }
        }
    }
    schedules.report("statuses of another bot");
}

/// The latest status that the function has posted is the expected one. An open one may be the other
/// bot's: GitLab would reject the same state.
fn check_own(fake: &FakeAws, expected: &Expected) {
    let records = records(fake);
    let own = records.statuses.iter().filter(|one| {
        let is_own = (&*one.sha, one.user) == (COMMITS[expected.commit], OWN_USER);
        is_own && one.name == SHOP.status()
    });
    let latest = { own }.next_back().map(|own| own.state);
    let is_known = !expected.status.is_empty() && expected.status != "running";
    assert!(
        !is_known || latest == Some(&*expected.status),
        "{records:#?}"
    );
}

/// A Developer may post a status of any name with any address.
#[test]
fn status_of_a_person_hides_no_failure() {
    let other_region =
        "https://us-east-1.console.aws.amazon.com/codesuite/executions/e1/timeline#123456789012";
    for address in ["", "https://ci.example.com/1", other_region] {
        in_account(async |fake| {
            let failed = scenario("report_ends: failed deployment");
            failed.play(fake).await;
            let shown = |fake: &FakeAws| {
                let records = records(fake);
                let current = records.current(COMMITS[0], &SHOP.status());
                current.last().map(|one| (one.state, one.description.clone()))
            };
            let own = shown(fake);
            post_as(fake, PERSON, "success", address);
            assert_eq!(catch_up(fake, SHOP, "health check").await, 1);
            assert_eq!(shown(fake), own);
            // The health check replaces it once for each attempt.
            post_as(fake, PERSON, "success", address);
            let summary = check_health(fake).await;
            assert_eq!(catch_up(fake, SHOP, "third health check").await, 0);
            assert_ne!(shown(fake), own);
            let found = summary["Unhealthy"].to_string();
            assert!(
                found.contains(
                    "user 9 of its GitLab reports to its project in GitLab as dev/shop. Each commit"
                ),
                "{found}"
            );
        });
    }
}

fn post_as(fake: &FakeAws, user: u64, state: &'static str, address: &str) {
    fake.change(|aws| {
        let posted = Status {
            id: 0,
            pipeline: 0,
            sha: COMMITS[0].to_owned(),
            name: SHOP.status(),
            state,
            reference: BRANCH.to_owned(),
            description: String::new(),
            target_url: address.to_owned(),
            user,
            is_retried: false,
        };
        let posted = records_of(aws).post_status(posted, None);
        posted.expect("a new status");
    });
}

/// GitLab CI deploys the same commits to the same environment, at any time.
#[test]
fn deployments_of_gitlab_ci_are_neither_found_nor_too_large() {
    for (before, after) in [(0, 1), (60, 0), (60, 15)] {
        in_account(async |fake| {
            let deployed = scenario("report_ends: deployed");
            let deploy_by_ci = |count| {
                fake.change(|aws| {
                    let now = World::instant(aws.now);
                    let records = records_of(aws);
                    for _ in 0..count {
                        let (environment, sha) = (SHOP.environment, COMMITS[0]);
                        records.create_deployment(environment, sha, BRANCH, "failed", &now);
                        let created = records.deployments.last_mut().expect("just created");
                        created.is_from_ci = true;
                    }
                });
            };
            deploy_by_ci(before);
            deployed.play(fake).await;
            deploy_by_ci(after);
            let posted = catch_up(fake, SHOP, "health check").await;
            let mut deployments = records(fake).deployments;
            deployments.retain(|one| !one.is_from_ci);
            assert_eq!((posted, deployments.len()), (0, 1), "{before} {after}");
        });
    }
}
