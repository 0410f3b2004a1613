//! The effect of each value of `SelfRepair` on drift of the pipeline's own stack.

use std::time::Duration;

use cfn_gitops::health_check::SelfRepair;
use fake_aws::FakeAws;

use crate::fixture::{CHILD, check_health_with, in_account};

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
            assert_eq!(
                fake.count("CreateChangeSet") - before,
                compared + 1,
                "{self_repair:?}"
            );
            assert_eq!(fake.count("ExecuteChangeSet"), executed, "{self_repair:?}");
        });
    }
}

#[test]
fn repair_waits_for_an_execution_in_progress() {
    for status in ["InProgress", "Stopping"] {
        in_account(async |fake| {
            fake.drift(CHILD, "ReviewRule", "MODIFIED");
            set_execution(fake, status);
            check_health_with(fake, "health check", SelfRepair::Repair).await;
            assert!(
                is_drifted(fake) && fake.count("ExecuteChangeSet") == 0,
                "{status}"
            );
            set_execution(fake, "Succeeded");
            tokio::time::sleep(Duration::from_hours(24)).await;
            check_health_with(fake, "next day's health check", SelfRepair::Repair).await;
            tokio::time::sleep(Duration::from_mins(1)).await;
            assert!(!is_drifted(fake), "{status}");
        });
    }
}
