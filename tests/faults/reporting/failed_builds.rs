//! A failed build, in its status and its note.

use std::time::Duration;

use expect_test::expect;
use fake_aws::gitlab::records::OTHER_USER;
use fake_aws::{FakeAws, FaultKind, On, redacted};

use crate::checks::check_harmless;
use crate::fixture::{CHILD, COMMITS, PROJECT, SHOP, catch_up, deliver_once, in_account, records};
use crate::steps::ReportWord;
use test_support::child_settings::set_child_settings;

use ReportWord::{Build, End, Source, Start};

const BUILD_PROJECT: &str = "codebuild-dev-cfn-shop";
const MESSAGE: &str = "Error while executing command: npm test. Reason: exit status 1";

/// The settings of the pipeline have `BuildLog`.
fn with_log(fake: &FakeAws) {
    fake.arrange(|aws| {
        set_child_settings(aws, CHILD, |settings| {
            settings["Report"]["BuildLog"] = true.into();
        });
        aws.gitlab.project_mut(PROJECT).records.is_internal = false;
    });
}

/// The build fails after it printed `lines`, and its execution ends.
async fn fail(fake: &FakeAws, lines: &[&str], name: &str) {
    end(fake, lines).await;
    deliver_once(fake, SHOP, ("e1", None), name).await;
}

async fn end(fake: &FakeAws, lines: &[&str]) {
    Build("e1", Some("Build terminated with state: FAILED")).take(fake, SHOP).await;
    let id = fake.start_build(BUILD_PROJECT);
    fake.arrange(|aws| {
        let pipeline = aws.pipelines.get_mut(&SHOP.pipeline()).expect("a pipeline");
        pipeline.executions[0].run_as("Build", &id);
    });
    tokio::time::sleep(Duration::from_secs(20)).await;
    fake.fail_build(&id, "BUILD", MESSAGE, lines);
    End("e1", "Failed").take(fake, SHOP).await;
}

async fn begin(fake: &FakeAws) {
    for (at, step) in [Start("e1"), Source("e1", 0)].into_iter().enumerate() {
        step.take(fake, SHOP).await;
        deliver_once(fake, SHOP, step.subject(), &format!("begin-{at}")).await;
    }
}

/// The function's first note, after it is known that all are the same.
fn note(fake: &FakeAws) -> String {
    let notes = records(fake).notes.into_iter();
    let mut own: Vec<String> =
        notes.filter(|note| note.user != OTHER_USER).map(|note| note.body).collect();
    own.dedup();
    assert_eq!(own.len(), 1, "{own:#?}");
    redacted(&own[0])
}

/// The text between the failed phase and the mark of the change set.
fn shown_of_log(fake: &FakeAws) -> String {
    let note = note(fake);
    let (_, rest) = note.split_once("exit status 1`.\n\n").expect("a phase");
    let (shown, _) = rest.split_once("\n\n<!-- change set -->").expect("a mark");
    shown.to_owned()
}

fn status(fake: &FakeAws) -> String {
    let records = records(fake);
    let current = records.current(COMMITS[0], &SHOP.status());
    current.last().expect("a status").description.clone()
}

#[test]
fn late_log_is_read_once_more_by_the_health_check() {
    let mut shown = vec![];
    for arrives in [true, false] {
        in_account(async |fake| {
            with_log(fake);
            fake.arrange(|aws| aws.options.logs_late = Duration::from_hours(1));
            begin(fake).await;
            fail(fake, &["1 of 7 tests failed"], "failed").await;
            shown.push(shown_of_log(fake));
            let first = fake.count("GetLogEvents");
            deliver_once(fake, SHOP, ("e1", None), "second delivery").await;
            assert_eq!(fake.count("GetLogEvents"), first);
            if arrives {
                fake.arrange(|aws| aws.options.logs_late = Duration::ZERO);
            }
            catch_up(fake, SHOP, "health check").await;
            shown.push(shown_of_log(fake));
            let second = fake.count("GetLogEvents");
            assert!(second > first);
            catch_up(fake, SHOP, "second health check").await;
            assert_eq!(fake.count("GetLogEvents"), second, "{}", note(fake));
        });
    }
    expect![[r#"
        CloudWatch Logs has no log of this phase.
        The end of its log:

         ```
         1 of 7 tests failed
         ```
        CloudWatch Logs has no log of this phase.
        CloudWatch Logs has no log of this phase."#]]
    .assert_eq(&shown.join("\n"));
}

/// Neither the status nor the cause depends on the log.
#[test]
fn failure_is_reported_if_its_cause_cannot_be_read() {
    use FaultKind::{Denied, InternalError500, RequestHangs};
    for operation in ["BatchGetBuilds", "GetLogEvents"] {
        for kind in [Denied, InternalError500, RequestHangs] {
            in_account(async |fake| {
                with_log(fake);
                begin(fake).await;
                fake.break_from_now(On::Operation(operation), kind);
                Build("e1", Some("Build terminated")).take(fake, SHOP).await;
                let id = fake.start_build(BUILD_PROJECT);
                fake.arrange(|aws| {
                    let pipeline = aws.pipelines.get_mut(&SHOP.pipeline()).expect("a pipeline");
                    pipeline.executions[0].run_as("Build", &id);
                });
                fake.fail_build(&id, "BUILD", MESSAGE, &["1 of 7 tests failed"]);
                End("e1", "Failed").take(fake, SHOP).await;
                let event = ("e1", None);
                crate::fixture::deliver(fake, SHOP, event, "failed").await;
                assert!(
                    status(fake).starts_with("Build failed: "),
                    "{operation} {kind:?}"
                );
                fake.mend();
                catch_up(fake, SHOP, "health check").await;
                let is_final = operation == "BatchGetBuilds" && kind == Denied;
                let shows = note(fake).contains("1 of 7 tests failed");
                assert_eq!(shows, !is_final, "{operation} {kind:?}: {}", note(fake));
                check_harmless(fake);
            });
        }
    }
}

/// A log shows what the build prints.
#[test]
fn value_of_the_stack_is_hidden_in_the_message_alone() {
    in_account(async |fake| {
        with_log(fake);
        fake.arrange(|aws| {
            let stack = aws.stacks.named_mut("cfnstack-dev-shop").expect("a stack");
            stack.parameters = [("Name".to_owned(), "npm test".to_owned())].into();
        });
        begin(fake).await;
        fail(fake, &["npm test of 123456789012 failed"], "failed").await;
        expect![[r#"
            <!-- cfn-gitops deployment dev/shop c0ffee0000000001 123456789012/eu-central-1 failure e1-attempt-1 -->
            **The build for `dev` failed**: [execution](https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/codepipeline-dev-cfn-shop/executions/e1/timeline#123456789012) of project shop

            The build failed in phase `BUILD`: `COMMAND_EXECUTION_ERROR: Error while executing command: …. Reason: exit status 1`.

            The end of its log:

             ```
             npm test of 123456789012 failed
             ```

            <!-- change set -->
        "#]].assert_eq(&note(fake));
    });
}

/// A person may delete a note because of a text in it.
#[test]
fn deleted_note_of_a_failure_is_not_written_again() {
    in_account(async |fake| {
        with_log(fake);
        begin(fake).await;
        fail(fake, &["1 of 7 tests failed"], "failed").await;
        let delete = |place: Option<&str>| {
            fake.change(|aws| {
                let notes = &mut aws.gitlab.project_mut(PROJECT).records.notes;
                notes.retain(|note| {
                    let is_there = place.is_none_or(|place| note.place == place);
                    note.user == OTHER_USER || !is_there
                });
            });
        };
        delete(Some("merge_requests/4"));
        catch_up(fake, SHOP, "health check").await;
        let own = |fake: &FakeAws| {
            let notes = records(fake).notes.into_iter();
            notes.filter(|note| note.user != OTHER_USER).count()
        };
        assert_eq!(own(fake), 1);
        delete(None);
        for check in ["second health check", "third health check"] {
            assert_eq!(catch_up(fake, SHOP, check).await, 0);
        }
        assert_eq!(own(fake), 0);
    });
}

/// The health check cannot distinguish it from one that a person deleted.
#[test]
fn note_that_gitlab_rejected_after_its_status_is_not_written() {
    in_account(async |fake| {
        with_log(fake);
        begin(fake).await;
        fake.break_from_now(On::Operation("GitLab.CreateNote"), FaultKind::Denied);
        end(fake, &["1 of 7 tests failed"]).await;
        crate::fixture::deliver(fake, SHOP, ("e1", None), "failed").await;
        fake.mend();
        assert_eq!(catch_up(fake, SHOP, "health check").await, 0);
        assert!(status(fake).starts_with("Build failed: "));
    });
}

/// The project may become public while the log is read.
#[test]
fn log_is_not_posted_if_the_project_opens_meanwhile() {
    in_account(async |fake| {
        with_log(fake);
        fake.arrange(|aws| {
            set_child_settings(aws, CHILD, |settings| {
                settings["Report"]["Notes"] = true.into();
            });
        });
        begin(fake).await;
        fake.options(|options| options.latency = Duration::from_millis(5));
        let open = async {
            while fake.count("GetLogEvents") == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            fake.change(|aws| aws.gitlab.project_mut(PROJECT).records.is_public = true);
        };
        tokio::join!(fail(fake, &["1 of 7 tests failed"], "failed"), open);
        assert!(fake.count("GetLogEvents") > 0);
        expect!["The log is not posted, because the project is public."]
            .assert_eq(&shown_of_log(fake));
    });
}
