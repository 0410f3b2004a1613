//! A fault does not prevent the checks of other resources, and is always reported.

use std::time::Duration;

use crate::fixture::{PROJECT, USER, fake, look, look_as, mirrored, pipeline};
use fake_aws::request::Service;
use fake_aws::{FaultKind, On};

const NAME: &str = "codepipeline-dev-cfn-infra";

#[tokio::test(start_paused = true)]
async fn unreachable_gitlab_affects_only_its_mirrors() {
    for kind in [
        FaultKind::RequestLost,
        FaultKind::InternalError500,
        FaultKind::RequestHangs,
    ] {
        let (fake, _) = fake().await;
        let second = "user-dev-second";
        mirrored(&fake, second, "a/second", "codecommit-dev-second").await;
        pipeline(&fake, NAME, &["Succeeded"]);
        fake.break_from_now(On::Service(Service::GitLab), kind);
        let begun = tokio::time::Instant::now();
        let looked = look(&fake).await;
        assert!(!looked.has_failed(), "{}", looked.summary);
        for project in [PROJECT, "a/second"] {
            assert!(!looked.is_healthy(project));
        }
        looked.value("CredentialAge", USER);
        looked.value("CredentialAge", second);
        assert_eq!(looked.values("PipelineSucceeded", NAME), [1.0]);
        // It is waited for once for all mirrors, and perhaps once for the token.
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(150), "{took:?}");
    }
}

/// The health check begins with another credential each time.
#[tokio::test(start_paused = true)]
async fn broken_project_affects_only_its_mirror() {
    for broken in [PROJECT, "a/second", "a/third"] {
        let (fake, _) = fake().await;
        for (user, project) in [("user-dev-a", "a/second"), ("user-dev-z", "a/third")] {
            mirrored(&fake, user, project, &format!("codecommit-dev-{user}")).await;
        }
        fake.break_from_now(On::Project(broken), FaultKind::InternalError500);
        let looked = look(&fake).await;
        for project in [PROJECT, "a/second", "a/third"] {
            let is_healthy = looked.values("MirrorHealthy", project) != [0.0];
            let context = format!("{project} {}", looked.summary);
            assert_eq!(is_healthy, project != broken, "{context}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn denied_lists_are_reported_and_the_rest_is_checked() {
    for (operation, mirrors, pipelines) in [
        ("ListSecrets", false, true),
        ("ListUserTags", false, true),
        ("ListServiceSpecificCredentials", false, true),
        ("DescribeSecret", false, true),
        ("GetSecretValue", false, true),
        ("ListPipelines", true, false),
        ("ListPipelineExecutions", true, false),
        ("GetPipelineState", true, false),
    ] {
        for kind in [FaultKind::InternalError500, FaultKind::Denied] {
            let (fake, _) = fake().await;
            pipeline(&fake, NAME, &["Succeeded"]);
            fake.break_from_now(On::Operation(operation), kind);
            let looked = look(&fake).await;
            assert!(looked.has_failed(), "{operation} {kind:?}");
            let is_checked = |metric, of| looked.values(metric, of).len() == 1;
            let checked = (
                is_checked("MirrorHealthy", PROJECT),
                is_checked("PipelineSucceeded", NAME),
            );
            assert_eq!(checked, (mirrors, pipelines), "{operation}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn timed_out_check_reports_that_and_its_results() {
    let (fake, _) = fake().await;
    pipeline(&fake, NAME, &["Succeeded"]);
    fake.break_from_now(On::Operation("ListPipelines"), FaultKind::RequestHangs);
    let looked = look_as(&fake, "short", Duration::from_secs(20)).await;
    assert!(looked.has_failed());
    assert!(looked.is_healthy(PROJECT));
    assert!(looked.texts("NotChecked")[0].contains("no time"));
}

#[tokio::test(start_paused = true)]
async fn secret_deleted_after_the_listing_is_not_a_fault() {
    let (fake, mut stack) = fake().await;
    pipeline(&fake, NAME, &["Succeeded"]);
    fake.options(|options| options.secret_lists_late = Duration::from_secs(300));
    assert!(stack.delete().await.is_success());
    let looked = look(&fake).await;
    assert!(!looked.has_failed(), "{}", looked.summary);
    assert!(looked.values("MirrorHealthy", PROJECT).is_empty());
}
