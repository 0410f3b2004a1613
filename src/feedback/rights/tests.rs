use std::time::{Duration, Instant};

use expect_test::expect;
use serde_json::Value;

use super::*;
use crate::feedback::change_sets::tests::change;

fn policies(statements: &Value) -> Policies {
    let document = serde_json::json!({"Version": "2012-10-17", "Statement": statements});
    // Encoded as IAM does.
    let document = document.to_string().replace('%', "%25").replace('{', "%7B");
    Policies::parse([document.as_str()].into_iter())
}

fn allowing(actions: &[&str]) -> Policies {
    policies(
        &serde_json::json!({"Effect": "Allow", "Action": actions, "Resource": "arn:aws:x:::y"}),
    )
}

#[test]
fn change_uses_the_handlers_of_its_effect() {
    let of_topic = "AWS::SNS::Topic";
    for (effect, of_type, is_updated, is_deleted, expected) in [
        (Effect::Add, of_topic, false, false, "create"),
        (Effect::Modify, of_topic, true, false, "update"),
        // Only its metadata, or a reference, changes.
        (Effect::Modify, of_topic, false, false, ""),
        (Effect::Remove, of_topic, false, true, "delete"),
        // With DeletionPolicy Retain.
        (Effect::Remove, of_topic, false, false, ""),
        (Effect::Replace, of_topic, true, true, "create delete"),
        (Effect::MayReplace, of_topic, true, false, ""),
        (Effect::Import, of_topic, false, false, ""),
        (Effect::Add, "Custom::Thing", false, false, ""),
        (Effect::Add, "Acme::Thing::Topic", false, false, ""),
        (Effect::Add, "AWS::CloudFormation::Stack", false, false, ""),
    ] {
        let change = Change {
            is_updated,
            is_deleted,
            ..change(effect, "Thing", of_type)
        };
        let used: Vec<_> = uses(&change).map(|(_, handler)| handler.0).collect();
        assert_eq!(used.join(" "), expected, "{change:?}");
    }
}

/// The handler of `of_type` publishes some actions and may call others. All are separated by spaces.
#[track_caller]
fn misses(allowed: &str, handler: (&str, TypeHandler), published: &str, expected: &str) {
    let (of_type, handler) = handler;
    let published: Vec<&str> = published.split_whitespace().collect();
    let allowed: Vec<&str> = allowed.split_whitespace().collect();
    let missing = needed(&published, of_type, handler, &allowing(&allowed));
    assert_eq!(missing.join(" "), expected);
}

#[test]
fn only_an_action_that_each_handler_needs_is_missing() {
    let handler = ("AWS::SNS::Topic", CREATE);
    let topic = "sns:CreateTopic sns:TagResource sns:GetTopicAttributes iam:PassRole";
    misses(
        "sns:TagResource lambda:*",
        handler,
        topic,
        "sns:CreateTopic",
    );
    for allowed in ["sns:CreateTopic", "SNS:create*", "sns:?reateTopic", "*"] {
        misses(allowed, handler, topic, "");
    }
    let handler = ("AWS::ApiGateway::RestApi", CREATE);
    let needed = "apigateway:POST apigateway:PUT";
    let rest = format!("apigateway:GET {needed} s3:GetObject iam:PassRole");
    misses("apigateway:GET s3:* iam:*", handler, &rest, needed);
    misses("apigateway:PUT", handler, &rest, "");
}

#[test]
fn action_that_another_one_replaces_is_not_missing() {
    let handler = ("AWS::RDS::DBInstance", CREATE);
    let database = "rds:CreateDBInstance rds:RestoreDBInstanceFromDBSnapshot rds:AddTagsToResource";
    misses("rds:AddTags*", handler, database, "rds:CreateDBInstance");
    misses("rds:Restore*", handler, database, "");
    let topic = "sns:GetTopicAttributes sns:DeleteTopic";
    misses("", ("AWS::SNS::Topic", DELETE), topic, "sns:DeleteTopic");
    let group = "iot:CreateThingGroup iot:CreateDynamicThingGroup";
    let handler = ("AWS::IoT::ThingGroup", CREATE);
    misses("iot:CreateDynamic*", handler, group, "");
    let many = "a:PutA a:PutB iam:PassRole";
    misses("", ("AWS::A::Thing", UPDATE), many, "a:PutA a:PutB");
}

#[test]
fn handler_that_publishes_nothing_certain_is_not_decided() {
    for published in [
        "",
        "sns:GetTopicAttributes",
        "sns:CreateTopic kms:*",
        "iam:PassRole",
    ] {
        misses("", ("AWS::SNS::Topic", CREATE), published, "");
    }
}

#[test]
fn policies_that_may_allow_an_action_are_not_denials() {
    let may = |statements: Value| policies(&statements).may_allow("iam:CreateRole");
    let allow = || serde_json::json!({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"});
    let deny = |with: &str, value: Value| {
        let mut deny =
            serde_json::json!({"Effect": "Deny", "Action": ["iam:Create*"], "Resource": "*"});
        deny[with] = value;
        serde_json::json!([allow(), deny])
    };
    assert!(may(allow()));
    assert!(!may(deny("Sid", "Total".into())));
    assert!(may(deny("Resource", "arn:aws:iam::1:role/x".into())));
    assert!(may(deny(
        "Condition",
        serde_json::json!({"Null": {"iam:PermissionsBoundary": "true"}})
    )));
    assert!(may(deny("Action", "iam:CreateUser".into())));
    assert!(!policies(&serde_json::json!([])).may_allow("iam:CreateRole"));
    assert!(Policies::parse(["not a document"].into_iter()).may_allow("iam:CreateRole"));
}

/// A role can have ten inline policies' worth of text, and twenty attached policies.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
#[test]
fn largest_policies_are_compared_with_many_actions_at_once() {
    let short: Vec<_> = (0..15_000).map(|i| format!("a{i}:*")).collect();
    let long = ["*".repeat(60_000) + "x", "*a".repeat(30_000)];
    for patterns in [&short[..], &long] {
        let allowed: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let policies = allowing(&allowed);
        let started = Instant::now();
        for i in 0..100 {
            assert!(!policies.may_allow(&format!("service:CreateThing{i}")));
        }
        let took = started.elapsed();
        println!("{took:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

#[test]
fn pattern_of_any_length_may_allow_an_action() {
    assert!(allowing(&["*".repeat(1_000_000).as_str()]).may_allow("iam:CreateRole"));
}

#[test]
fn schema_is_read_whatever_else_it_has() {
    let schema = r#"{"properties":{"a":[{}]},"handlers":{"list":{"handlerSchema":{}},"create":{"permissions":["a:B"]}}}"#;
    let schema: Schema = serde_json::from_str(schema).expect("a schema");
    assert_eq!(schema.handlers["create"].permissions, ["a:B"]);
    assert!(schema.handlers["list"].permissions.is_empty());
}

#[test]
fn line_names_types_actions_and_remedy() {
    let of = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    let (topic, queue, role) = (
        "create `AWS::SNS::Topic` (`sns:CreateTopic`)",
        "create `AWS::SQS::Queue` (`sqs:CreateQueue`)",
        "create `AWS::IAM::Role` (`iam:CreateRole`)",
    );
    let key = |remedy, action| (remedy, text_of(remedy, action, &BTreeSet::new(), "dev"));
    let missing = MissingRights::from([
        (
            key(DenialRemedy::Policy, "sns:CreateTopic"),
            of(&[topic, queue]),
        ),
        (key(DenialRemedy::Boundary, "iam:CreateRole"), of(&[role])),
    ]);
    assert!(ComparedRights::default().lines().is_empty());
    let compared = ComparedRights {
        missing: reasons(missing, "dev"),
        left_out: Some("30 resource types, and not for 470 more".to_owned()),
        failed: None,
    };
    expect![[r#"

        **Pipelines may not create `AWS::SNS::Topic` (`sns:CreateTopic`), create `AWS::SQS::Queue` (`sqs:CreateQueue`) in `dev`.**

        Add `policy-dev-deploys-messages` of `templates/deployed-services.yaml` to `DeployPolicyArns` of the environment's stack.

        **Pipelines may not create `AWS::IAM::Role` (`iam:CreateRole`) in `dev`.**

        Set `DeployedRoles=Bounded` in the environment's stack, and in the role `PermissionsBoundary: !Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/policy-dev-deployed-roles`

        The rights of pipelines were compared for 30 resource types, and not for 470 more.
    "#]].assert_eq(&compared.lines());
}

#[test]
fn type_without_a_policy_gets_a_statement_with_all_actions() {
    let schema = r#"{"handlers":{"list":{"permissions":["rds:ListAll"]},
        "create":{"permissions":["rds:CreateDBInstance","iam:PassRole","rds:DescribeDBInstances"]},
        "delete":{"permissions":["rds:DeleteDBInstance","rds:DescribeDBInstances"]}}}"#;
    let schema: Schema = serde_json::from_str(schema).expect("a schema");
    let policies = allowing(&["rds:Describe*"]);
    let all = all_missing(&schema.handlers, "rds:CreateDBInstance", &policies);
    let text = text_of(DenialRemedy::Policy, "rds:CreateDBInstance", &all, "dev");
    expect![[r#"Add a policy that allows it to `DeployPolicyArns` of the environment's stack, with the names of your resources in place of `ARN`: `{"Action":["rds:CreateDBInstance","rds:DeleteDBInstance"],"Effect":"Allow","Resource":"ARN"}`"#]].assert_eq(&text);
    let of_iam = all_missing(&schema.handlers, "iam:CreatePolicy", &policies);
    assert!(of_iam.contains("iam:PassRole"));
}

#[test]
fn remedy_is_that_of_the_action_that_suffices() {
    let policy = "iam:PutUserPolicy iam:PutRolePolicy iam:PutGroupPolicy";
    let managed_policy = "iam:DetachRolePolicy iam:DetachUserPolicy iam:DeletePolicy";
    let many = "one of `a:PutA`, `a:PutB`, `a:PutC`";
    for (actions, expected, listed) in [
        ("iam:CreateRole", DenialRemedy::Boundary, "`iam:CreateRole`"),
        (policy, DenialRemedy::Boundary, "`iam:PutRolePolicy`"),
        (managed_policy, DenialRemedy::Policy, "`iam:DeletePolicy`"),
        ("iam:CreateUser", DenialRemedy::ByHand, "`iam:CreateUser`"),
        ("a:PutA a:PutB a:PutC a:PutD", DenialRemedy::Policy, many),
    ] {
        let actions: Vec<&str> = actions.split(' ').collect();
        assert_eq!(remedy_of(&actions), Some((expected, listed.to_owned())));
    }
    assert_eq!(remedy_of(&[]), None);
}
