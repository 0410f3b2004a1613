//! Resources that a person deletes: each check finds them, the alarm of the template stays until the repair, and
//! the remedy of the finding, executed word for word, ends healthy.

use std::time::Duration;

use aws_sdk_cloudformation::types::{Parameter, StackStatus, Tag};
use expect_test::expect;
use serde_json::{Value, json};

use crate::alarms;
use crate::fixture::{
    Looked, PROJECT, REPOSITORY, SECRET, TOKEN, USER, create_pipeline, diagnosed, empty_world,
    look, look_as, look_by_schedule, look_with_first_project, mirrored, mirrored_from, owner,
    problem_of, properties, remedy_of, show_declared,
};
use cfn_gitops::health_check::FirstProject;
use fake_aws::clients::Clients;
use fake_aws::{FakeAws, Fault, FaultKind, redacted};
use test_support::commands;
use test_support::custom_resource::ParentStack;

const CHILD: &str = "gitops-dev-shop";
const PIPELINE: &str = "codepipeline-dev-cfn-shop";
const SHOP: &str = "codecommit-dev-cfn-shop";
const OTHER: &str = "platform/other";
const INTERVAL: Duration = Duration::from_mins(15);
const LONG: Duration = Duration::from_secs(800);

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
    fake.protect("platform/shop", &["main", "review/*"]);
    let blog = json!({
        "EnvID": "dev", "ProjectID": "blog", "BranchMap": {"dev": "main"},
        "ImageSource": {"RepositoryName": "team/base"},
    });
    create_pipeline(&fake, &blog).await;
    let shop = create_pipeline(&fake, &shop()).await;
    for project in ["blog", "shop"] {
        fake.push(&format!("codecommit-dev-cfn-{project}"), "main", "c1");
        fake.push_to_gitlab("platform/shop", "main", "c1");
    }
    look(&fake).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    World { fake, mirror, shop }
}

impl World {
    /// CloudFormation's record of the pipeline's resource, under this logical ID of this stack.
    fn declare_shop(&self, stack_id: &str, logical_id: &str) {
        self.fake.declare(stack_id, logical_id, "Custom::GitOpsPipeline", CHILD);
    }

    fn person(&self) -> Clients {
        Clients::over(self.fake.connector("a person"))
    }

    async fn delete_child(&self) {
        let call = self.person().cloudformation.delete_stack();
        call.stack_name(CHILD).send().await.expect("a stack");
        tokio::time::sleep(Duration::from_mins(2)).await;
    }

    /// A person deletes this.
    async fn delete(&self, what: &str) {
        let fake = &self.fake;
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
            "tags of the secret and of its user" => fake.change(|aws| {
                let secret = aws.secrets.get_mut(SECRET).expect("a secret");
                secret.tags.clear();
                let now = aws.now;
                aws.iam.change(now, |iam| {
                    iam.users.get_mut(USER).expect("a user").tags.clear();
                });
            }),
            "owner's tags of the secret and of its user" => fake.change(|aws| {
                let secret = aws.secrets.get_mut(SECRET).expect("a secret");
                secret.tags.remove("cfn-gitops:logical-id").expect("a tag");
                let now = aws.now;
                aws.iam.change(now, |iam| {
                    iam.users.get_mut(USER).expect("a user").tags.clear();
                });
            }),
            // `aws cloudformation update-stack --tags` of a person keeps only the given tags.
            "tags of the child stack" => {
                let call = self.person().cloudformation.update_stack();
                let tag = Tag::builder().key("CostCenter").value("42").build();
                let call = call.stack_name(CHILD).use_previous_template(true).tags(tag);
                let names =
                    fake.look(|aws| aws.stacks.named(CHILD).expect("a child").parameters.clone());
                let parameters = names.into_keys().map(|name| {
                    let parameter = Parameter::builder().parameter_key(name);
                    parameter.use_previous_value(true).build()
                });
                let call = call.set_parameters(Some(parameters.collect()));
                call.send().await.expect("a stack");
                tokio::time::sleep(Duration::from_mins(2)).await;
            }
            "IAM user" => {
                let id = fake.look(|aws| aws.credentials(USER)[0].id.clone());
                fake.change(|aws| aws.withdraw(USER, &id));
                fake.delete_user(USER).expect("a user");
            }
            "child stack" => self.delete_child().await,
            "repository of a pipeline" => fake.change(|aws| aws.codecommit.remove(SHOP)),
            "repository of a mirror" => fake.change(|aws| aws.codecommit.remove(REPOSITORY)),
            other => {
                let (stack, part) = part_of(other);
                fake.drift(stack, part, "DELETED");
            }
        }
    }

    /// Executes the remedy of a finding: its commands, and its updates of a resource.
    async fn execute(&mut self, remedy: &str) {
        let fake = self.fake.clone();
        commands::run(&fake, remedy).await;
        if remedy.contains("a new RotationSerial") {
            let mut changed = properties(USER, PROJECT, REPOSITORY);
            changed["RotationSerial"] = json!("2");
            self.mirror.update(&changed, None).await.assert_success();
        }
        if remedy.contains("with a changed property, such as RenderingSerial") {
            let mut changed = shop();
            changed["RenderingSerial"] = json!("again");
            self.shop.update(&changed, None).await.assert_success();
            fake.push(SHOP, "main", "c1");
        }
        if remedy.contains("push to the project") {
            fake.push_to_gitlab(PROJECT, "main", "c2");
        }
        if remedy.contains("remove the former mirror") {
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

/// A part of a pipeline's stack, with its stack.
fn part_of(what: &str) -> (&str, &str) {
    match what {
        "pipeline" => (CHILD, "Pipeline"),
        "event rule" => (CHILD, "EventRule"),
        "event rule of reviews" => (CHILD, "ReviewRule"),
        "event rule of images" => ("gitops-dev-blog", "ImageEventRule"),
        other => panic!("{other}"),
    }
}

/// The remedy of the only unhealthy subject, which is this one. The mirrors of a user cannot push
/// without it.
fn only_remedy(looked: &Looked, subject: &str) -> String {
    assert!(!looked.has_failed(), "{}", looked.summary);
    let unhealthy = looked.summary["Unhealthy"].as_array().expect("a list");
    let is_own = |found: &&Value| found["Problem"] != "its IAM user user-dev-mirror does not exist";
    let unhealthy: Vec<_> = unhealthy.iter().filter(is_own).collect();
    assert_eq!(unhealthy.len(), 1, "{unhealthy:?}");
    assert_eq!(unhealthy[0]["Subject"], subject);
    remedy_of(unhealthy[0])
}

/// A health check that finds one problem, about this subject. The other project keeps its metrics.
async fn look_and_find(world: &World, subject: &str) -> (Looked, String) {
    let looked = look(&world.fake).await;
    let remedy = only_remedy(&looked, subject);
    assert!(looked.is_healthy(OTHER));
    looked.value("CredentialAge", "user-dev-other");
    looked.value("ApprovalsWaiting", "codepipeline-dev-cfn-blog");
    (looked, remedy)
}

const MISSING: &str = "MissingResourcesAlarm";
const MIRRORS: &str = "MirrorsAlarm";

/// The deleted thing, the subject of the finding, and the alarm.
const DELETED: [(&str, &str, &str); 11] = [
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
        "event rule of images",
        "pipeline stack gitops-dev-blog",
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
        let mut remedy = String::new();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_mins(15)).await;
            let (looked, found) = look_and_find(&world, subject).await;
            remedy = found;
            checks.push(looked);
            let raised = alarms::raised(&checks);
            // The alarm of mirrors needs two checks.
            let is_due = alarm == MISSING || checks.len() > 2;
            let is_raised = raised.iter().any(|name| name == alarm);
            assert_eq!(is_raised, is_due, "{what}: {raised:?}");
        }
        // Only the health check finds this mirror, which belongs to no pipeline.
        if alarm == MISSING {
            assert!(problem_of(&world.fake, subject).await.ends_with(&redacted(&remedy)));
        }
        world.execute(&remedy).await;
        let context = format!("{what}: {remedy}");
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

fn import(fake: &FakeAws, names: &[&str]) {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let export = "cfn-gitops-dev-ServiceToken".to_owned();
    fake.change(|aws| aws.stacks.imports.insert(export, names));
}

/// A stack that imports the function's `ServiceToken` and owns only a pipeline's stack, which a
/// person deletes, or whose tags they remove. Its logical ID is that of `templates/project.yaml`,
/// or another one.
#[tokio::test(start_paused = true)]
async fn deleted_child_stack_is_found_by_the_imports() {
    for (logical_id, lost) in [
        ("Pipeline", "child stack"),
        ("Shop", "child stack"),
        ("Project", "tags of the child stack"),
    ] {
        let mut world = world().await;
        let fake = world.fake.clone();
        import(&fake, &["blog", "shop", "shop-admin"]);
        fake.change(|aws| {
            let former = (world.shop.arn.clone(), "Project".to_owned());
            aws.stacks.declared.remove(&former);
            let child = aws.stacks.named_mut(CHILD).expect("a child");
            let tag = "cfn-gitops:logical-id".to_owned();
            child.tags.insert(tag, logical_id.to_owned());
        });
        world.declare_shop(&world.shop.arn, logical_id);
        // An importing stack without a resource of the environment has lost nothing.
        owner(&fake, "shop-admin");
        look(&fake).await.assert_healthy();
        world.delete(lost).await;
        let (mut checks, mut remedy) = (vec![], String::new());
        for _ in 0..3 {
            let looked = look_by_schedule(&fake, INTERVAL, LONG).await;
            remedy = only_remedy(&looked, "pipeline stack gitops-dev-shop");
            checks.push(looked);
            assert_eq!(alarms::raised(&checks), ["MissingResourcesAlarm"]);
            tokio::time::sleep(INTERVAL).await;
        }
        world.execute(&remedy).await;
        // The resource that creates it again.
        world.declare_shop(&world.shop.arn, "Project");
        look(&fake).await.assert_healthy();
    }
}

/// In each status of the stack that has lost everything. An operation that runs or failed may have
/// deleted it itself.
#[tokio::test(start_paused = true)]
async fn deletion_is_found_unless_an_operation_deletes() {
    for (lost, subject) in [
        (&["child stack"][..], "pipeline stack gitops-dev-shop"),
        (
            &["secret", "IAM user"][..],
            "secret codecommit-mirror/user-dev-mirror",
        ),
    ] {
        let world = world().await;
        let fake = &world.fake;
        let id = if lost.contains(&"secret") {
            &world.mirror.arn
        } else {
            &world.shop.arn
        };
        let name = id.split('/').nth(1).expect("a name");
        fake.change(|aws| {
            let mut stack = aws.stacks.named("shop").expect("a stack").clone();
            (stack.id, stack.name) = (id.clone(), name.to_owned());
            aws.stacks.all.insert(id.clone(), stack);
        });
        import(fake, &[name]);
        for what in lost {
            world.delete(what).await;
        }
        for status in StackStatus::values() {
            fake.change(|aws| aws.stacks.all.get_mut(id).expect("it").status = status);
            let looked = look(fake).await;
            let may_delete = status.ends_with("_IN_PROGRESS")
                || ["DELETE_COMPLETE", "DELETE_FAILED", "ROLLBACK_FAILED"].contains(status);
            let expected = usize::from(!may_delete);
            assert_eq!(looked.texts("Unhealthy").len(), expected, "{status}");
            assert_eq!(
                looked.unhealthy().contains(subject),
                !may_delete,
                "{status}"
            );
        }
    }
}

/// The stack still owns its secret, whose mirror leads to the repository of the pipeline.
#[tokio::test(start_paused = true)]
async fn deleted_child_stack_is_found_beside_its_secret() {
    let mut shown = vec![];
    for logical_id in ["Pipeline", "Shop"] {
        let world = world().await;
        let fake = &world.fake;
        let mirror = mirrored_from(fake, "user-dev-shop", "platform/shop", SHOP).await;
        let stack_id = mirror.arn.clone();
        let name = stack_id.split('/').nth(1).expect("a name").to_owned();
        fake.change(|aws| {
            let mut stack = aws.stacks.named("shop").expect("a stack").clone();
            (stack.id, stack.name) = (stack_id.clone(), name.clone());
            aws.stacks.all.insert(stack_id.clone(), stack);
            let child = aws.stacks.named_mut(CHILD).expect("a child");
            child.tags.insert("cfn-gitops:stack-id".to_owned(), stack_id.clone());
        });
        import(fake, &[&name]);
        world.declare_shop(&stack_id, logical_id);
        tokio::time::sleep(INTERVAL).await;
        look_by_schedule(fake, INTERVAL, LONG).await.assert_healthy();
        world.delete_child().await;
        let mut found = vec![];
        for _ in 0..3 {
            let looked = look_by_schedule(fake, INTERVAL, LONG).await;
            found.push(looked.unhealthy());
            assert_eq!(looked.value("MissingResources", "").to_string(), "1");
            tokio::time::sleep(INTERVAL).await;
        }
        found.dedup();
        shown.extend(found);
    }
    expect![[r#"
        the mirror of project platform/shop to repository codecommit-dev-cfn-shop: repository codecommit-dev-cfn-shop does not exist. If a Custom::GitOpsPipeline creates it, delete the stack of that resource if it exists, then update the resource with a changed property, such as RenderingSerial (in the templates of a release: the parameter GitLabProjectUrl or ResourceTags). Otherwise create it again: `aws codecommit create-repository --repository-name codecommit-dev-cfn-shop`. Then push to the project
        pipeline stack gitops-dev-shop: it does not exist, so pushes deploy nothing. Create it again: update resource Pipeline of stack arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/1-user-dev-shop with a changed property, such as RenderingSerial or Tags (in the templates of a release: the parameter GitLabProjectUrl or ResourceTags), and push to the branch again
        the mirror of project platform/shop to repository codecommit-dev-cfn-shop: repository codecommit-dev-cfn-shop does not exist. If a Custom::GitOpsPipeline creates it, delete the stack of that resource if it exists, then update the resource with a changed property, such as RenderingSerial (in the templates of a release: the parameter GitLabProjectUrl or ResourceTags). Otherwise create it again: `aws codecommit create-repository --repository-name codecommit-dev-cfn-shop`. Then push to the project
        pipeline stack gitops-dev-shop: it does not exist, so pushes deploy nothing. Create it again: update resource Shop of stack arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/1-user-dev-shop with a changed property, such as RenderingSerial or Tags (in the templates of a release: the parameter GitLabProjectUrl or ResourceTags), and push to the branch again"#]].assert_eq(&shown.join("\n"));
}

/// A stack with two pipelines, or one that only imports for another one, still owns a stack.
#[tokio::test(start_paused = true)]
async fn deleted_child_stack_is_found_beside_another_within_a_day() {
    let world = world().await;
    let fake = &world.fake;
    let blog = fake.look(|aws| aws.stacks.named("blog").expect("a stack").id.clone());
    fake.change(|aws| {
        let child = aws.stacks.named_mut(CHILD).expect("a child");
        let tags = [("stack-id", &*blog), ("logical-id", "Shop")];
        child
            .tags
            .extend(tags.map(|(key, value)| (format!("cfn-gitops:{key}"), value.to_owned())));
    });
    world.declare_shop(&blog, "Shop");
    let mut shown = vec![];
    for has_import in [true, false] {
        if has_import {
            import(fake, &["blog"]);
            look(fake).await.assert_healthy();
            world.delete_child().await;
        } else {
            fake.change(|aws| aws.stacks.imports.clear());
        }
        let mut found = vec![];
        let interval = Duration::from_hours(6);
        for _ in 0..4 {
            let looked = look_by_schedule(fake, interval, LONG).await;
            found.extend(looked.texts("Unhealthy"));
            tokio::time::sleep(interval).await;
        }
        assert_eq!(found.len(), 1, "{found:?}");
        shown.extend(found);
    }
    shown.dedup();
    expect!["pipeline stack gitops-dev-shop: it does not exist, so pushes deploy nothing. Create it again: update resource Shop of stack arn:aws:cloudformation:eu-central-1:123456789012:stack/blog/<uuid> with a changed property, such as RenderingSerial or Tags (in the templates of a release: the parameter GitLabProjectUrl or ResourceTags), and push to the branch again"].assert_eq(&redacted(&shown.join("\n")));
}

fn other_stack_tag() -> (String, String) {
    ("cfn-gitops:stack-id".to_owned(), "arn:another".to_owned())
}

/// Beside its secret, whose mirror leads elsewhere, each check finds the stack without tags, under any
/// logical ID.
#[tokio::test(start_paused = true)]
async fn untagged_child_stack_is_found_beside_a_secret() {
    let mut world = world().await;
    let fake = world.fake.clone();
    let stack_id = world.mirror.arn.clone();
    let name = stack_id.split('/').nth(1).expect("a name").to_owned();
    fake.change(|aws| {
        let mut stack = aws.stacks.named("shop").expect("a stack").clone();
        (stack.id, stack.name) = (stack_id.clone(), name.clone());
        aws.stacks.all.insert(stack_id.clone(), stack);
    });
    import(&fake, &[&name]);
    world.declare_shop(&stack_id, "Shop");
    world.delete("tags of the child stack").await;
    let mut found = vec![];
    for _ in 0..3 {
        let looked = look_by_schedule(&fake, INTERVAL, LONG).await;
        found.push(looked.unhealthy());
        assert_eq!(looked.value("MissingResources", "").to_string(), "1");
        tokio::time::sleep(INTERVAL).await;
    }
    found.dedup();
    expect![[r#"pipeline stack gitops-dev-shop: no tags name the resource that owns it, so nothing is reported to GitLab, no lost push is started, and every update and deletion fails. Set them again: aws cloudformation update-stack --stack-name gitops-dev-shop --use-previous-template --tags '[{"Key":"CostCenter","Value":"42"},{"Key":"cfn-gitops:logical-id","Value":"Shop"},{"Key":"cfn-gitops:stack-id","Value":"arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/1-user-dev-mirror"}]' --parameters ParameterKey=BranchExists,UsePreviousValue=true ParameterKey=EnvID,UsePreviousValue=true ParameterKey=FunctionArn,UsePreviousValue=true ParameterKey=ProjectID,UsePreviousValue=true"#]].assert_eq(&found.join("\n"));
    fake.change(|aws| {
        let child = aws.stacks.named_mut(CHILD).expect("a child");
        child.tags.extend([other_stack_tag()]);
    });
    let looked = look(&fake).await;
    expect![[r#"pipeline stack gitops-dev-shop: no tags name the resource that owns it, except cfn-gitops:stack-id, which names stack arn:another, so nothing is reported to GitLab, no lost push is started, and every update and deletion fails. Set them again: aws cloudformation update-stack --stack-name gitops-dev-shop --use-previous-template --tags '[{"Key":"CostCenter","Value":"42"},{"Key":"cfn-gitops:logical-id","Value":"Shop"},{"Key":"cfn-gitops:stack-id","Value":"arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/1-user-dev-mirror"}]' --parameters ParameterKey=BranchExists,UsePreviousValue=true ParameterKey=EnvID,UsePreviousValue=true ParameterKey=FunctionArn,UsePreviousValue=true ParameterKey=ProjectID,UsePreviousValue=true"#]].assert_eq(&looked.unhealthy());
    let remedy = only_remedy(&looked, "pipeline stack gitops-dev-shop");
    world.execute(&remedy).await;
    let tags = fake.look(|aws| aws.stacks.named(CHILD).expect("a child").tags.clone());
    assert_eq!(tags["CostCenter"], "42");
    look(&fake).await.assert_healthy();
}

/// Neither the tags of the secret nor those of its user name the owner. The stack shows the secret.
#[tokio::test(start_paused = true)]
async fn secret_and_user_without_tags_are_found_by_the_stack() {
    let mut shown = vec![];
    for what in [
        "tags of the secret and of its user",
        "owner's tags of the secret and of its user",
    ] {
        let mut world = world().await;
        let fake = world.fake.clone();
        let stack_id = world.mirror.arn.clone();
        let name = stack_id.split('/').nth(1).expect("a name").to_owned();
        fake.change(|aws| {
            let mut stack = aws.stacks.named("shop").expect("a stack").clone();
            (stack.id, stack.name) = (stack_id.clone(), name.clone());
            aws.stacks.all.insert(stack_id.clone(), stack);
        });
        import(&fake, &[&name]);
        look(&fake).await.assert_healthy();
        world.delete(what).await;
        let looked = look(&fake).await;
        let subject = "secret codecommit-mirror/user-dev-mirror";
        let remedy = only_remedy(&looked, subject);
        fake.change(|aws| {
            let secret = aws.secrets.get_mut(SECRET).expect("the secret");
            secret.tags.extend([other_stack_tag()]);
        });
        let looked = look(&fake).await;
        shown.push(looked.unhealthy());
        assert_eq!(only_remedy(&looked, subject), remedy);
        world.execute(&remedy).await;
        look(&fake).await.assert_healthy();
    }
    shown.dedup();
    expect!["secret codecommit-mirror/user-dev-mirror: its tags were removed, except cfn-gitops:stack-id, which names stack arn:another, so every update and rotation fails. Set them again: aws secretsmanager tag-resource --secret-id codecommit-mirror/user-dev-mirror --tags Key=cfn-gitops:stack-id,Value=arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/1-user-dev-mirror Key=cfn-gitops:logical-id,Value=Credential Key=cfn-gitops:user-name,Value=user-dev-mirror"].assert_eq(&shown.join("\n"));
}

/// In one look, a service answers once that something does not exist.
#[tokio::test(start_paused = true)]
async fn one_wrong_answer_makes_nothing_missing() {
    let world = world().await;
    // The second secret is that of GitLab's token.
    for (operation, calls) in [
        ("GetBranch", 2),
        ("DescribeSecret", 1),
        ("ListUserTags", 2),
        ("ListServiceSpecificCredentials", 2),
        ("DescribeStackResource", 1),
        ("ListPipelineExecutions", 4),
        ("DescribeRule", 4),
    ] {
        for index in 0..calls {
            let caller = format!("{operation} {index}");
            let fault = Fault::on(operation, index, FaultKind::NotFoundYet);
            world.fake.inject(&caller, fault);
            let looked = look_as(&world.fake, &caller, LONG).await;
            assert!(!looked.has_failed(), "{caller}: {}", looked.summary);
            assert_eq!(looked.unhealthy(), "", "{caller}");
            tokio::time::sleep(INTERVAL).await;
        }
    }
    assert_eq!(world.fake.faults_left(), 0);
}

/// A nested stack owns the resources, and its parent imports the token for it.
#[tokio::test(start_paused = true)]
async fn parent_of_an_owner_is_no_finding() {
    let world = world().await;
    let fake = &world.fake;
    let parent = owner(fake, "parent");
    import(fake, &["parent"]);
    fake.deny("cloudformation:ListStackResources", "stack/parent");
    assert!(look(fake).await.has_failed());
    let nested = world.shop.arn.clone();
    fake.change(|aws| aws.stacks.roots.insert(nested, parent));
    look(fake).await.assert_healthy();
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
        show_declared(fake, "Custom::MirrorCredential", status);
        fake.change(|aws| drop(aws.secrets.remove(SECRET)));
        look(fake).await.assert_healthy();
        show_declared(fake, "Custom::MirrorCredential", "NEW");
        look_and_find(&world, "secret codecommit-mirror/user-dev-mirror").await;
    }
}

/// In an environment without a loss, it costs one page of users, one of imports, and a look at each
/// event rule.
#[tokio::test(start_paused = true)]
async fn sound_environment_costs_lists_and_rules() {
    let world = world().await;
    let fake = &world.fake;
    fake.options(|options| options.page_length = None);
    let user = |name: &str, path: &str| {
        fake.user(name);
        fake.change(|aws| {
            let now = aws.now;
            aws.iam.change(now, |iam| {
                iam.users.get_mut(name).expect("a user").path = path.to_owned();
            });
        });
    };
    // The function's role may not read it.
    user("user-dev-alice", "/people/");
    fake.deny("iam:ListUserTags", "user-dev-alice");
    let before = fake.journal().len();
    look_by_schedule(fake, INTERVAL, LONG).await.assert_healthy();
    let calls = fake.journal();
    for (operation, expected) in [
        ("ListUsers", 1),
        ("ListImports", 1),
        ("ListUserTags", 2),
        ("DescribeStackResource", 0),
        ("ListStackResources", 0),
        ("ListSecrets", 1),
        ("DescribeRule", 4),
    ] {
        let calls = calls[before..].iter();
        let count = calls.filter(|entry| entry.operation == operation).count();
        assert_eq!(count, expected, "{operation}");
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
    for kind in ["Custom::GitOpsPipeline", "Custom::MirrorCredential"] {
        show_declared(fake, kind, "UPDATE_IN_PROGRESS");
    }
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
    expect![[r#"
        pipeline stack gitops-dev-shop: it does not exist, so pushes deploy nothing. Create it again: update resource Project of stack arn:aws:cloudformation:eu-central-1:123456789012:stack/cfn-gitops-dev/<uuid> with a changed property, such as RenderingSerial or Tags (in the templates of a release: the parameter GitLabProjectUrl or ResourceTags), and push to the branch again
        secret codecommit-mirror/user-dev-mirror: it does not exist, so rotations and updates fail. Create its IAM user again if that does not exist, with its policies. Then update resource MirrorCredential of stack arn:aws:cloudformation:eu-central-1:123456789012:stack/cfn-gitops-dev/<uuid> with a new RotationSerial, and remove the former mirror in the project's Settings, Repository, Mirroring repositories"#]].assert_eq(&looked.unhealthy());
    assert_eq!(looked.value("MissingResources", "").to_string(), "2");
    // A denied list is a failed check, and no finding.
    fake.deny("cloudformation:ListImports", "");
    let denied = look_with_first_project(fake, &first).await;
    assert!(denied.has_failed(), "{}", denied.summary);
}

/// A deleted rule is not a freeze: the push is deployed, and each check finds the rule.
#[tokio::test(start_paused = true)]
async fn deleted_event_rule_freezes_nothing() {
    let world = world().await;
    let fake = &world.fake;
    world.delete("event rule").await;
    fake.push_to_gitlab("platform/shop", "main", "c2");
    fake.push(SHOP, "main", "c2");
    let mut looks = vec![];
    for _ in 0..3 {
        looks.push(look_by_schedule(fake, INTERVAL, LONG).await);
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    assert_eq!(looks[0].texts("Started"), [PIPELINE]);
    for looked in &looks {
        assert_eq!(looked.value("MissingResources", "").to_string(), "1");
    }
    assert_eq!(fake.look(|aws| aws.pipelines[PIPELINE].executions.len()), 2);
}

/// Secrets Manager shows a deleted secret for a while, also one that its stack deletes.
#[tokio::test(start_paused = true)]
async fn secret_that_its_stack_deletes_is_no_finding() {
    let world = world().await;
    let fake = &world.fake;
    world.delete("secret for 30 days").await;
    look_and_find(&world, "secret codecommit-mirror/user-dev-mirror").await;
    let key = (
        world.mirror.arn.clone(),
        world.mirror.kind.logical_id.to_owned(),
    );
    fake.change(|aws| aws.stacks.declared.get_mut(&key).expect("it").status = "DELETE_IN_PROGRESS");
    look(fake).await.assert_healthy();
    fake.change(|aws| aws.stacks.declared.remove(&key));
    fake.options(|options| options.resource_status = Some(""));
    look(fake).await.assert_healthy();
}
