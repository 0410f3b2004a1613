//! A person's `update-stack --tags` removes the tags that name the owner of a child stack.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use crate::checks::{assert_runs, delete_completely, runs, shape};
use crate::fixture::{
    CHILD, PIPELINE, REPOSITORY, RULE, changed, fake, paused, properties, push, ruled, stack, with,
};
use fake_aws::{FakeAws, Options, redacted};
use test_support::commands;
use test_support::custom_resource::{INVENTED_ID, ParentStack, answers_are_sound};

const MISSING: &str = "the tags that name its owner are missing";

/// Plays a minute after the Create of the resource, and deletes it. A person touches the stack, so
/// the invariant about what others own does not hold.
fn after_create(wanted: &Value, play: impl AsyncFnOnce(&FakeAws, &mut ParentStack)) {
    paused(async {
        let fake = fake(Options::default());
        let mut stack = stack(&fake);
        stack.create(wanted).await.assert_success();
        tokio::time::sleep(Duration::from_mins(1)).await;
        play(&fake, &mut stack).await;
        delete_completely(&mut stack).await;
        answers_are_sound(&fake);
    });
}

/// CloudFormation keeps only the given tags.
async fn remove_tags(fake: &FakeAws) {
    let parameters = ["BranchExists", "EnvID", "FunctionArn", "ProjectID"];
    let keep = parameters.map(|name| format!(" ParameterKey={name},UsePreviousValue=true"));
    let command = format!(
        "aws cloudformation update-stack --stack-name {CHILD} --use-previous-template --tags \
         '[{{\"Key\":\"CostCenter\",\"Value\":\"42\"}}]' --parameters{}",
        keep.concat()
    );
    commands::run(fake, &command).await;
    fake.look(|aws| {
        let tags = &aws.stacks.named(CHILD).expect("a child").tags;
        assert_eq!(tags.keys().collect::<Vec<_>>(), ["CostCenter"]);
    });
}

/// The Update changes nothing, its rollback succeeds, and the command of the reason makes the same
/// Update succeed.
// claim: nothing-without-tags-is-adopted-by-its-physical-id
#[test]
fn update_without_tags_fails_with_the_command_that_adds_them() {
    for is_pushed in [false, true] {
        after_create(&ruled(), async |fake, stack| {
            if is_pushed {
                push(fake, REPOSITORY, "commit-1", "first").await;
            }
            remove_tags(fake).await;
            let found = fake.look(shape);
            let wanted = changed(properties());
            // The rollback is asserted.
            let outcome = stack.update(&wanted, None).await;
            outcome.assert_reason([MISSING, "aws cloudformation update-stack"]);
            let reason = outcome.reason();
            assert!(!reason.contains("delete-stack"), "{reason}");
            assert_eq!(fake.look(shape), found, "something was changed");
            fake.look(|aws| assert!(aws.codecommit.rule_templates.contains_key(RULE)));
            if is_pushed {
                assert_runs(fake, &[("commit-1", 1)]);
            }
            commands::run(fake, reason).await;
            fake.look(|aws| {
                let tags = &aws.stacks.named(CHILD).expect("a child").tags;
                assert_eq!(tags["CostCenter"], "42");
            });
            stack.update(&wanted, None).await.assert_success();
            fake.look(|aws| assert!(!aws.codecommit.rule_templates.contains_key(RULE)));
        });
    }
}

/// The Update had changed the stack before the tags were removed.
#[test]
fn rollback_that_needs_the_tags_fails() {
    after_create(&properties(), async |fake, stack| {
        push(fake, REPOSITORY, "commit-1", "first").await;
        let wanted = changed(properties());
        let update = stack.request_update(&wanted);
        stack.deliver(&update).await.assert_success();
        tokio::time::sleep(Duration::from_mins(1)).await;
        let before = fake.look(|aws| runs(aws, PIPELINE));
        remove_tags(fake).await;
        let back = stack.request("Update", Some(CHILD), &properties(), Some(&wanted));
        let outcome = stack.deliver(&back).await;
        outcome.assert_reason([MISSING]);
        assert_eq!(fake.look(|aws| runs(aws, PIPELINE)), before);
        commands::run(fake, outcome.reason()).await;
        let back = stack.request("Update", Some(CHILD), &properties(), Some(&wanted));
        stack.deliver(&back).await.assert_success();
    });
}

#[test]
fn delete_without_tags_fails_and_leaves_the_stack() {
    after_create(&ruled(), async |fake, stack| {
        push(fake, REPOSITORY, "commit-1", "first").await;
        remove_tags(fake).await;
        let found = fake.look(shape);
        let delete = stack.request("Delete", Some(CHILD), &ruled(), None);
        let outcome = stack.deliver(&delete).await;
        expect![[r#"deleting stack gitops-dev-shop: the tags that name its owner are missing, so it is left. If it is this resource's, set them with `aws cloudformation update-stack --stack-name gitops-dev-shop --use-previous-template --tags '[{"Key":"CostCenter","Value":"42"},{"Key":"cfn-gitops:logical-id","Value":"Project"},{"Key":"cfn-gitops:stack-id","Value":"arn:aws:cloudformation:eu-central-1:123456789012:stack/shop/<uuid>"}]' --parameters ParameterKey=BranchExists,UsePreviousValue=true ParameterKey=EnvID,UsePreviousValue=true ParameterKey=FunctionArn,UsePreviousValue=true ParameterKey=ProjectID,UsePreviousValue=true`, and delete the parent stack again. If it is another's, delete the parent stack with `--retain-resources Project` - CFG-502"#]].assert_eq(&redacted(outcome.reason()));
        assert_eq!(fake.look(shape), found, "something was deleted");
        commands::run(fake, outcome.reason()).await;
        // The end of the test deletes the resource, and nothing remains.
    });
}

#[test]
fn first_push_to_a_stack_without_tags_changes_nothing() {
    after_create(&properties(), async |fake, stack| {
        remove_tags(fake).await;
        push(fake, REPOSITORY, "commit-1", "first").await;
        assert!(fake.look(|aws| aws.pipelines.is_empty()));
        let outcome = stack.update(&changed(properties()), None).await;
        commands::run(fake, outcome.reason()).await;
    });
}

/// The command replaces the tag, so the reason shows it first.
#[test]
fn remaining_tag_of_another_stack_is_named() {
    let other = "arn:aws:cloudformation:eu-central-1:123456789012:stack/other/1";
    after_create(&properties(), async |fake, stack| {
        remove_tags(fake).await;
        fake.change(|aws| {
            let child = aws.stacks.named_mut(CHILD).expect("a child");
            let tag = ("cfn-gitops:stack-id".to_owned(), other.to_owned());
            child.tags.extend([tag]);
        });
        let wanted = changed(properties());
        let outcome = stack.update(&wanted, None).await;
        expect![[r#"using stack gitops-dev-shop: the tags that name its owner are missing, except cfn-gitops:stack-id, which names stack arn:aws:cloudformation:eu-central-1:123456789012:stack/other/1. If it is this resource's, set them with `aws cloudformation update-stack --stack-name gitops-dev-shop --use-previous-template --tags '[{"Key":"CostCenter","Value":"42"},{"Key":"cfn-gitops:logical-id","Value":"Project"},{"Key":"cfn-gitops:stack-id","Value":"arn:aws:cloudformation:eu-central-1:123456789012:stack/shop/<uuid>"}]' --parameters ParameterKey=BranchExists,UsePreviousValue=true ParameterKey=EnvID,UsePreviousValue=true ParameterKey=FunctionArn,UsePreviousValue=true ParameterKey=ProjectID,UsePreviousValue=true`, and repeat the stack operation - CFG-502"#]].assert_eq(&redacted(outcome.reason()));
        let create = stack.request("Create", None, &properties(), None);
        let outcome = stack.deliver(&create).await;
        expect![[r#"using stack gitops-dev-shop: it exists, and no tags name its owner, except cfn-gitops:stack-id, which names stack arn:aws:cloudformation:eu-central-1:123456789012:stack/other/1. Choose another ProjectID. If an earlier deployment of this pipeline left it, give the stack to this resource with `aws cloudformation update-stack --stack-name gitops-dev-shop --use-previous-template --tags '[{"Key":"CostCenter","Value":"42"},{"Key":"cfn-gitops:logical-id","Value":"Project"},{"Key":"cfn-gitops:stack-id","Value":"arn:aws:cloudformation:eu-central-1:123456789012:stack/shop/<uuid>"}]' --parameters ParameterKey=BranchExists,UsePreviousValue=true ParameterKey=EnvID,UsePreviousValue=true ParameterKey=FunctionArn,UsePreviousValue=true ParameterKey=ProjectID,UsePreviousValue=true` - CFG-502"#]].assert_eq(&redacted(outcome.reason()));
        let delete = stack.request("Delete", Some(CHILD), &properties(), None);
        let outcome = stack.deliver(&delete).await;
        expect![[r#"deleting stack gitops-dev-shop: the tags that name its owner are missing, except cfn-gitops:stack-id, which names stack arn:aws:cloudformation:eu-central-1:123456789012:stack/other/1, so it is left. If it is this resource's, set them with `aws cloudformation update-stack --stack-name gitops-dev-shop --use-previous-template --tags '[{"Key":"CostCenter","Value":"42"},{"Key":"cfn-gitops:logical-id","Value":"Project"},{"Key":"cfn-gitops:stack-id","Value":"arn:aws:cloudformation:eu-central-1:123456789012:stack/shop/<uuid>"}]' --parameters ParameterKey=BranchExists,UsePreviousValue=true ParameterKey=EnvID,UsePreviousValue=true ParameterKey=FunctionArn,UsePreviousValue=true ParameterKey=ProjectID,UsePreviousValue=true`, and delete the parent stack again. If it is another's, delete the parent stack with `--retain-resources Project` - CFG-502"#]].assert_eq(&redacted(outcome.reason()));
        commands::run(fake, outcome.reason()).await;
        stack.update(&wanted, None).await.assert_success();
    });
}

/// A rejected or a generated ID does not show that a request created the stack.
#[test]
fn rejected_or_generated_id_does_not_fail_by_missing_tags() {
    let rejected = format!("rejected/{CHILD}/1795161300-0123456789abcdef");
    for id in [INVENTED_ID, &rejected] {
        after_create(&properties(), async |fake, stack| {
            remove_tags(fake).await;
            let delete = stack.request("Delete", Some(id), &properties(), None);
            stack.deliver(&delete).await.assert_success();
            assert!(fake.look(|aws| aws.stacks.named(CHILD).is_some()));
            let outcome = stack.update(&changed(properties()), None).await;
            commands::run(fake, outcome.reason()).await;
        });
    }
}

/// A Create finds a stack that an earlier deployment has left without tags.
#[test]
fn create_does_not_adopt_a_stack_without_tags() {
    after_create(&properties(), async |fake, stack| {
        push(fake, REPOSITORY, "commit-1", "first").await;
        remove_tags(fake).await;
        let wanted = with(properties(), "RenderingSerial", json!("2"));
        let create = stack.request("Create", None, &wanted, None);
        let outcome = stack.deliver(&create).await;
        expect![[r#"using stack gitops-dev-shop: it exists, and no tags name its owner. Choose another ProjectID. If an earlier deployment of this pipeline left it, give the stack to this resource with `aws cloudformation update-stack --stack-name gitops-dev-shop --use-previous-template --tags '[{"Key":"CostCenter","Value":"42"},{"Key":"cfn-gitops:logical-id","Value":"Project"},{"Key":"cfn-gitops:stack-id","Value":"arn:aws:cloudformation:eu-central-1:123456789012:stack/shop/<uuid>"}]' --parameters ParameterKey=BranchExists,UsePreviousValue=true ParameterKey=EnvID,UsePreviousValue=true ParameterKey=FunctionArn,UsePreviousValue=true ParameterKey=ProjectID,UsePreviousValue=true` - CFG-502"#]].assert_eq(&redacted(outcome.reason()));
        commands::run(fake, outcome.reason()).await;
        let create = stack.request("Create", None, &wanted, None);
        stack.deliver(&create).await.assert_success();
    });
}
