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
            effect,
            logical_id: "Thing".to_owned(),
            resource_type: of_type.to_owned(),
            is_updated,
            is_deleted,
            drift: None,
            properties: BTreeMap::new(),
        };
        let used: Vec<_> = uses(&change).map(|(_, handler)| handler.0).collect();
        assert_eq!(used.join(" "), expected, "{change:?}");
    }
}

#[track_caller]
fn misses(
    allowed: &[&str],
    of_type: &str,
    handler: TypeHandler,
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
}

#[test]
fn action_that_another_one_replaces_is_not_missing() {
    let of_topic = "AWS::SNS::Topic";
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
    let group = ["iot:CreateThingGroup", "iot:CreateDynamicThingGroup"];
    misses(
        &["iot:CreateDynamic*"],
        "AWS::IoT::ThingGroup",
        CREATE,
        &group,
        &[],
    );
    let many = ["a:PutA", "a:PutB", "iam:PassRole"];
    misses(&[], "AWS::A::Thing", UPDATE, &many, &many[..2]);
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

#[test]
fn remedy_is_that_of_the_action_that_suffices() {
    for (actions, expected, listed) in [
        (
            &["iam:CreateRole"][..],
            Remedy::Boundary,
            "`iam:CreateRole`",
        ),
        // Of AWS::IAM::Policy.
        (
            &[
                "iam:PutUserPolicy",
                "iam:PutRolePolicy",
                "iam:PutGroupPolicy",
            ],
            Remedy::Boundary,
            "`iam:PutRolePolicy`",
        ),
        // Of AWS::IAM::ManagedPolicy.
        (
            &[
                "iam:DetachRolePolicy",
                "iam:DetachUserPolicy",
                "iam:DeletePolicy",
            ],
            Remedy::Policy,
            "`iam:DeletePolicy`",
        ),
        (&["iam:CreateUser"], Remedy::ByHand, "`iam:CreateUser`"),
        (
            &["a:PutA", "a:PutB", "a:PutC", "a:PutD"],
            Remedy::Policy,
            "one of `a:PutA`, `a:PutB`, `a:PutC`",
        ),
    ] {
        assert_eq!(remedy_of(actions), Some((expected, listed.to_owned())));
    }
    assert_eq!(remedy_of(&[]), None);
}
