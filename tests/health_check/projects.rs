//! Paths of pipelines' projects in GitLab that lead to other projects.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use crate::fixture::{Looked, TOKEN, create_pipeline, empty_world, look_at};
use fake_aws::FakeAws;

const PATH: &str = "platform/shop";
const BRANCH: &str = "development";
const MOVED: &str = "platform/moved";

/// A pipeline that reports to this project, whose branch has a commit.
async fn world(project: &str) -> FakeAws {
    let fake = empty_world();
    assert_eq!(fake.gitlab_project(PATH, &["main"]), 40);
    fake.gitlab_token(TOKEN);
    fake.push_to_gitlab(PATH, BRANCH, &"1".repeat(40));
    let properties = json!({
        "EnvID": "dev",
        "ProjectID": "shop",
        "BranchMap": {"dev": BRANCH},
        "GitLab": {"Url": "https://gitlab.example.com", "TokenSecretId": TOKEN, "Project": project},
    });
    create_pipeline(&fake, &properties).await;
    fake
}

async fn look(fake: &FakeAws) -> Looked {
    look_at(fake, "user-dev-*", "health check", Duration::from_secs(300)).await
}

#[tokio::test(start_paused = true)]
async fn path_of_another_project_is_found_with_both_numbers() {
    let fake = world(PATH).await;
    look(&fake).await.assert_healthy();
    fake.move_project(PATH, MOVED);
    let looked = look(&fake).await;
    looked.assert_healthy();
    assert!(looked.values("MissingResources", "").is_empty());

    let fake = world(PATH).await;
    fake.pass_path(PATH, MOVED);
    let looked = look(&fake).await;
    expect!["pipeline codepipeline-dev-cfn-shop: GitLab.Project platform/shop leads to project 99 now, and it was project 40. cfn-gitops changes nothing in project 99. Set GitLab.Project: 40 to keep the former project, or GitLab.Project: 99 to use the other one"].assert_eq(&looked.unhealthy());
    assert!((looked.value("MissingResources", "") - 1.0).abs() < 0.1);
}

/// Another project had the path meanwhile.
#[tokio::test(start_paused = true)]
async fn redirect_to_another_project_is_found() {
    let fake = world(PATH).await;
    fake.pass_path(PATH, MOVED);
    fake.arrange(|aws| {
        let other = aws.gitlab.projects.get_mut(&99).expect("the other project");
        other.former_path = Some(std::mem::take(&mut other.path));
        let first = aws.gitlab.projects.get_mut(&40).expect("the project");
        first.former_path = None;
    });
    expect!["pipeline codepipeline-dev-cfn-shop: GitLab.Project platform/shop leads to project 99 now, and it was project 40. cfn-gitops changes nothing in project 99. Set GitLab.Project: 40 to keep the former project, or GitLab.Project: 99 to use the other one"].assert_eq(&look(&fake).await.unhealthy());
}

#[tokio::test(start_paused = true)]
async fn number_is_not_compared_with_a_path() {
    let fake = world("40").await;
    fake.pass_path(PATH, MOVED);
    look(&fake).await.assert_healthy();
    assert_eq!(fake.count("GitLab.GetProject"), 0);
}
