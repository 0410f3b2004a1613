use super::*;

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

fn change(effect: Effect, of_type: &str, properties: &[&str], is_deleted: bool) -> Change {
    use crate::feedback::change_sets::Recreation::Never;
    Change {
        effect,
        logical_id: "Thing".to_owned(),
        resource_type: of_type.to_owned(),
        is_deleted,
        drift: None,
        properties: properties
            .iter()
            .map(|name| ((*name).to_owned(), Never))
            .collect(),
    }
}

#[test]
fn change_uses_the_handlers_of_its_effect() {
    for (change, expected) in [
        (
            change(Effect::Add, "AWS::SNS::Topic", &[], false),
            vec!["create"],
        ),
        (
            change(Effect::Modify, "AWS::SNS::Topic", &["Tags"], false),
            vec!["update"],
        ),
        (
            change(Effect::Modify, "AWS::SNS::Topic", &["Metadata"], false),
            vec![],
        ),
        (
            change(Effect::Remove, "AWS::SNS::Topic", &[], true),
            vec!["delete"],
        ),
        // With DeletionPolicy Retain.
        (
            change(Effect::Remove, "AWS::SNS::Topic", &[], false),
            vec![],
        ),
        (
            change(Effect::Replace, "AWS::SNS::Topic", &["TopicName"], true),
            vec!["create", "delete"],
        ),
        (
            change(Effect::MayReplace, "AWS::SNS::Topic", &["TopicName"], false),
            vec![],
        ),
        (
            change(Effect::Import, "AWS::SNS::Topic", &[], false),
            vec![],
        ),
        (change(Effect::Add, "Custom::Thing", &[], false), vec![]),
        (
            change(Effect::Add, "Acme::Thing::Topic", &[], false),
            vec![],
        ),
        (
            change(Effect::Add, "AWS::CloudFormation::Stack", &[], false),
            vec![],
        ),
    ] {
        let used: Vec<_> = uses(&change).map(|(_, handler)| handler.0).collect();
        assert_eq!(used, expected, "{change:?}");
    }
}

#[track_caller]
fn misses(
    allowed: &[&str],
    of_type: &str,
    handler: Handler,
    published: &[&str],
    expected: &[&str],
) {
    let missing = needed(published, of_type, handler, &allowing(allowed));
    assert_eq!(missing, expected);
}

#[test]
fn only_an_action_that_each_handler_needs_is_missing() {
    let topic = [
        "sns:CreateTopic",
        "sns:TagResource",
        "sns:GetTopicAttributes",
        "iam:PassRole",
    ];
    let of_topic = "AWS::SNS::Topic";
    misses(
        &["sns:TagResource", "lambda:*"],
        of_topic,
        CREATE,
        &topic,
        &["sns:CreateTopic"],
    );
    for allowed in ["sns:CreateTopic", "SNS:create*", "sns:?reateTopic", "*"] {
        misses(&[allowed], of_topic, CREATE, &topic, &[]);
    }
    let rest = [
        "apigateway:GET",
        "apigateway:POST",
        "apigateway:PUT",
        "s3:GetObject",
        "iam:PassRole",
    ];
    let of_api = "AWS::ApiGateway::RestApi";
    let needed = ["apigateway:POST", "apigateway:PUT"];
    misses(
        &["apigateway:GET", "s3:*", "iam:*"],
        of_api,
        CREATE,
        &rest,
        &needed,
    );
    misses(&["apigateway:PUT"], of_api, CREATE, &rest, &[]);
    let database = [
        "rds:CreateDBInstance",
        "rds:RestoreDBInstanceFromDBSnapshot",
        "rds:AddTagsToResource",
    ];
    let of_database = "AWS::RDS::DBInstance";
    misses(
        &["rds:AddTags*"],
        of_database,
        CREATE,
        &database,
        &["rds:CreateDBInstance"],
    );
    misses(&["rds:Restore*"], of_database, CREATE, &database, &[]);
    misses(
        &[],
        of_topic,
        DELETE,
        &["sns:GetTopicAttributes", "sns:DeleteTopic"],
        &["sns:DeleteTopic"],
    );
    let many = ["a:PutA", "a:PutB", "a:PutC", "a:PutD"];
    misses(&[], "AWS::A::Thing", UPDATE, &many, &many[..MAX_ACTIONS]);
}

#[test]
fn handler_that_publishes_nothing_certain_is_not_decided() {
    for published in [
        &[][..],
        &["sns:GetTopicAttributes"],
        &["sns:CreateTopic", "kms:*"],
        &["iam:PassRole"],
    ] {
        misses(&[], "AWS::SNS::Topic", CREATE, published, &[]);
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

#[test]
fn line_names_types_actions_and_remedy() {
    let names = ResourceNames::new("dev", "shop").expect("valid names");
    let right = |text: &str| text.replace('\'', "`");
    let missing = BTreeMap::from([
        (
            Remedy::Policy,
            vec![
                right("create 'AWS::SNS::Topic' ('sns:CreateTopic')"),
                right("create 'AWS::SQS::Queue' ('sqs:CreateQueue')"),
            ],
        ),
        (
            Remedy::Boundary,
            vec![right("create 'AWS::IAM::Role' ('iam:CreateRole')")],
        ),
    ]);
    let text = lines(&missing, &names);
    let (policy, boundary) = text.trim().split_once("\n\n").expect("two lines");
    assert_eq!(
        policy,
        "**Pipelines may not create `AWS::SNS::Topic` (`sns:CreateTopic`), create `AWS::SQS::Queue` \
         (`sqs:CreateQueue`) in `dev`.** Add a policy that allows it to DeployPolicyArns of the environment's stack."
    );
    assert!(boundary.starts_with(
        "**Pipelines may not create `AWS::IAM::Role` (`iam:CreateRole`) in `dev`.** Set "
    ));
    assert!(lines(&BTreeMap::new(), &names).is_empty());
}
