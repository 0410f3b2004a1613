//! Pipelines.

use crate::scene::{empty_world, look, pipeline};

const NAME: &str = "codepipeline-dev-cfn-infra";

#[tokio::test(start_paused = true)]
async fn the_newest_run_that_ended_by_itself_decides() {
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
        let world = empty_world();
        pipeline(&world, NAME, statuses);
        let looked = look(&world).await;
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
async fn a_run_that_ended_long_ago_is_found_behind_many_that_did_not() {
    let world = empty_world();
    let mut statuses = vec!["Failed"];
    statuses.extend(["Superseded"; 150]);
    pipeline(&world, NAME, &statuses);
    let looked = look(&world).await;
    assert_eq!(looked.values("PipelineSucceeded", NAME), [0.0]);
}

#[tokio::test(start_paused = true)]
async fn approvals_that_wait_are_counted_and_nothing_else_that_runs() {
    for (running, waiting) in [
        (vec![], 0.0),
        (vec![("Build", None)], 0.0),
        (vec![("Sign", Some("token")), ("Build", None)], 1.0),
        (vec![("Approval", Some("token")), ("Sign", Some("t"))], 2.0),
        // Where runs go on side by side there is no token.
        (vec![("Approval", None)], 1.0),
        (vec![("Approval", Some(""))], 1.0),
        (vec![("Sign", Some(""))], 0.0),
    ] {
        let world = empty_world();
        pipeline(&world, NAME, &["Succeeded"]);
        world.arrange(|aws| {
            let pipeline = aws.pipelines.get_mut(NAME).expect("a pipeline");
            pipeline.running.clone_from(&running);
        });
        let looked = look(&world).await;
        assert_eq!(
            looked.values("ApprovalsWaiting", NAME),
            [waiting],
            "{running:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn all_pipelines_of_the_environment_are_looked_at_and_no_others() {
    let world = empty_world();
    let own: Vec<String> = (0..5)
        .map(|n| format!("codepipeline-dev-cfn-p{n}"))
        .collect();
    for name in &own {
        pipeline(&world, name, &["Succeeded"]);
    }
    let others = [
        "codepipeline-prd-cfn-p",
        "codepipeline-dev-other",
        "a",
        "zcodepipeline-dev-cfn-x",
    ];
    for name in others {
        pipeline(&world, name, &["Failed"]);
    }
    let looked = look(&world).await;
    for name in &own {
        assert_eq!(looked.values("PipelineSucceeded", name), [1.0]);
    }
    for name in others {
        assert!(looked.values("PipelineSucceeded", name).is_empty());
    }
    assert!(looked.texts("Unhealthy").is_empty());
}
