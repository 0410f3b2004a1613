//! Pipelines.

use std::time::Duration;

use crate::fixture::{empty_world, look, pipeline};
use fake_aws::{FakeAws, FaultKind, On};

const NAME: &str = "codepipeline-dev-cfn-infra";

#[tokio::test(start_paused = true)]
async fn newest_run_that_ended_by_itself_decides() {
    let others = ["Superseded", "Stopped", "Cancelled", "Stopping"];
    let behind_others = [&["Failed", "Succeeded"][..], &others].concat();
    let behind_many = [&["Failed"][..], &["Superseded"; 150]].concat();
    for (statuses, succeeded) in [
        (&["Succeeded"][..], Some(1.0)),
        (&["Failed"], Some(0.0)),
        (&["Succeeded", "Failed"], Some(0.0)),
        (&["Failed", "Succeeded"], Some(1.0)),
        (&["Succeeded", "InProgress"], Some(1.0)),
        (&["Failed", "InProgress"], Some(0.0)),
        (&behind_others, Some(1.0)),
        (&behind_many, Some(0.0)),
        (&["InProgress"], None),
        (&["Stopped"], None),
        (&[], None),
    ] {
        let fake = empty_world();
        pipeline(&fake, NAME, statuses);
        let looked = look(&fake).await;
        let is_unhealthy = !looked.unhealthy().is_empty();
        assert_eq!(is_unhealthy, succeeded == Some(0.0));
        let values = looked.values("PipelineSucceeded", NAME);
        assert_eq!(values, Vec::from_iter(succeeded), "{statuses:?}");
    }
}

/// A rollback deploys the former release again, and a rejection decides about one commit.
#[tokio::test(start_paused = true)]
async fn failure_stays_after_a_rollback_and_a_rejection() {
    for (first, value) in [("Failed", 0.0), ("Succeeded", 1.0)] {
        let fake = empty_world();
        pipeline(&fake, NAME, &[first, "Succeeded", "Failed", "Failed"]);
        fake.arrange(|aws| {
            let now = aws.now;
            let pipeline = aws.pipelines.get_mut(NAME).expect("a pipeline");
            pipeline.executions[1].rolls_back = Some("the first".to_owned());
            for rejected in &mut pipeline.executions[2..] {
                rejected.begin("Approval", now);
                rejected.end("Approval", "Failed", Some("no"), now);
            }
        });
        let looked = look(&fake).await;
        assert_eq!(looked.values("PipelineSucceeded", NAME), [value]);
        assert_eq!(looked.unhealthy().is_empty(), first == "Succeeded");
    }
}

#[tokio::test(start_paused = true)]
async fn unread_actions_of_a_failed_run_hide_nothing_else() {
    let fake = empty_world();
    pipeline(&fake, NAME, &["Failed"]);
    let operation = On::Operation("ListActionExecutions");
    fake.break_from_now(operation, FaultKind::Denied);
    let looked = look(&fake).await;
    assert!(looked.has_failed());
    assert_eq!(looked.values("PipelineSucceeded", NAME), [0.0]);
    assert_eq!(looked.values("ApprovalsWaiting", NAME), [0.0]);
}

/// Replaces the actions that run, each with the token of an approval or none.
fn run(fake: &FakeAws, running: &[(&'static str, Option<&'static str>)], since: &[Duration]) {
    fake.arrange(|aws| {
        let pipeline = aws.pipelines.get_mut(NAME).expect("a pipeline");
        pipeline.running = running.to_vec();
        pipeline.running_since = since.to_vec();
    });
}

#[tokio::test(start_paused = true)]
async fn only_waiting_approvals_are_counted() {
    let fake = empty_world();
    pipeline(&fake, NAME, &["Succeeded"]);
    for (running, waiting) in [
        (&[][..], 0.0),
        (&[("Build", None)], 0.0),
        (&[("Sign", Some("token")), ("Build", None)], 1.0),
        (&[("Approval", Some("token")), ("Sign", Some("t"))], 2.0),
        // Executions of another mode have no token.
        (&[("Approval", None)], 1.0),
        (&[("Approval", Some(""))], 1.0),
        (&[("Sign", Some(""))], 0.0),
    ] {
        run(&fake, running, &[]);
        let counted = look(&fake).await.values("ApprovalsWaiting", NAME);
        assert_eq!(counted, [waiting], "{running:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn approval_that_waits_longest_is_measured() {
    let fake = empty_world();
    pipeline(&fake, NAME, &["Succeeded"]);
    tokio::time::sleep(Duration::from_hours(30)).await;
    let approvals = [("Approval", Some("a")), ("Sign", Some("b"))];
    for (running, since, hours) in [
        (&approvals[..], &[20, 5][..], Some(25.0)),
        (&approvals, &[5, 20], Some(25.0)),
        (&approvals, &[29], Some(1.0)),
        // A build that has run for a day does not wait for an approval.
        (&[("Build", None)], &[1], None),
        (&approvals[..1], &[], None),
        (&[], &[], None),
    ] {
        let since: Vec<_> = since.iter().copied().map(Duration::from_hours).collect();
        run(&fake, running, &since);
        let seconds = look(&fake).await.values("SecondsSinceApprovalRequest", NAME);
        let waited: Vec<f64> = seconds.iter().map(|s| (s / 3600.0).round()).collect();
        assert_eq!(waited, Vec::from_iter(hours), "{since:?}");
    }
    // One that was requested in the future has waited no time.
    let later = fake.look(|aws| aws.now) + Duration::from_secs(5);
    run(&fake, &approvals[..1], &[later]);
    let looked = look(&fake).await;
    assert_eq!(looked.values("SecondsSinceApprovalRequest", NAME), [0.0]);
}

#[tokio::test(start_paused = true)]
async fn only_pipelines_of_the_environment_are_checked() {
    let fake = empty_world();
    let own = [0, 1, 2, 3, 4].map(|n| format!("codepipeline-dev-cfn-p{n}"));
    for name in &own {
        pipeline(&fake, name, &["Succeeded"]);
    }
    let others = [
        "codepipeline-prd-cfn-p",
        "codepipeline-dev-other",
        "a",
        "zcodepipeline-dev-cfn-x",
    ];
    for name in others {
        pipeline(&fake, name, &["Failed"]);
    }
    let looked = look(&fake).await;
    for name in &own {
        assert_eq!(looked.values("PipelineSucceeded", name), [1.0]);
    }
    for name in others {
        assert!(looked.values("PipelineSucceeded", name).is_empty());
    }
    looked.assert_healthy();
}
