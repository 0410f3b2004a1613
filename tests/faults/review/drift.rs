//! The commit status of the deployed stack's drift, and the repair of the pipeline's own stack.

use std::time::Duration;

use cfn_gitops::health_check::SelfRepair;

use crate::checks::{Others, check_harmless};
use crate::fixture::{
    CHILD, DEPLOYED, STACK, check_health, check_health_with, in_account, records,
};
use fake_aws::mutants::{HttpConnector, operation_of, past, replace_in_response};
use fake_aws::stacks::Finding;
use fake_aws::{FakeAws, Fault, FaultKind, SeenTokens};
use test_support::secrecy::shows;

/// A change set that fails compares nothing.
#[test]
fn failed_comparison_shows_no_status() {
    in_account(async |fake| {
        let hook = Finding {
            logical_id: "Orders".to_owned(),
            kind: "AWS::SQS::Queue".to_owned(),
            reason: "Hook failed with message: no".to_owned(),
            fails: true,
            hook: Some("Private::Guard::Hook"),
        };
        fake.change(|aws| aws.stacks.change_sets.invalid.push(hook));
        fake.fail_next_change_set(
            STACK,
            "The following hook(s) failed: [Private::Guard::Hook]",
        );
        check_health(fake, "health check").await;
        assert_eq!(statuses(fake), 0);
        assert!(shows(
            "failed: [Private::Guard::Hook]: Orders (AWS::SQS::Queue): Hook failed"
        ));
    });
}

fn statuses(fake: &FakeAws) -> usize {
    let records = records(fake);
    records.current(DEPLOYED, "cfn-gitops/dev/shop/drift").len()
}

/// `Report.Drift`
#[test]
fn drift_without_its_status_is_only_a_metric() {
    for is_wanted in [true, false] {
        in_account(async |fake| {
            fake.drift(STACK, "Orders", "MODIFIED");
            fake.arrange(|aws| {
                let now = aws.now;
                let child = aws.stacks.named_mut(CHILD).expect("the pipeline's stack");
                let settings = child.outputs.get_mut("Reporting").expect("settings");
                assert!(settings.contains(r#""Drift":true"#), "{settings}");
                *settings = settings.replace(r#""Drift":true"#, &format!(r#""Drift":{is_wanted}"#));
                child.arrange("UPDATE_COMPLETE", None, None, now);
            });
            let others = Others::of(fake);
            check_health(fake, "health check").await;
            assert!(shows(r#""DriftedResources":1"#));
            check_harmless(fake, &others);
            assert_eq!(statuses(fake), usize::from(is_wanted));
        });
    }
}

/// A person has deployed the commit again, after a later one.
#[test]
fn drift_after_an_undo_is_shown_on_the_restored_commit() {
    for (status, expected) in [("Succeeded", 1), ("Failed", 0), ("InProgress", 0)] {
        in_account(async |fake| {
            fake.change(|aws| {
                let pipeline = aws.pipelines.get_mut("codepipeline-dev-cfn-shop");
                let executions = &mut pipeline.expect("a pipeline").executions;
                let mut bad = executions[0].clone();
                (bad.id, bad.revision) = ("bad".to_owned(), Some("bad".to_owned()));
                let mut undo = executions[0].clone();
                (undo.id, undo.status) = ("undo".to_owned(), status);
                undo.start_by("arn:aws:sts::123456789012:assumed-role/Administrator/jane");
                executions.extend([bad, undo]);
                let project = aws.gitlab.project_mut(crate::fixture::PROJECT);
                project.commits.insert("bad".to_owned());
            });
            check_health(fake, "health check").await;
            assert_eq!(statuses(fake), expected, "{status}");
        });
    }
}

/// `SelfRepair` is about the pipeline's own stack.
fn is_drifted(fake: &FakeAws) -> bool {
    fake.look(|aws| !aws.stacks.named(CHILD).expect("a stack").drifts.is_empty())
}

fn set_execution(fake: &FakeAws, status: &'static str) {
    fake.change(|aws| {
        let pipeline = aws.pipelines.get_mut("codepipeline-dev-cfn-shop");
        pipeline.expect("a pipeline").executions[0].status = status;
    });
}

#[test]
fn pipelines_stack_is_compared_unless_disabled() {
    for (self_repair, compared, executed) in [
        (SelfRepair::Disabled, 0, 0),
        (SelfRepair::Report, 1, 0),
        (SelfRepair::Repair, 1, 1),
    ] {
        in_account(async |fake| {
            fake.drift(CHILD, "ReviewRule", "MODIFIED");
            let before = fake.count("CreateChangeSet");
            check_health_with(fake, "health check", self_repair).await;
            // The other one compares the deployed stack.
            let calls = ["CreateChangeSet", "ExecuteChangeSet"].map(|name| fake.count(name));
            let expected = [before + compared + 1, executed];
            assert_eq!(calls, expected, "{self_repair:?}");
        });
    }
}

#[test]
fn repair_waits_for_an_execution_in_progress() {
    for status in ["InProgress", "Stopping", "FUTURE_VALUE"] {
        in_account(async |fake| {
            fake.drift(CHILD, "ReviewRule", "MODIFIED");
            set_execution(fake, status);
            check_health_with(fake, "health check", SelfRepair::Repair).await;
            let is_repaired = !is_drifted(fake) || fake.count("ExecuteChangeSet") > 0;
            assert!(!is_repaired, "{status}");
            set_execution(fake, "Succeeded");
            tokio::time::sleep(Duration::from_hours(24)).await;
            check_health_with(fake, "next day's health check", SelfRepair::Repair).await;
            tokio::time::sleep(Duration::from_mins(1)).await;
            assert!(!is_drifted(fake), "{status}");
        });
    }
}

/// The change set of a repair would enable what a person has disabled.
#[test]
fn repair_never_ends_a_freeze() {
    let set_rule = |fake: &FakeAws, rule: &str, state: &str| {
        let key = ("AWS::Events::Rule".to_owned(), rule.to_owned());
        fake.change(|aws| {
            aws.made.get_mut(&key).expect("a rule").properties["State"] = state.into();
        });
    };
    let set_transitions = |fake: &FakeAws, disabled: &[(&'static str, &'static str)]| {
        fake.change(|aws| {
            let pipeline = aws.pipelines.get_mut("codepipeline-dev-cfn-shop");
            pipeline.expect("a pipeline").disabled = disabled.to_vec();
        });
    };
    let rules = ["cfn", "rev"].map(|kind| format!("event-rule-dev-codepipeline-exec-{kind}-shop"));
    for rule in rules.iter().map(Some).chain([None]) {
        in_account(async |fake| {
            let (held, command) = if let Some(rule) = rule {
                set_rule(fake, rule, "DISABLED");
                let command = format!("aws events enable-rule --name {rule}");
                (format!("the disabled event rule {rule}"), command)
            } else {
                set_transitions(fake, &[("Deploy", "Black\nFriday")]);
                let command = "aws codepipeline enable-stage-transition --pipeline-name \
                    codepipeline-dev-cfn-shop --stage-name Deploy --transition-type Inbound";
                let held = "the disabled transition into stage Deploy: Black Friday";
                (held.to_owned(), command.to_owned())
            };
            // Another resource differs.
            fake.drift(CHILD, "Pipeline", "MODIFIED");
            let executed = fake.count("ExecuteChangeSet");
            check_health_with(fake, "frozen", SelfRepair::Repair).await;
            assert!(shows(&format!("It was not repaired: it is held by {held}")));
            assert!(shows(&format!("To end the freeze: {command}")));
            assert_eq!(fake.count("ExecuteChangeSet"), executed, "{held}");
            assert!(is_drifted(fake) && !shows(r#""HealthCheckFailed":1"#));
            match rule {
                Some(rule) => set_rule(fake, rule, "ENABLED"),
                None => set_transitions(fake, &[]),
            }
            tokio::time::sleep(Duration::from_hours(24)).await;
            check_health_with(fake, "thawed", SelfRepair::Repair).await;
            tokio::time::sleep(Duration::from_mins(1)).await;
            assert!(!is_drifted(fake), "{held}");
        });
    }
}

/// The repair begins once, and the drift is reported in each case.
#[test]
fn lost_response_of_a_repair_is_no_failed_check() {
    let cases = [
        (FaultKind::AnswerLost, SeenTokens::SameAnswer),
        (FaultKind::AnswerLost, SeenTokens::Refused),
        (FaultKind::DeniedExplicitly, SeenTokens::SameAnswer),
    ];
    for (kind, seen_tokens) in cases {
        in_account(async |fake| {
            fake.options(|options| options.seen_tokens = seen_tokens);
            fake.drift(CHILD, "ReviewRule", "MODIFIED");
            fake.inject("health check", Fault::on("ExecuteChangeSet", 0, kind));
            check_health_with(fake, "health check", SelfRepair::Repair).await;
            assert!(shows(r#""DriftedResources":1"#), "{kind:?}");
            assert!(!shows(r#""HealthCheckFailed":1"#), "{kind:?}");
            let is_denied = kind == FaultKind::DeniedExplicitly;
            assert_eq!(shows("It was not repaired: executing"), is_denied);
            assert_eq!(shows("The repair was started"), !is_denied);
            tokio::time::sleep(Duration::from_mins(1)).await;
            assert_eq!(is_drifted(fake), is_denied, "{kind:?} {seen_tokens:?}");
        });
    }
}

/// A value that CloudFormation documents as undetermined, or that the SDK does not have.
#[test]
fn change_of_unknown_effect_is_not_repaired() {
    for (part, by, expected) in [
        ("<Action>Modify</Action>", "<Action>Modify</Action>", 1),
        ("<Action>Modify</Action>", "<Action>Dynamic</Action>", 0),
        (
            "<Action>Modify</Action>",
            "<Action>SyncWithActual</Action>",
            0,
        ),
        (
            "<Action>Modify</Action>",
            "<Action>FUTURE_VALUE</Action>",
            0,
        ),
        ("<Action>Modify</Action>", "", 0),
        (
            "<Replacement>False</Replacement>",
            "<Replacement>FUTURE_VALUE</Replacement>",
            0,
        ),
        (
            ">MODIFIED</ResourceDriftStatus>",
            ">FUTURE_VALUE</ResourceDriftStatus>",
            0,
        ),
        (">CREATE_COMPLETE</Status>", ">FUTURE_VALUE</Status>", 0),
    ] {
        let pass = move |_, honest: fake_aws::Caller, request| async move {
            let is_it = operation_of(&request) == "DescribeChangeSet";
            let response = honest.call(request).await?;
            Ok(if is_it {
                replace_in_response(&response, part, by)
            } else {
                response
            })
        };
        let play = || {
            in_account(async |fake| {
                fake.drift(CHILD, "ReviewRule", "MODIFIED");
                check_health_with(fake, "health check", SelfRepair::Repair).await;
                assert_eq!(fake.count("ExecuteChangeSet"), expected, "{by}");
            });
        };
        past(pass, play).unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
}
