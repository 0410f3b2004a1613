//! One part that fails, of a report and of a GitLab, stops no other.

use crate::checks::{check, check_harmless};
use crate::fixture::{
    BRANCH, BROKEN_PROJECT, COMMITS, OTHER_PROJECT, PROJECT, Reporting, SHOP, catch_up,
    catch_up_with, check_health, deliver, fake, in_account, paused,
};
use crate::scripts::script_of;
use cfn_gitops::clients::gitlab::UnreachableGitLabs;
use fake_aws::gitlab::tags::Tag;
use fake_aws::{AwsState, FakeAws, FaultKind, On, Schedules};
use tokio::time::{Duration, Instant};

/// A part of a report and a script whose end has it.
type Part = (&'static str, &'static str);

const PARTS: [Part; 5] = [
    ("deployed", "status"),
    ("deployed", "deployment"),
    ("deployed", "address"),
    ("waiting", "approval"),
    ("waiting", "note"),
];

/// The parts that depend on an operation.
const OPERATIONS: [(&str, &[&str]); 11] = [
    ("GitLab.PostStatus", &["status", "approval"]),
    ("GitLab.ListStatuses", &["status", "approval"]),
    ("GitLab.ListDeployments", &["deployment", "address"]),
    ("GitLab.CreateDeployment", &["deployment", "address"]),
    ("GitLab.ListEnvironments", &["address"]),
    ("GitLab.UpdateEnvironment", &["address"]),
    ("GitLab.GetProject", &["deployment", "address", "note"]),
    ("GitLab.ListMergeRequests", &["note"]),
    ("GitLab.ListNotes", &["note"]),
    ("GitLab.CreateNote", &["note"]),
    ("DescribeChangeSet", &["note"]),
];

fn shows(fake: &FakeAws, part: &str) -> bool {
    let records = fake.look(|aws| aws.gitlab.named(PROJECT).records.clone());
    let has_status = |name: &str| records.statuses.iter().any(|one| one.name == name);
    match part {
        "status" => has_status(&SHOP.status()),
        "approval" => has_status(&format!("{}/approval", SHOP.status())),
        "deployment" => !records.deployments.is_empty(),
        "address" => records
            .environments
            .iter()
            .any(|one| one.external_url.is_some()),
        _ => records.notes.iter().any(|one| one.body.contains("Orders")),
    }
}

#[test]
fn part_that_fails_stops_no_other() {
    let mut schedules = Schedules::default();
    for (operation, dependent) in OPERATIONS {
        for (script, part) in PARTS
            .into_iter()
            .filter(|(_, part)| !dependent.contains(part))
        {
            for kind in [
                FaultKind::InternalError500,
                FaultKind::RequestLost,
                FaultKind::Denied,
            ] {
                schedules.run(format!("{part} without {operation}: {kind:?}"), || {
                    in_account(async |fake| {
                        fake.break_from_now(On::Operation(operation), kind);
                        let script = script_of(script);
                        script.play_with(fake, 0, || {}).await;
                        assert!(shows(fake, part), "{part}");
                        check_harmless(fake);
                        fake.mend();
                        catch_up(fake, SHOP, "health check").await;
                        check(fake, SHOP, &script.expected);
                    });
                });
            }
        }
    }
    schedules.report("parts of reports that fail");
}

/// GitLab rejects the statuses of such a branch.
#[test]
fn note_is_written_if_a_tag_has_the_name_of_the_branch() {
    in_account(async |fake| {
        fake.change(|aws| {
            let tags = &mut aws.gitlab.project_mut(PROJECT).records.tags.all;
            tags.insert(BRANCH.to_owned(), Tag::lightweight(COMMITS[1]));
        });
        script_of("waiting").play_with(fake, 0, || {}).await;
        assert!(shows(fake, "note") && !shows(fake, "status"));
    });
}

#[test]
fn broken_request_does_not_stop_the_endings_of_other_notes() {
    let waits = |fake: &FakeAws| {
        let records = fake.look(|aws| aws.gitlab.named(PROJECT).records.clone());
        let waiting = records.notes.into_iter();
        let waiting = waiting.filter(|one| one.body.contains("wait for an approval"));
        waiting.map(|one| one.place).collect::<Vec<_>>()
    };
    for broken in [4, 5] {
        in_account(async |fake| {
            let steps = script_of("deployed").steps;
            for (at, step) in steps.iter().enumerate() {
                step.take(fake, SHOP).await;
                if waits(fake).len() > 1 {
                    fake.change(|aws| aws.gitlab.broken_merge_requests.insert(broken));
                }
                if step.has_event() {
                    deliver(fake, SHOP, step.subject(), &format!("event-{at}")).await;
                }
            }
            assert_eq!(waits(fake), [format!("merge_requests/{broken}")]);
            fake.change(|aws| aws.gitlab.broken_merge_requests.clear());
            catch_up(fake, SHOP, "health check").await;
            assert_eq!(waits(fake), Vec::<String>::new());
        });
    }
}

/// CloudFormation has deleted its change set with it.
#[test]
fn approval_of_a_deleted_stack_is_shown() {
    in_account(async |fake| {
        let script = script_of("waiting");
        let delete = |aws: &mut AwsState| {
            let (now, key) = (aws.now, SHOP.change_set());
            let stack = aws.stacks.named_mut(&key.0).expect("a stack");
            stack.arrange("DELETE_COMPLETE", None, None, now);
            aws.stacks.change_sets.remove(&key);
        };
        let last = script.steps.len() - 1;
        script.play_with(fake, last, || fake.change(delete)).await;
        assert!(shows(fake, "approval") && !shows(fake, "note"));
        assert_eq!(catch_up(fake, SHOP, "health check").await, 0);
    });
}

fn project(project_id: &'static str, project: &'static str) -> Reporting {
    Reporting {
        project_id,
        project,
        ..SHOP
    }
}

#[test]
fn broken_project_stops_no_reports_of_others() {
    const KINDS: [FaultKind; 3] = [
        FaultKind::InternalError500,
        FaultKind::Throttled,
        FaultKind::AnswerLost,
    ];
    for kind in KINDS {
        paused(async {
            let others = ["apple", "kiwi", "pear"].map(|id| project(id, PROJECT));
            // The health check checks pipelines at once and in turns, so the broken one is among
            // them.
            let broken = ["cherry", "zucchini"].map(|id| project(id, BROKEN_PROJECT));
            let all = [&others[..], &broken].concat();
            let fake = fake(&all).await;
            for step in script_of("deployed").steps {
                for of in &all {
                    step.take(&fake, *of).await;
                }
            }
            fake.break_from_now(On::Project(BROKEN_PROJECT), kind);
            check_health(&fake).await;
            let records = fake.look(|aws| aws.gitlab.named(PROJECT).records.clone());
            for of in others {
                let shown = records.current(COMMITS[0], &of.status());
                assert_eq!(shown.last().map(|it| it.state), Some("success"), "{of:?}");
            }
        });
    }
}

/// The third one is not waited for, and its error has the cause.
#[test]
fn gitlab_is_unreachable_after_errors_of_two_projects() {
    for kind in [FaultKind::InternalError500, FaultKind::RequestHangs] {
        paused(skip_after_two(kind));
    }
}

async fn skip_after_two(kind: FaultKind) {
    let all = [
        project("apple", BROKEN_PROJECT),
        project("kiwi", OTHER_PROJECT),
        SHOP,
    ];
    let fake = fake(&all).await;
    for script in ["deployed", "waiting"] {
        for step in script_of(script).steps {
            for of in all {
                step.take(&fake, of).await;
            }
        }
    }
    for project in [BROKEN_PROJECT, OTHER_PROJECT] {
        fake.break_from_now(On::Project(project), kind);
    }
    let (unreachable, begun) = (UnreachableGitLabs::default(), Instant::now());
    for of in &all[..2] {
        let reports = catch_up_with(&fake, *of, of.project_id, &unreachable).await;
        assert!(reports.expect("executions")[0].failed.len() > 1);
    }
    let skipped = catch_up_with(&fake, SHOP, "skipped", &unreachable).await;
    let error = skipped.expect_err("skipped").to_string();
    let cause = "skipped, because https://gitlab.example.com does not respond";
    assert!(
        error.contains("codepipeline-dev-cfn-shop") && error.contains(cause),
        "{error}"
    );
    assert!(
        begun.elapsed() < Duration::from_mins(15),
        "{:?}",
        begun.elapsed()
    );
}
