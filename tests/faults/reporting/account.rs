//! The account and the project in GitLab of a pipeline with reports. `tests/faults/review` has the
//! same.

use serde_json::Value;

use fake_aws::FakeAws;
use fake_aws::gitlab::records::Records;
use test_support::custom_resource::{CustomResource, LAMBDA_MAX_LIFETIME, StackRequest};
use test_support::secrecy::wire;

pub use test_support::secrecy::PARAMETER;

/// The project in GitLab.
pub const PROJECT: &str = "platform/infra";
/// Its number.
pub const NUMBER: &str = "40";
/// GitLab's address.
pub const GITLAB: &str = "https://gitlab.example.com";
pub const TOKEN: &str = "gitlab/token";
pub const REPOSITORY: &str = "given";
/// The deployed branch.
pub const BRANCH: &str = "機能/ログイン";

pub const RESOURCE: CustomResource = CustomResource {
    resource_type: "Custom::GitOpsPipeline",
    logical_id: "Project",
    wire,
};

/// A property value of a resource in a template.
pub const PROPERTY: &str = "SentinelOfAProperty/+=";
/// A value for the build.
pub const VARIABLE: &str = "SentinelOfTheBuild/+=";

/// The account without a pipeline.
pub fn account(commit: &str, further_sentinels: &[&str]) -> FakeAws {
    let fake = FakeAws::new();
    fake.repository(REPOSITORY);
    fake.push(REPOSITORY, BRANCH, commit);
    fake.gitlab_project(PROJECT, &[BRANCH]);
    fake.gitlab_token(TOKEN);
    let sentinels = [PARAMETER, PROPERTY, VARIABLE];
    fake.arrange(|aws| {
        for sentinel in sentinels.iter().chain(further_sentinels) {
            aws.remember_secret(sentinel);
        }
    });
    fake
}

/// GitLab's records of the project.
pub fn records(fake: &FakeAws) -> Records {
    fake.look(|aws| aws.gitlab.named(NUMBER).records.clone())
}

/// Fails if a project that has taken the path of the project has anything of the function.
pub fn assert_others_unwritten(fake: &FakeAws) {
    fake.look(|aws| {
        for (number, project) in &aws.gitlab.projects {
            let is_own = number.to_string() == NUMBER;
            let has_path = project.path == PROJECT;
            let is_unwritten = project.records.is_unwritten();
            assert!(is_own || !has_path || is_unwritten, "{:?}", project.records);
        }
    });
}

/// An event for Lambda.
pub fn request(fake: &FakeAws, event: Value, name: &str) -> StackRequest {
    StackRequest {
        name: name.to_owned(),
        event,
        signed_at: fake.now(),
        wire,
        lifetime: LAMBDA_MAX_LIFETIME,
    }
}
