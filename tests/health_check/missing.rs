//! Resources that a person deletes: each check finds them, the alarm of the template stays until the repair, and
//! the remedy of the finding, executed word for word, ends healthy.

use std::time::Duration;

use serde_json::{Value, json};

use crate::alarms;
use crate::fixture::{
    Looked, PROJECT, REPOSITORY, SECRET, TOKEN, USER, assert_problem, create_pipeline, diagnosed,
    empty_world, look, look_by_schedule, look_with_first_project, mirrored, owner, properties,
};
use aws_sdk_secretsmanager::types::Tag;
use cfn_gitops::health_check::FirstProject;
use fake_aws::FakeAws;
use fake_aws::clients::Clients;
use test_support::custom_resource::ParentStack;

const CHILD: &str = "gitops-dev-shop";
const PIPELINE: &str = "codepipeline-dev-cfn-shop";
const SHOP: &str = "codecommit-dev-cfn-shop";
const RULE: &str = "event-rule-dev-codepipeline-exec-cfn-shop";
const REVIEW_RULE: &str = "event-rule-dev-codepipeline-exec-rev-shop";
const OTHER: &str = "platform/other";

/// Two mirrors and two pipelines, all healthy.
struct World {
    fake: FakeAws,
    mirror: ParentStack,
    shop: ParentStack,
}

fn shop() -> Value {
    json!({
        "EnvID": "dev", "ProjectID": "shop", "BranchMap": {"dev": "main"},
        "GitLab": {
            "Url": "https://gitlab.example.com", "TokenSecretId": TOKEN, "Project": "platform/shop",
        },
        "Review": {"Branches": "review/*"},
    })
}

async fn world() -> World {
    let fake = empty_world();
    let mirror = mirrored(&fake, USER, PROJECT, REPOSITORY).await;
    mirrored(&fake, "user-dev-other", OTHER, "codecommit-dev-other").await;
    fake.gitlab_project("platform/shop", &["main"]);
    let blog = json!({"EnvID": "dev", "ProjectID": "blog", "BranchMap": {"dev": "main"}});
    create_pipeline(&fake, &blog).await;
    let shop = create_pipeline(&fake, &shop()).await;
    for project in ["blog", "shop"] {
        fake.push(&format!("codecommit-dev-cfn-{project}"), "main", "c1");
        fake.push_to_gitlab("platform/shop", "main", "c1");
    }
    look(&fake).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    let world = World { fake, mirror, shop };
    world.declare(&world.mirror, "Credential");
    world.declare(&world.shop, "Project");
    world
}

impl World {
    /// CloudFormation's record of the resource of a stack.
    fn declare(&self, stack: &ParentStack, logical_id: &str) {
        let (id, _) = stack.resource.as_ref().expect("a resource");
        self.fake
            .declare(&stack.arn, logical_id, stack.kind.resource_type, id);
    }

    fn person(&self) -> Clients {
        Clients::over(self.fake.connector("person"))
    }

    async fn delete_child(&self) {
        let call = self.person().cloudformation.delete_stack();
        call.stack_name(CHILD).send().await.expect("a stack");
        tokio::time::sleep(Duration::from_mins(2)).await;
    }

    /// A person deletes this.
    async fn delete(&self, what: &str) {
        let fake = &self.fake;
        let rule = |name: &str| {
            let key = ("AWS::Events::Rule".to_owned(), name.to_owned());
            fake.change(|aws| aws.made.remove(&key)).expect("a rule");
        };
        match what {
            "secret" => drop(fake.change(|aws| aws.secrets.remove(SECRET))),
            "secret for 30 days" => {
                let call = self.person().secrets.delete_secret().secret_id(SECRET);
                call.send().await.expect("a secret");
            }
            "tags of the secret" => fake.change(|aws| {
                let secret = aws.secrets.get_mut(SECRET).expect("a secret");
                secret.tags.retain(|key, _| !key.starts_with("cfn-gitops:"));
            }),
            "one tag of the secret" => fake.change(|aws| {
                let secret = aws.secrets.get_mut(SECRET).expect("a secret");
                secret.tags.remove("cfn-gitops:stack-id").expect("a tag");
            }),
            "IAM user" => {
                let id = fake.look(|aws| aws.credentials(USER)[0].id.clone());
                fake.change(|aws| aws.withdraw(USER, &id));
                fake.delete_user(USER).expect("a user");
            }
            "child stack" => self.delete_child().await,
            "pipeline" => drop(fake.change(|aws| aws.pipelines.remove(PIPELINE))),
            "repository of a pipeline" => fake.change(|aws| aws.codecommit.remove(SHOP)),
            "repository of a mirror" => fake.change(|aws| aws.codecommit.remove(REPOSITORY)),
            "event rule" => rule(RULE),
            "event rule of reviews" => rule(REVIEW_RULE),
            other => panic!("{other}"),
        }
    }

    /// Executes the commands of a remedy about secrets.
    async fn run_commands_of_secrets(&self, problem: &str) {
        let secrets = self.person().secrets;
        if let Some(id) = argument(problem, "aws secretsmanager restore-secret --secret-id ") {
            let call = secrets.restore_secret().secret_id(id);
            call.send().await.expect("a secret");
        }
        let command = problem.split_once("aws secretsmanager tag-resource --secret-id ");
        if let Some((_, arguments)) = command {
            let (id, tags) = arguments.split_once(" --tags ").expect("tags");
            let tags = tags.split(' ').map(|tag| {
                let tag = tag.strip_prefix("Key=").expect("a key");
                let (key, value) = tag.split_once(",Value=").expect("a value");
                Tag::builder().key(key).value(value).build()
            });
            let call = secrets.tag_resource().secret_id(id);
            let call = call.set_tags(Some(tags.collect()));
            call.send().await.expect("a secret");
        }
    }

    /// Executes the remedy of a finding: its commands, and its updates of a resource.
    async fn execute(&mut self, problem: &str) {
        let fake = self.fake.clone();
        self.run_commands_of_secrets(problem).await;
        if let Some(user) = argument(problem, "aws iam create-user --user-name ") {
            fake.user(user);
        }
        if problem.contains("aws cloudformation delete-stack") {
            self.delete_child().await;
        }
        let created = argument(
            problem,
            "aws codecommit create-repository --repository-name ",
        );
        if let Some(name) = created {
            fake.repository(name);
        }
        if problem.contains("a new RotationSerial") {
            let mut changed = properties(USER, PROJECT, REPOSITORY);
            changed["RotationSerial"] = json!("2");
            self.mirror.update(&changed, None).await.assert_success();
        }
        if problem.contains("such as RenderingSerial") && created.is_none() {
            let mut changed = shop();
            changed["RenderingSerial"] = json!("again");
            self.shop.update(&changed, None).await.assert_success();
            fake.push(SHOP, "main", "c1");
        }
        if problem.contains("push to the project") {
            fake.push_to_gitlab(PROJECT, "main", "c2");
        }
        if problem.contains("remove the former mirror") {
            fake.change(|aws| {
                let mirrors = &mut aws.gitlab.project_mut(PROJECT).mirrors;
                let first = *mirrors.keys().next().expect("a mirror");
                mirrors.remove(&first)
            });
        }
        tokio::time::sleep(Duration::from_mins(10)).await;
        // EventBridge invokes the function with the first push.
        look(&fake).await;
        tokio::time::sleep(Duration::from_mins(5)).await;
    }
}

/// The argument of a command in `text`.
fn argument<'a>(text: &'a str, command: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(command)?;
    rest.split([' ', '.', ',']).next()
}

/// A health check that finds one problem, about this subject. The other project keeps its metrics.
async fn look_and_find(world: &World, subject: &str) -> (Looked, String) {
    let looked = look(&world.fake).await;
    let unhealthy = looked.texts("Unhealthy");
    let problem = unhealthy
        .iter()
        .find_map(|one| one.strip_prefix(&format!("{subject}: ")));
    let problem = problem.unwrap_or_else(|| panic!("{subject}: {unhealthy:?}"));
    assert!(!looked.has_failed(), "{}", looked.summary);
    assert!(looked.is_healthy(OTHER));
    looked.value("CredentialAge", "user-dev-other");
    looked.value("ApprovalsWaiting", "codepipeline-dev-cfn-blog");
    (looked, problem.to_owned())
}

const MISSING: &str = "MissingResourcesAlarm";
const MIRRORS: &str = "MirrorsAlarm";

/// The deleted thing, the subject of the finding, and the alarm.
const DELETED: [(&str, &str, &str); 10] = [
    (
        "secret",
        "secret codecommit-mirror/user-dev-mirror",
        MISSING,
    ),
    (
        "secret for 30 days",
        "secret codecommit-mirror/user-dev-mirror",
        MISSING,
    ),
    (
        "tags of the secret",
        "secret codecommit-mirror/user-dev-mirror",
        MISSING,
    ),
    (
        "one tag of the secret",
        "secret codecommit-mirror/user-dev-mirror",
        MISSING,
    ),
    ("IAM user", "IAM user user-dev-mirror", MISSING),
    ("pipeline", "pipeline stack gitops-dev-shop", MISSING),
    (
        "repository of a pipeline",
        "pipeline stack gitops-dev-shop",
        MISSING,
    ),
    ("event rule", "pipeline stack gitops-dev-shop", MISSING),
    (
        "event rule of reviews",
        "pipeline stack gitops-dev-shop",
        MISSING,
    ),
    (
        "repository of a mirror",
        "the mirror of project platform/infra to repository codecommit-dev-cfn-infra",
        MIRRORS,
    ),
];

#[tokio::test(start_paused = true)]
async fn deletion_by_hand_is_found_until_its_remedy_ends_it() {
    for (what, subject, alarm) in DELETED {
        let mut world = world().await;
        let mut checks = vec![look(&world.fake).await];
        checks[0].assert_healthy();
        assert_eq!(alarms::raised(&checks), [""; 0]);
        world.delete(what).await;
        let mut problem = String::new();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_mins(15)).await;
            let (looked, found) = look_and_find(&world, subject).await;
            problem = found;
            checks.push(looked);
            let raised = alarms::raised(&checks);
            // The alarm of mirrors needs two checks.
            let is_raised = raised.iter().any(|name| name == alarm);
            assert!(is_raised || checks.len() == 2, "{what}: {raised:?}");
        }
        assert_problem(&world.fake, subject, &[&problem]).await;
        world.execute(&problem).await;
        let context = format!("{what}: {problem}");
        for _ in 0..2 {
            checks.push(look(&world.fake).await);
            assert_eq!(checks.last().expect("a check").unhealthy(), "", "{context}");
        }
        assert_eq!(alarms::raised(&checks), [""; 0], "{context}");
        let after = diagnosed(&world.fake).await;
        let mut problems = after.iter().filter_map(|(_, problem)| problem.as_ref());
        assert_eq!(problems.next(), None, "{context}");
    }
}

/// A stack that imports the function's `ServiceToken` and owns a pipeline's stack, which a person
/// deletes.
#[tokio::test(start_paused = true)]
async fn deleted_child_stack_is_found_by_the_imports() {
    const FOUND: &str = "pipeline stack gitops-dev-shop";
    // The logical ID of templates/project.yaml, another one, and that of a stack with a credential.
    for (logical_id, subject) in [("Pipeline", FOUND), ("Shop", "stack shop")] {
        let mut world = world().await;
        let fake = world.fake.clone();
        fake.change(|aws| {
            let key = ("cfn-gitops-dev-ServiceToken").to_owned();
            aws.stacks
                .imports
                .insert(key, vec!["blog".into(), "shop".into()]);
        });
        look(&fake).await.assert_healthy();
        fake.change(|aws| aws.stacks.declared.clear());
        world.declare(&world.shop, logical_id);
        world.delete_child().await;
        let mut checks = vec![];
        for _ in 0..3 {
            let (looked, problem) = look_and_find(&world, subject).await;
            assert!(problem.contains("such as R"), "{problem}");
            checks.push(looked);
            assert_eq!(alarms::raised(&checks), ["MissingResourcesAlarm"]);
        }
        world
            .execute("a changed property, such as RenderingSerial")
            .await;
        look(&fake).await.assert_healthy();
    }
}

/// The stack deletes or updates the resource now, or has deleted it: no finding.
#[tokio::test(start_paused = true)]
async fn rightful_absence_is_no_finding() {
    for status in [
        "DELETE_IN_PROGRESS",
        "UPDATE_IN_PROGRESS",
        "DELETE_COMPLETE",
    ] {
        let world = world().await;
        let fake = &world.fake;
        fake.change(|aws| {
            let declared = aws.stacks.declared.values_mut();
            declared.for_each(|one| one.status = status);
            drop(aws.secrets.remove(SECRET));
        });
        look(fake).await.assert_healthy();
        fake.change(|aws| {
            let declared = aws.stacks.declared.values_mut();
            declared.for_each(|one| one.status = "NEW");
        });
        look_and_find(&world, "secret codecommit-mirror/user-dev-mirror").await;
    }
}

/// In an environment without a loss, it costs one page of users and one of imports.
#[tokio::test(start_paused = true)]
async fn sound_environment_costs_two_lists() {
    let world = world().await;
    let fake = &world.fake;
    fake.options(|options| options.page_length = None);
    let before = fake.journal().len();
    look_by_schedule(fake, Duration::from_mins(15), Duration::from_secs(800))
        .await
        .assert_healthy();
    let calls = fake.journal();
    let count = |operation: &str| {
        let mut calls = calls[before..].iter();
        calls
            .by_ref()
            .filter(|entry| entry.operation == operation)
            .count()
    };
    for (operation, expected) in [
        ("ListUsers", 1),
        ("ListImports", 1),
        ("ListUserTags", 2),
        ("DescribeStackResource", 0),
        ("ListSecrets", 1),
    ] {
        assert_eq!(count(operation), expected, "{operation}");
    }
}

/// The stack of the function does not import its own export.
#[tokio::test(start_paused = true)]
async fn first_project_is_declared_by_the_event() {
    let world = world().await;
    let fake = &world.fake;
    let stack_id = owner(fake, "cfn-gitops-dev");
    let first = FirstProject {
        stack_id: stack_id.clone(),
        pipeline_stack: CHILD.to_owned(),
        secret: SECRET.to_owned(),
    };
    fake.change(|aws| aws.stacks.declared.clear());
    fake.declare(&stack_id, "Project", "Custom::GitOpsPipeline", CHILD);
    fake.declare(
        &stack_id,
        "MirrorCredential",
        "Custom::MirrorCredential",
        SECRET,
    );
    look_with_first_project(fake, &first).await.assert_healthy();
    world.delete_child().await;
    world.delete("IAM user").await;
    world.delete("secret").await;
    let looked = look_with_first_project(fake, &first).await;
    let unhealthy = looked.unhealthy();
    assert!(
        unhealthy.contains("pipeline stack gitops-dev-shop: it does not exist"),
        "{unhealthy}"
    );
    assert!(
        unhealthy.contains(&format!("secret {SECRET}: it does not exist")),
        "{unhealthy}"
    );
    assert_eq!(looked.value("MissingResources", "").to_string(), "2");
    // A denied list is a failed check, and no finding.
    fake.deny("cloudformation:ListImports", "");
    let denied = look_with_first_project(fake, &first).await;
    assert!(denied.has_failed(), "{}", denied.summary);
}

/// A deleted rule is not a freeze: the push is deployed, and each further check finds the rule.
#[tokio::test(start_paused = true)]
async fn deleted_event_rule_freezes_nothing() {
    let world = world().await;
    let fake = &world.fake;
    world.delete("event rule").await;
    fake.push_to_gitlab("platform/shop", "main", "c2");
    fake.push(SHOP, "main", "c2");
    let interval = Duration::from_mins(15);
    let mut looks = vec![];
    for _ in 0..3 {
        looks.push(look_by_schedule(fake, interval, Duration::from_secs(800)).await);
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    assert_eq!(looks[0].texts("Started"), [PIPELINE]);
    for looked in &looks {
        assert_eq!(looked.value("MissingResources", "").to_string(), "1");
    }
    assert_eq!(fake.look(|aws| aws.pipelines[PIPELINE].executions.len()), 2);
}
