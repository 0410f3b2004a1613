//! CloudFormation's rejections: by status, token, name, template and rate.

use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

use super::{
    child::{
        NAME, ROLE, create, delete, ended, fine, parameter, status, template, update,
        world_with_stack,
    },
    cloudformation::new_world,
    refusal,
};
use fake_aws::{FakeAws, Options, Rate, SeenTokens, Service, stacks::STATUSES};

#[tokio::test(start_paused = true)]
async fn each_status_allows_what_aws_allows() {
    let updatable = [
        "CREATE_COMPLETE",
        "CREATE_FAILED",
        "UPDATE_COMPLETE",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_COMPLETE",
    ];
    for status in STATUSES {
        let (fake, clients) = new_world(Options::default());
        fake.stack(NAME, status, &[]);
        let runs = status.ends_with("_IN_PROGRESS");
        let gone = status == "DELETE_COMPLETE";
        let (code, _) = update(&clients, &template(), "one").await;
        assert_eq!(
            code == "none",
            updatable.contains(&status),
            "{status}: {code}"
        );
        let (fake, clients) = new_world(Options::default());
        fake.stack(NAME, status, &[]);
        let (code, _) = create(&clients, &template(), "two").await;
        assert_eq!(code == "none", gone, "{status}: {code}");
        let (fake, clients) = new_world(Options::default());
        fake.stack(NAME, status, &[]);
        let (code, _) = delete(&clients, "three").await;
        let may = !runs
            || [
                "CREATE_IN_PROGRESS",
                "DELETE_IN_PROGRESS",
                "REVIEW_IN_PROGRESS",
            ]
            .contains(&status);
        assert_eq!(code == "none", may, "{status}: {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn repeated_token_starts_nothing() {
    for seen in [SeenTokens::SameAnswer, SeenTokens::Refused] {
        let (fake, clients) = new_world(Options {
            seen_tokens: seen,
            ..Options::default()
        });
        let answer = || (seen == SeenTokens::SameAnswer).then(fine);
        let refused = |(code, message): (String, String)| {
            if let Some(same) = answer() {
                assert_eq!((code, message), same);
            } else {
                assert_eq!(code, "TokenAlreadyExistsException");
                assert!(
                    message.contains("has already been used for this stack"),
                    "{message}"
                );
            }
        };
        assert_eq!(create(&clients, &template(), "one").await, fine());
        refused(create(&clients, &template(), "one").await);
        assert_eq!(ended(&clients).await, "CREATE_COMPLETE");
        let mut changed = template();
        changed["Parameters"]["BranchExists"]["Default"] = "false".into();
        assert_eq!(update(&clients, &changed, "two").await, fine());
        assert_eq!(ended(&clients).await, "UPDATE_COMPLETE");
        refused(update(&clients, &template(), "two").await);
        assert_eq!(
            status(&clients).await,
            "UPDATE_COMPLETE",
            "no second operation"
        );
        let (code, _) = update(&clients, &template(), "one").await;
        assert_eq!(code, "TokenAlreadyExistsException", "another operation's");
        assert_eq!(delete(&clients, "three").await, fine());
        refused(delete(&clients, "three").await);
        assert_eq!(ended(&clients).await, "none");
        refused(create(&clients, &template(), "one").await);
        assert_eq!(status(&clients).await, "none", "the name's history counts");
        assert_eq!(fake.look(|aws| aws.stacks.all.len()), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn missing_stack_fails_in_the_words_of_each_operation() {
    let (_, clients) = new_world(Options::default());
    let cloudformation = &clients.cloudformation;
    let (code, message) = refusal(
        cloudformation
            .describe_stacks()
            .stack_name(NAME)
            .send()
            .await,
    );
    assert_eq!(code, "ValidationError");
    assert_eq!(message, format!("Stack with id {NAME} does not exist"));
    let (_, message) = refusal(
        cloudformation
            .describe_stack_events()
            .stack_name(NAME)
            .send()
            .await,
    );
    assert_eq!(message, format!("Stack [{NAME}] does not exist"));
    let (_, message) = update(&clients, &template(), "one").await;
    assert_eq!(message, format!("Stack [{NAME}] does not exist"));
    assert_eq!(delete(&clients, "two").await, fine());
}

#[tokio::test(start_paused = true)]
async fn protected_stack_is_not_deleted() {
    let (fake, clients) = world_with_stack(false).await;
    let protect = |fake: &FakeAws, is_protected| {
        fake.change(|aws| aws.stacks.named_mut(NAME).expect("it").is_protected = is_protected);
    };
    protect(&fake, true);
    let (code, message) = delete(&clients, "two").await;
    assert_eq!(code, "ValidationError");
    assert!(
        message.contains("TerminationProtection is enabled"),
        "{message}"
    );
    protect(&fake, false);
    fake.assert_unbroken();
    let without = clients
        .cloudformation
        .delete_stack()
        .stack_name(NAME)
        .send()
        .await;
    assert_eq!(refusal(without), fine());
    assert_eq!(fake.violations(), ["DeleteStack without a RoleARN"]);
}

#[tokio::test(start_paused = true)]
async fn invalid_templates_are_rejected() {
    let faults = [
        (
            json!({"Resources": {}, "Ressources": {}}),
            "Invalid template property",
        ),
        (json!({"Parameters": {}}), "At least one Resources member"),
        (
            json!({"Resources": {"A": {"Type": "AWS::No::Such"}}}),
            "Unrecognized resource types",
        ),
        (
            json!({"Resources": {"A": {"Type": "AWS::Logs::LogGroup",
                "Properties": {"LogGroupName": {"Ref": "B"}}}}}),
            "Unresolved resource dependencies [B]",
        ),
        (
            json!({"Resources": {"A": {"Type": "AWS::Logs::LogGroup",
                "Properties": {"LogGroupName": "a", "Retention": 1}}}}),
            "extraneous key [Retention]",
        ),
        (
            json!({"Resources": {"A": {"Type": "AWS::Logs::LogGroup", "Policy": "Retain",
                "Properties": {"LogGroupName": "a"}}}}),
            "Invalid template resource property",
        ),
        (
            json!({"Resources": {"A": {"Type": "AWS::Logs::LogGroup",
                "Properties": {"LogGroupName": {"Fn::Base64": "a"}}}}}),
            "does not know Fn::Base64",
        ),
        (
            json!({"Resources": {
                "A": {"Type": "AWS::Logs::LogGroup", "DependsOn": "B",
                    "Properties": {"LogGroupName": "a"}},
                "B": {"Type": "AWS::Logs::LogGroup", "DependsOn": "A",
                    "Properties": {"LogGroupName": "b"}}}}),
            "Circular dependency",
        ),
    ];
    for (wrong, expected) in faults {
        let (fake, clients) = new_world(Options::default());
        let (code, message) = create(&clients, &wrong, "one").await;
        assert_eq!(code, "ValidationError");
        assert!(message.contains(expected), "{message}");
        assert!(
            !fake.violations().is_empty(),
            "a product's mistake is noted"
        );
        assert_eq!(status(&clients).await, "none");
    }
    let (_, clients) = new_world(Options::default());
    for (name, value, expected) in [
        ("EnvID", "Dev", "must match pattern"),
        ("BranchExists", "maybe", "must be one of AllowedValues"),
        ("Unknown", "x", "do not exist in the template"),
    ] {
        let request = clients
            .cloudformation
            .create_stack()
            .stack_name(NAME)
            .role_arn(ROLE);
        let request = request.template_body(template().to_string());
        let (_, message) = refusal(request.parameters(parameter(name, value)).send().await);
        assert!(message.contains(expected), "{message}");
    }
    let mut long = template();
    long["Description"] = "x".repeat(51_200).into();
    let (_, message) = create(&clients, &long, "one").await;
    assert!(message.contains("less than or equal to 51200"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_a_rate_are_throttled_until_time_has_passed() {
    let (fake, _) = new_world(Options {
        rates: vec![Rate::of(Service::CloudFormation, 0.5, 3.0)],
        ..Options::default()
    });
    // Without the SDK's own patience.
    let config = fake_aws::clients::sdk_config(fake.connector("test"));
    let once = aws_sdk_iam::config::retry::RetryConfig::disabled();
    let config = aws_sdk_cloudformation::config::Builder::from(&config).retry_config(once);
    let client = aws_sdk_cloudformation::Client::from_conf(config.build());
    let ask = async || refusal(client.describe_stacks().stack_name(NAME).send().await).0;
    for _ in 0..3 {
        assert_eq!(ask().await, "ValidationError");
    }
    assert_eq!(ask().await, "Throttling");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(ask().await, "ValidationError");
    assert_eq!(ask().await, "Throttling");
}
