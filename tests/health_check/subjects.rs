//! Metrics of one mirror, token, user or pipeline: each has a price, so it is written only while
//! something is wrong.

use std::time::Duration;

use crate::fixture::{TOKEN, USER, fake, look, mirrored, pipeline};

const USER_2: &str = "user-dev-second";
const PROJECT_2: &str = "a/second";
const PIPELINE: &str = "codepipeline-dev-cfn-a";
const PIPELINE_2: &str = "codepipeline-dev-cfn-b";

#[tokio::test(start_paused = true)]
async fn only_what_is_wrong_has_metrics_of_its_own() {
    let (fake, _) = fake().await;
    mirrored(&fake, USER_2, PROJECT_2, "codecommit-dev-second").await;
    pipeline(&fake, PIPELINE, &["Succeeded"]);
    pipeline(&fake, PIPELINE_2, &["Succeeded"]);
    fake.gitlab_tokens_expire_after_midnight(20);
    assert_eq!(look(&fake).await.subjects(), [""; 0]);
    fake.change(|aws| aws.gitlab.project_mut(PROJECT_2).mirrors.clear());
    pipeline(&fake, PIPELINE_2, &["Succeeded", "Failed"]);
    assert_eq!(look(&fake).await.subjects(), [PROJECT_2, PIPELINE_2]);
    pipeline(&fake, PIPELINE_2, &["Succeeded"]);
    tokio::time::sleep(Duration::from_hours(24 * 7)).await;
    assert_eq!(look(&fake).await.subjects(), [PROJECT_2, TOKEN]);
    // The environment's limit for credentials is ten days.
    tokio::time::sleep(Duration::from_hours(24 * 4)).await;
    let looked = look(&fake).await;
    assert_eq!(looked.subjects(), [PROJECT_2, TOKEN, USER, USER_2]);
}
