//! One part that fails, of a report and of a GitLab, stops no other.

use expect_test::expect;

use crate::checks::check_harmless;
use crate::fixture::{
    BRANCH, BROKEN_PROJECT, COMMITS, NUMBER, OTHER_PROJECT, PROJECT, Reporting, SHOP, catch_up,
    catch_up_with, check_health, deliver, fake, in_account, paused, records, records_of, shown,
};
use crate::notes::notes;
use crate::scenarios::{event, play_steps, scenario, take, take_all};
use crate::steps::{ReportWord, waiting};
use cfn_gitops::clients::gitlab::UnreachableGitLabs;
use fake_aws::gitlab::Firewall;
use fake_aws::{AwsState, FakeAws, Fault, FaultKind, On, Schedules};
use tokio::time::{Duration, Instant, sleep};

use FaultKind::{AnswerLost, Denied, InternalError500, RequestHangs, RequestLost, Throttled};

const DEPLOYED: &str = "report_ends: deployed";

/// A part of a report and a story whose end has it.
type Part = (&'static str, &'static str);

const PARTS: [Part; 5] = [
    (DEPLOYED, "status"),
    (DEPLOYED, "deployment"),
    (DEPLOYED, "address"),
    ("report_waiting", "approval"),
    ("report_waiting", "note"),
];

/// The parts that depend on an operation.
const OPERATIONS: [(&str, &[&str]); 11] = [
    ("GitLab.PostStatus", &["status", "approval"]),
    ("GitLab.ListStatuses", &["status", "approval"]),
    ("GitLab.ListDeployments", &["deployment", "address"]),
    ("GitLab.CreateDeployment", &["deployment", "address"]),
    ("GitLab.ListEnvironments", &["address"]),
    ("GitLab.UpdateEnvironment", &["address"]),
    ("GitLab.GetProject", &["note"]),
    ("GitLab.ListMergeRequests", &["note"]),
    ("GitLab.ListNotes", &["note"]),
    ("GitLab.CreateNote", &["note"]),
    ("DescribeChangeSet", &["note"]),
];

fn shows(fake: &FakeAws, part: &str) -> bool {
    let records = records(fake);
    let has_status = |name: &str| records.statuses.iter().any(|one| one.name == name);
    let mut environments = records.environments.iter();
    match part {
        "status" => has_status(&SHOP.status()),
        "approval" => has_status(&format!("{}/approval", SHOP.status())),
        "failed" => records.statuses.iter().any(|one| one.state == "failed"),
        "deployment" => !records.deployments.is_empty(),
        "address" => environments.any(|one| one.external_url.is_some()),
        _ => records.notes.iter().any(|one| one.body.contains("Orders")),
    }
}

#[test]
fn part_that_fails_stops_no_other() {
    let mut schedules = Schedules::default();
    for (operation, dependent) in OPERATIONS {
        let is_independent = |(_, part): &Part| !dependent.contains(part);
        for (story, part) in PARTS.into_iter().filter(is_independent) {
            for kind in [InternalError500, RequestLost, Denied] {
                schedules.run(format!("{part} without {operation}: {kind:?}"), || {
                    in_account(async |fake| {
                        fake.break_from_now(On::Operation(operation), kind);
                        let scenario = scenario(story);
                        scenario.play_with(fake, 0, || {}).await;
                        assert!(shows(fake, part), "{part}");
                        check_harmless(fake);
                        fake.mend();
                        scenario.ends(fake).await;
                    });
                });
            }
        }
    }
    schedules.report("parts of reports that fail");
}

/// Its alarm failed, so its execution failed, and no later one has succeeded. The events of the
/// former execution were lost.
#[test]
fn deployment_whose_execution_failed_is_the_present_one() {
    in_account(async |fake| {
        for step in waiting("e1", 0).into_iter().chain(deployed("e1", "Succeeded")) {
            step.take(fake, SHOP).await;
        }
        let later = waiting("e2", 1).into_iter().chain(deployed("e2", "Failed"));
        play_steps(fake, &later.collect::<Vec<_>>(), |_| ()).await;
        for check in ["health check", "second health check"] {
            catch_up(fake, SHOP, check).await;
            let last = records(fake).deployments.pop().expect("a record");
            assert_eq!((&*last.sha, last.state), (COMMITS[1], "success"), "{check}");
        }
    });
}

fn deployed(id: &'static str, status: &'static str) -> [ReportWord; 3] {
    [
        ReportWord::Approve(id),
        ReportWord::Deployed(id, None),
        ReportWord::End(id, status),
    ]
}

/// A request is repeated after two seconds. Another delivery may have posted the later state before.
#[test]
fn state_that_ended_during_a_pause_is_not_posted() {
    in_account(async |fake| {
        for step in waiting("e1", 0) {
            step.take(fake, SHOP).await;
        }
        fake.inject("one", Fault::on("GitLab.PostStatus", 1, InternalError500));
        let end = async {
            sleep(Duration::from_secs(1)).await;
            ReportWord::End("e1", "Stopped").take(fake, SHOP).await;
        };
        tokio::join!(catch_up(fake, SHOP, "one"), end);
        // The first two, and the ends of both.
        assert_eq!(fake.count("GitLab.PostStatus"), 4);
        assert_eq!(fake.faults_left(), 0);
    });
}

/// The longest time until a part that does not hang is shown.
const SOON: Duration = Duration::from_secs(30);

/// Operations that hang, and parts of a health check's report that do not depend on them.
#[test]
fn part_that_hangs_delays_no_other() {
    const FAILED_BUILD: &str = "report_failed_build: once";
    const FAILED: &str = "report_failed_resources: two resources";
    let of_notes = ["GitLab.ListNotes", "GitLab.CreateNote", "GitLab.GetProject"];
    let of_statuses = ["GitLab.ListStatuses", "GitLab.PostStatus"];
    let requests = ["GitLab.ListMergeRequests"];
    let of_records = ["GitLab.ListDeployments", "GitLab.CreateDeployment"];
    let of_environments = ["GitLab.ListEnvironments", "GitLab.UpdateEnvironment"];
    let of_cause = ["DescribeStackEvents", "DescribeStacks", "BatchGetBuilds"];
    let rows: [(Part, &[&[&str]]); 7] = [
        ((DEPLOYED, "status"), &[&of_records, &of_environments]),
        ((DEPLOYED, "deployment"), &[&of_statuses, &of_environments]),
        ((DEPLOYED, "address"), &[&of_statuses]),
        (("report_waiting", "approval"), &[&of_notes, &requests]),
        (("report_waiting", "note"), &[&of_statuses]),
        ((FAILED_BUILD, "failed"), &[&of_notes, &requests, &of_cause]),
        (
            (FAILED, "failed"),
            &[&of_notes, &requests, &of_records, &of_cause],
        ),
    ];
    let mut schedules = Schedules::default();
    for (part, hanging) in rows {
        for operation in hanging.iter().copied().flatten() {
            schedules.run(format!("{part:?} while {operation} hangs"), || {
                assert_shown_soon(part, operation);
            });
        }
    }
    schedules.report("parts of reports that hang");
}

fn assert_shown_soon((story, part): Part, hanging: &'static str) {
    in_account(async |fake| {
        take_all(fake, story, &[SHOP]).await;
        report_while_hanging(fake, part, hanging).await;
    });
}

/// Fails unless the health check reports `part` soon, although an operation hangs.
async fn report_while_hanging(fake: &FakeAws, part: &str, hanging: &'static str) {
    fake.break_from_now(On::Operation(hanging), RequestHangs);
    let unreachable = UnreachableGitLabs::default();
    let report = catch_up_with(fake, SHOP, "health check", &unreachable);
    let is_shown = async {
        while !shows(fake, part) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (report, is_shown) = tokio::join!(report, tokio::time::timeout(SOON, is_shown));
    report.expect("executions");
    is_shown.expect("shown soon");
    fake.mend();
}

#[test]
fn record_is_skipped_if_its_part_is_switched_off() {
    for part in ["environments", "builds"] {
        in_account(async |fake| {
            fake.change(|aws| records_of(aws).switched_off.insert(part));
            scenario(DEPLOYED).play_with(fake, 0, || {}).await;
            assert!(shows(fake, "status") && !shows(fake, "deployment"));
            assert_eq!(catch_up(fake, SHOP, "health check").await, 0);
        });
    }
}

/// The length of the whole note of the story.
fn length_of_note() -> usize {
    in_account(async |fake| {
        scenario("report_waiting").play_with(fake, 0, || {}).await;
        notes(fake)[0].len()
    })
}

/// State, links and numbers pass a firewall that rejects the rest, until it passes all.
#[test]
fn firewall_that_rejects_a_text_stops_no_state() {
    const FAILED_BUILD: &str = "report_failed_build: once";
    for (story, part, firewall) in [
        ("report_waiting", "approval", Firewall::Text("Orders")),
        (
            "report_waiting",
            "approval",
            Firewall::Above(length_of_note() - 1),
        ),
        (FAILED_BUILD, "failed", Firewall::Text("tests failed")),
    ] {
        in_account(async |fake| {
            fake.options(|options| options.gitlab.firewall = Some(firewall));
            scenario(story).play_with(fake, 0, || {}).await;
            let is_short = |fake: &FakeAws| {
                let notes = notes(fake);
                let is_short = |note: &String| note.contains("rejects the whole note");
                !notes.is_empty() && notes.iter().all(is_short)
            };
            assert!(shows(fake, part) && is_short(fake), "{firewall:?}");
            assert_eq!(catch_up(fake, SHOP, "health check").await, 0);
            fake.options(|options| options.gitlab.firewall = None);
            catch_up(fake, SHOP, "health check without it").await;
            assert_eq!(is_short(fake), part == "failed", "{firewall:?}");
        });
    }
}

/// GitLab rejects the statuses of such a branch.
#[test]
fn note_is_written_if_a_tag_has_the_name_of_the_branch() {
    in_account(async |fake| {
        fake.change(|aws| {
            let tags = &mut records_of(aws).tags;
            tags.insert(BRANCH.to_owned(), COMMITS[1].to_owned());
        });
        scenario("report_waiting").play_with(fake, 0, || {}).await;
        assert!(shows(fake, "note") && !shows(fake, "status"));
    });
}

#[test]
fn broken_request_does_not_stop_the_endings_of_other_notes() {
    let waits = |fake: &FakeAws| {
        let waiting = records(fake).notes.into_iter();
        let waiting = waiting.filter(|one| one.body.contains("wait for an approval"));
        waiting.map(|one| one.place).collect::<Vec<_>>()
    };
    for broken in [4, 5] {
        in_account(async |fake| {
            for (at, action) in scenario(DEPLOYED).actions.iter().enumerate() {
                take(action, fake, SHOP).await;
                if waits(fake).len() > 1 {
                    fake.change(|aws| aws.gitlab.broken_merge_requests.insert(broken));
                }
                if let Some(event) = event(action) {
                    deliver(fake, SHOP, event, &format!("event-{at}")).await;
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
        let delete = |aws: &mut AwsState| {
            let (now, key) = (aws.now, SHOP.change_set());
            let stack = aws.stacks.named_mut(&key.0).expect("a stack");
            stack.arrange("DELETE_COMPLETE", None, None, now);
            aws.stacks.change_sets.remove(&key);
        };
        let deletes = |step| {
            if matches!(step, ReportWord::Request(_)) {
                fake.change(delete);
            }
        };
        play_steps(fake, &waiting("e1", 1), deletes).await;
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
    for kind in [InternalError500, Throttled, AnswerLost] {
        paused(async {
            let others = ["apple", "kiwi", "pear"].map(|id| project(id, PROJECT));
            // The health check checks pipelines at once and in turns, so the broken one is among
            // them.
            let broken = ["cherry", "zucchini"].map(|id| project(id, BROKEN_PROJECT));
            let all = [&others[..], &broken].concat();
            let fake = fake(&all).await;
            take_all(&fake, DEPLOYED, &all).await;
            fake.break_from_now(On::Project(BROKEN_PROJECT), kind);
            check_health(&fake).await;
            for of in others {
                assert_eq!(shown(&fake, of), Some("success"), "{of:?}");
            }
        });
    }
}

/// One pipeline names its project by a path, and another one by the number.
#[test]
fn renamed_project_has_all_reports() {
    for is_claimed in [false, true] {
        paused(async {
            let both = [("shop", PROJECT), ("blog", NUMBER)].map(|(id, name)| Reporting {
                environment: id,
                ..project(id, name)
            });
            let fake = fake(&both).await;
            take_all(&fake, DEPLOYED, &both).await;
            if is_claimed {
                fake.pass_path(PROJECT, "platform/renamed");
            } else {
                fake.move_project(PROJECT, "platform/renamed");
            }
            check_health(&fake).await;
            for of in both {
                assert_eq!(shown(&fake, of), Some("success"), "{of:?}");
            }
            fake.look(|aws| {
                let other = aws.gitlab.projects.get(&99);
                assert!(other.is_none_or(|other| other.records.is_unwritten()));
            });
            fake.assert_unbroken();
        });
    }
}

/// The third one is not waited for, and its error has the cause.
#[test]
fn gitlab_is_unreachable_after_errors_of_two_projects() {
    let errors = [InternalError500, RequestHangs].map(|kind| paused(skip_after_two(kind)));
    expect![[r#"
        reporting pipeline codepipeline-dev-cfn-shop to GitLab: skipped, because https://gitlab.example.com does not respond as expected. The last request was reading status cfn-gitops/dev/kiwi of commit c0ffee0000000002 in project platform/other at https://gitlab.example.com: HTTP 500: We encountered an internal error. Please try again; GitLab, or a proxy in front of it, has an internal error. Try again in some minutes. If it stays so, look at GitLab's own logs or status page - CFG-401
        reporting pipeline codepipeline-dev-cfn-shop to GitLab: skipped, because https://gitlab.example.com does not respond as expected. The last request was reading status cfn-gitops/dev/kiwi of commit c0ffee0000000002 in project platform/other at https://gitlab.example.com: GitLab did not respond in time. Try again in some minutes. If it stays so, check the function's network path to GitLab, and GitLab's load - CFG-401"#]].assert_eq(&errors.join("\n"));
}

async fn skip_after_two(kind: FaultKind) -> String {
    let broken = [("apple", BROKEN_PROJECT), ("kiwi", OTHER_PROJECT)];
    let [apple, kiwi] = broken.map(|(id, path)| project(id, path));
    let fake = fake(&[apple, kiwi, SHOP]).await;
    for story in [DEPLOYED, "report_waiting"] {
        take_all(&fake, story, &[apple, kiwi, SHOP]).await;
    }
    let (unreachable, begun) = (UnreachableGitLabs::default(), Instant::now());
    for of in [apple, kiwi] {
        fake.break_from_now(On::Project(of.project), kind);
        let reports = catch_up_with(&fake, of, of.project_id, &unreachable).await;
        assert!(reports.expect("executions")[0].failed.len() > 1);
    }
    let skipped = catch_up_with(&fake, SHOP, "skipped", &unreachable).await;
    let error = skipped.expect_err("skipped").to_string();
    let took = begun.elapsed();
    assert!(took < Duration::from_mins(15), "{took:?}");
    error
}
