//! An environment with thousands of projects, each with a mirror and a pipeline: for the health
//! check in simulated time, and for the one of the real process (`tests/process`).

use std::collections::BTreeMap;
use std::time::Duration;

use fake_aws::{AwsState, Execution, FakeAws, Made, Options, Pipeline};
use serde_json::json;
use test_support::custom_resource::{CustomResource, ParentStack};

pub const CREDENTIAL: CustomResource = CustomResource {
    resource_type: "Custom::MirrorCredential",
    logical_id: "Credential",
    wire: |_, caller| caller.connector(),
};

/// The number of the project that all others are copies of, in every name.
const ORIGINAL: &str = "p00000";
const OWNER: &str = "owner";
const STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/1";

/// A project with a mirror, made as users make it, and copies of it; each with a pipeline and its
/// stack.
pub async fn environment(projects: usize) -> FakeAws {
    let fake = FakeAws::with(Options::default());
    fake.keep_no_journal();
    let user = format!("user-dev-{ORIGINAL}");
    let (project, repository) = (
        format!("a/{ORIGINAL}"),
        format!("codecommit-dev-{ORIGINAL}"),
    );
    fake.user(&user);
    fake.repository(&repository);
    fake.gitlab_project(&project, &["main"]);
    fake.gitlab_token("gitlab/token");
    let properties = json!({
        "UserName": user,
        "GitLab": {"Url": "https://gitlab.example.com", "TokenSecretId": "gitlab/token"},
        "Mirrors": [{"GitLabProject": project, "RepositoryName": repository}],
    });
    let created = ParentStack::called(&fake, CREDENTIAL, STACK).create(&properties).await;
    assert!(created.is_success(), "{}", created.reason());
    fake.stack(OWNER, "CREATE_COMPLETE", &[]);
    let owner = fake.look(|aws| aws.stacks.named(OWNER).expect("just made").id.clone());
    let names: Vec<String> = (1..projects).map(|number| format!("p{number:05}")).collect();
    fake.arrange(|aws| copy_project(aws, &names));
    for name in names.iter().map(String::as_str).chain([ORIGINAL]) {
        let stack = format!("gitops-dev-{name}");
        fake.declare(&owner, name, "Custom::GitOpsPipeline", &stack);
        let tags = [
            ("cfn-gitops:stack-id", owner.as_str()),
            ("cfn-gitops:logical-id", name),
        ];
        fake.stack(&stack, "CREATE_COMPLETE", &tags);
        fake.arrange(|aws| add_pipeline(aws, &owner, &stack, name));
    }
    fake
}

/// The parts of a pipeline's `stack`, with an execution that succeeded.
fn add_pipeline(aws: &mut AwsState, owner: &str, stack: &str, name: &str) {
    let child = aws.stacks.named_mut(stack).expect("just made");
    child.parameters.insert("BranchExists".to_owned(), "true".to_owned());
    let settings = json!({
        "CreatesChangeSet": true,
        "Capabilities": [],
        "ReportsDrift": false,
        "ApprovesNoChanges": false,
    });
    let outputs = [
        ("BranchName", "main".to_owned()),
        ("RepositoryName", format!("codecommit-dev-{name}")),
        ("Settings", settings.to_string()),
        ("RenderingVersion", "1".to_owned()),
    ];
    child.outputs.extend(outputs.map(|(name, value)| (name.to_owned(), value)));
    let rule = Made {
        properties: json!({"State": "ENABLED"}),
        tags: [].into(),
        stack_id: None,
    };
    let rule_name = format!("event-rule-dev-codepipeline-exec-cfn-{name}");
    aws.made.insert(("AWS::Events::Rule".to_owned(), rule_name), rule);
    let (now, tags) = (aws.now, BTreeMap::new());
    let mut pipeline = Pipeline::new(json!({}), tags, owner, "0".to_owned(), now, Duration::ZERO);
    pipeline.executions = vec![Execution::with_status("1".to_owned(), "Succeeded", now)];
    aws.pipelines.insert(format!("codepipeline-dev-cfn-{name}"), pipeline);
}

/// Copies the user, its credential, the secret, the repository and the project in GitLab with its
/// mirror.
fn copy_project(aws: &mut AwsState, names: &[String]) {
    let now = aws.now;
    let original = aws.gitlab.named(&format!("a/{ORIGINAL}")).clone();
    let secret = aws.secrets[&format!("codecommit-mirror/user-dev-{ORIGINAL}")].clone();
    aws.iam.change(now, |iam| {
        let user = iam.users[&format!("user-dev-{ORIGINAL}")].clone();
        let copies = names.iter().map(|name| (format!("user-dev-{name}"), user.clone()));
        iam.users.extend(copies);
    });
    let repository = aws.codecommit.repositories[&format!("codecommit-dev-{ORIGINAL}")].clone();
    // The secret also has the number of its project in GitLab.
    let number = |id: u64| format!("\"gitLabProjectNumber\":{id}");
    for (index, name) in (1..).zip(names) {
        let id = original.id + index;
        let renamed = |text: &str| {
            let text = text.replace(ORIGINAL, name);
            text.replace(&number(original.id), &number(id))
        };
        let repository_name = format!("codecommit-dev-{name}");
        aws.codecommit.repositories.insert(repository_name, repository.clone());
        let mut secret = secret.clone();
        secret.name = renamed(&secret.name);
        secret.arn = renamed(&secret.arn);
        for value in secret.tags.values_mut() {
            *value = renamed(value);
        }
        for version in secret.versions.values_mut() {
            version.value.text = renamed(&version.value.text);
        }
        aws.secrets.insert(secret.name.clone(), secret);
        let mut project = original.clone();
        project.id = id;
        project.path = renamed(&project.path);
        for mirror in project.mirrors.values_mut() {
            mirror.url = renamed(&mirror.url);
        }
        aws.gitlab.projects.insert(id, project);
    }
}
