//! CloudFormation's rejections: by status, token, name, template and rate.

use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

use super::{
    child::{NAME, ROLE, create, delete, ended, parameter, status, template, update},
    code, fine, refusal, world_and_clients,
};
use fake_aws::{Rate, SeenTokens, Service, stacks::ACCEPTED};

const SEEN: &str = "TokenAlreadyExistsException";

#[tokio::test(start_paused = true)]
async fn each_status_allows_what_aws_allows() {
    for (status, accepted) in ACCEPTED {
        let accepts = |call| accepted.split(' ').any(|accepted| accepted == call);
        for (operation, may) in [
            ("create", status == "DELETE_COMPLETE"),
            ("update", accepts("UpdateStack")),
            ("delete", accepts("DeleteStack")),
            ("cancel", status == "UPDATE_IN_PROGRESS"),
            ("continue", accepts("ContinueUpdateRollback")),
            (
                "change set",
                accepts("CreateChangeSet") && status != "REVIEW_IN_PROGRESS",
            ),
        ] {
            let (fake, clients) = world_and_clients();
            let client = &clients.cloudformation;
            fake.stack(NAME, status, &[]);
            let code = match operation {
                "create" => create(&clients, &template(), "one").await.0,
                "update" => update(&clients, &template(), "one").await.0,
                "delete" => delete(&clients, "one").await.0,
                "change set" => code(
                    send!(client, create_change_set, stack_name: NAME,
                    change_set_name: "a", template_body: template().to_string())
                    .await,
                ),
                "cancel" => code(send!(client, cancel_update_stack, stack_name: NAME).await),
                _ => code(send!(client, continue_update_rollback, stack_name: NAME).await),
            };
            assert_eq!(code == "none", may, "{operation} in {status}: {code}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn repeated_token_starts_nothing() {
    for (seen, again) in [
        (SeenTokens::SameAnswer, "none"),
        (SeenTokens::Refused, SEEN),
    ] {
        let (fake, clients) = world_and_clients();
        fake.options(|options| options.seen_tokens = seen);
        assert_eq!(create(&clients, &template(), "one").await, fine());
        assert_eq!(create(&clients, &template(), "one").await.0, again);
        assert_eq!(ended(&clients).await, "CREATE_COMPLETE");
        let mut changed = template();
        changed["Parameters"]["BranchExists"]["Default"] = "false".into();
        assert_eq!(update(&clients, &changed, "two").await, fine());
        assert_eq!(ended(&clients).await, "UPDATE_COMPLETE");
        assert_eq!(update(&clients, &template(), "two").await.0, again);
        let status_after = status(&clients).await;
        assert_eq!(status_after, "UPDATE_COMPLETE", "no second operation");
        let (code, message) = update(&clients, &template(), "one").await;
        assert_eq!(code, SEEN, "another operation's");
        let text = "has already been used for this stack";
        assert!(message.contains(text), "{message}");
        assert_eq!(delete(&clients, "three").await, fine());
        assert_eq!(delete(&clients, "three").await.0, again);
        assert_eq!(ended(&clients).await, "none");
        assert_eq!(create(&clients, &template(), "one").await.0, again);
        assert_eq!(status(&clients).await, "none", "the name's history counts");
        assert_eq!(fake.look(|aws| aws.stacks.all.len()), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn invalid_templates_are_rejected() {
    let group = |properties: Value| {
        let resource = json!({"Type": "AWS::Logs::LogGroup", "Properties": properties});
        json!({"Resources": {"A": resource}})
    };
    let mut unknown = group(json!({"LogGroupName": "a"}));
    unknown["Resources"]["A"]["Policy"] = "Retain".into();
    let faults = json!({
        "Invalid template property": {"Resources": {}, "Ressources": {}},
        "At least one Resources member": {"Parameters": {}},
        "Unrecognized resource types": {"Resources": {"A": {"Type": "AWS::No::Such"}}},
        "Unresolved resource dependencies [B]": group(json!({"LogGroupName": {"Ref": "B"}})),
        "extraneous key [Retention]": group(json!({"LogGroupName": "a", "Retention": 1})),
        "Invalid template resource property": unknown,
        "does not know Fn::Base64": group(json!({"LogGroupName": {"Fn::Base64": "a"}})),
        "Circular dependency": group(json!({"LogGroupName": {"Ref": "A"}})),
    });
    for (expected, wrong) in faults.as_object().expect("templates") {
        let (fake, clients) = world_and_clients();
        let (code, message) = create(&clients, wrong, "one").await;
        assert_eq!(code, "ValidationError");
        assert!(message.contains(expected), "{message}");
        let is_noted = !fake.violations().is_empty();
        assert!(is_noted, "a product's mistake is noted");
        assert_eq!(status(&clients).await, "none");
    }
    let (_, clients) = world_and_clients();
    let create_with = send!(clients.cloudformation, create_stack, stack_name: NAME, role_arn: ROLE,
        template_body: template().to_string(), parameters: parameter("Unknown", "x"));
    let (_, message) = refusal(create_with.await);
    let undeclared = "do not exist in the template";
    assert!(message.contains(undeclared), "{message}");
    let mut long = template();
    long["Description"] = "x".repeat(51_200).into();
    let (_, message) = create(&clients, &long, "one").await;
    assert!(message.contains("less than or equal to 51200"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_a_rate_are_throttled_until_time_has_passed() {
    let (fake, _) = world_and_clients();
    let rate = Rate::of(Service::CloudFormation, 0.5, 3.0);
    fake.options(|options| options.rates = vec![rate]);
    // Without the SDK's own patience.
    let config = fake_aws::clients::sdk_config(fake.connector("test"));
    let once = aws_sdk_iam::config::retry::RetryConfig::disabled();
    let config = aws_sdk_cloudformation::config::Builder::from(&config).retry_config(once);
    let client = aws_sdk_cloudformation::Client::from_conf(config.build());
    let ask = async || code(send!(client, describe_stacks, stack_name: NAME).await);
    for _ in 0..3 {
        assert_eq!(ask().await, "ValidationError");
    }
    assert_eq!(ask().await, "Throttling");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(ask().await, "ValidationError");
    assert_eq!(ask().await, "Throttling");
}
