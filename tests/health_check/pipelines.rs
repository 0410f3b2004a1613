//! Pipelines.

use std::time::Duration;

use crate::fixture::{empty_world, look, pipeline};

const NAME: &str = "codepipeline-dev-cfn-infra";

#[tokio::test(start_paused = true)]
async fn newest_run_that_ended_by_itself_decides() {
    for (statuses, succeeded) in [
        (&["Succeeded"][..], Some(1.0)),
        (&["Failed"], Some(0.0)),
        (&["Succeeded", "Failed"], Some(0.0)),
        (&["Failed", "Succeeded"], Some(1.0)),
        (&["Succeeded", "InProgress"], Some(1.0)),
        (&["Failed", "InProgress"], Some(0.0)),
        (
            &[
                "Failed",
                "Succeeded",
                "Superseded",
                "Stopped",
                "Cancelled",
                "Stopping",
            ],
            Some(1.0),
        ),
        (&["InProgress"], None),
        (&["Stopped"], None),
        (&[], None),
    ] {
        let fake = empty_world();
        pipeline(&fake, NAME, statuses);
        let looked = look(&fake).await;
        assert!(!looked.has_failed());
        let values = looked.values("PipelineSucceeded", NAME);
        assert_eq!(
            values,
            succeeded.into_iter().collect::<Vec<f64>>(),
            "{statuses:?}"
        );
        let is_told = !looked.texts("Unhealthy").is_empty();
        assert_eq!(is_told, succeeded == Some(0.0));
    }
}

#[tokio::test(start_paused = true)]
async fn run_that_ended_long_ago_is_found_behind_many_that_did_not() {
    let fake = empty_world();
    let mut statuses = vec!["Failed"];
    statuses.extend(["Superseded"; 150]);
    pipeline(&fake, NAME, &statuses);
    let looked = look(&fake).await;
    assert_eq!(looked.values("PipelineSucceeded", NAME), [0.0]);
}

#[tokio::test(start_paused = true)]
async fn only_waiting_approvals_are_counted() {
    for (running, waiting) in [
        (vec![], 0.0),
        (vec![("Build", None)], 0.0),
        (vec![("Sign", Some("token")), ("Build", None)], 1.0),
        (vec![("Approval", Some("token")), ("Sign", Some("t"))], 2.0),
        // Parallel executions have no token.
        (vec![("Approval", None)], 1.0),
        (vec![("Approval", Some(""))], 1.0),
        (vec![("Sign", Some(""))], 0.0),
    ] {
        let fake = empty_world();
        pipeline(&fake, NAME, &["Succeeded"]);
        fake.arrange(|aws| {
            let pipeline = aws.pipelines.get_mut(NAME).expect("a pipeline");
            pipeline.running.clone_from(&running);
        });
        let looked = look(&fake).await;
        assert_eq!(
            looked.values("ApprovalsWaiting", NAME),
            [waiting],
            "{running:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn approval_that_waits_longest_is_measured() {
    let fake = empty_world();
    pipeline(&fake, NAME, &["Succeeded"]);
    let runs = |running, since_hours: &[u64]| {
        let since = since_hours.iter().copied().map(Duration::from_hours);
        fake.arrange(|aws| {
            let pipeline = aws.pipelines.get_mut(NAME).expect("a pipeline");
            pipeline.running = running;
            pipeline.running_since = since.collect();
        });
    };
    tokio::time::sleep(Duration::from_hours(30)).await;
    let approvals = vec![("Approval", Some("a")), ("Sign", Some("b"))];
    for (running, since, hours) in [
        (approvals.clone(), &[20, 5][..], Some(25.0)),
        (approvals.clone(), &[5, 20], Some(25.0)),
        (approvals, &[29], Some(1.0)),
        // A build that has run for a day does not wait for an approval.
        (vec![("Build", None)], &[1], None),
        (vec![("Approval", Some("a"))], &[], None),
        (vec![], &[], None),
    ] {
        runs(running, since);
        let looked = look(&fake).await;
        let seconds = looked.values("SecondsSinceApprovalRequest", NAME);
        let waited: Vec<f64> = seconds.iter().map(|s| (s / 3600.0).round()).collect();
        assert_eq!(waited, hours.into_iter().collect::<Vec<f64>>(), "{since:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn approval_requested_in_the_future_has_waited_no_time() {
    let fake = empty_world();
    pipeline(&fake, NAME, &["Succeeded"]);
    fake.arrange(|aws| {
        let later = aws.now + Duration::from_secs(5);
        let pipeline = aws.pipelines.get_mut(NAME).expect("a pipeline");
        pipeline.running = vec![("Approval", Some("a"))];
        pipeline.running_since = vec![later];
    });
    let looked = look(&fake).await;
    assert_eq!(looked.values("SecondsSinceApprovalRequest", NAME), [0.0]);
}

#[tokio::test(start_paused = true)]
async fn only_pipelines_of_the_environment_are_checked() {
    let fake = empty_world();
    let own: Vec<String> = (0..5)
        .map(|n| format!("codepipeline-dev-cfn-p{n}"))
        .collect();
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
    assert!(looked.texts("Unhealthy").is_empty());
}
