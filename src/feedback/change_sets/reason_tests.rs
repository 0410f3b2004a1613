use super::*;
use crate::feedback::change_sets::Remedy;

fn names() -> ResourceNames {
    ResourceNames::new("dev", "shop").expect("valid names")
}

fn shown(reason: &str, values: &[&str]) -> String {
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    shown_reason(reason, &values, &names())
}

#[test]
fn reason_is_shown_without_values_and_accounts() {
    let values = ["hunter2-is-it", "eu,dev", "7", "", "a-b", "123456789012"];
    for (reason, expected) in [
        (
            "no mapping for M::hunter2-is-it::k",
            "no mapping for M::…::k",
        ),
        (
            "no mapping for M::xhunter2-is-ity::k",
            "no mapping for M::x…y::k",
        ),
        // The environment's ID is in each note.
        ("Value [eu, dev] of eu,dev", "Value […, dev] of …"),
        ("'7' is not one of 1, 2", "'…' is not one of 1, 2"),
        ("x a-b", "x …"),
        (
            "User: arn:aws-cn:sts::123456789012:assumed-role/r is not authorized",
            "User: arn:aws-cn:sts::…:assumed-role/r is not authorized",
        ),
        (
            "Bucket arn:aws:s3:::b of 210987654321, not of 2109876543210",
            "Bucket arn:aws:s3:::b of …, not of 2109876543210",
        ),
        (
            "Unresolved resource dependencies [Queue7] in the Resources block",
            "Unresolved resource dependencies [Queue7] in the Resources block",
        ),
        ("warn: 17 europe", "warn: 17 europe"),
    ] {
        assert_eq!(shown(reason, &values), expected);
    }
}

#[test]
fn value_is_removed_in_each_form() {
    // Values that overlap, contain an account number, are quoted in JSON, or have another case.
    assert_eq!(
        shown("my-prod-db-secret", &["my-prod-db", "db-secret"]),
        "…"
    );
    assert_eq!(shown("a secretsecret", &["secret"]), "a …");
    for (value, reason) in [
        (
            "arn:aws:acm:eu-central-1:123456789012:certificate/abc",
            "no arn:aws:acm:eu-central-1:123456789012:certificate/abc",
        ),
        (
            "bucket-123456789012-internal",
            "no bucket-123456789012-internal",
        ),
        ("a\"quote", r#"no a\"quote"#),
        ("OrdersTable", "no orderstable"),
        ("a.b*c", "no a.b*c"),
    ] {
        assert_eq!(shown(reason, &[value]), "no …");
    }
    assert_eq!(
        shown("https://x/?p=p%40ssword", &["p@ssword"]),
        HIDDEN_REASON
    );
    assert_eq!(shown("a/b-c", &["/", "-", "*"]), "a/b-c");
    let key = "denied: s3:GetObject on arn:aws:s3:::s3-dev-codepipeline-artifact-1/x/key \"";
    assert_eq!(
        shown(key, &[]),
        "denied: s3:GetObject on arn:aws:s3:::s3-dev-codepipeline-artifact-1/… \""
    );
    // A value of which another one is a part.
    assert_eq!(
        shown("key secret-key-1", &["secret", "secret-key-1"]),
        "key …"
    );
}

/// CloudFormation returns `?` for characters beyond ASCII: in the reason, in the values, or in
/// both.
#[test]
fn value_beyond_ascii_is_found_in_a_reason() {
    for value in ["München", "M?nchen"] {
        for reason in ["a bucket for M?nchen exists", "a bucket for München exists"] {
            let shown = shown(reason, &[value]);
            let is_removed = ["a bucket for … exists", HIDDEN_REASON].contains(&&*shown);
            assert!(is_removed, "{value} in {reason}: {shown}");
        }
    }
    let reason = "sqs-dev-orders already exists";
    assert_eq!(shown(reason, &["東京"]), reason);
}

#[test]
fn reason_with_the_environment_and_the_project_is_shown() {
    let reason = "sqs-dev-shop already exists";
    assert_eq!(shown(reason, &["dev", "shop", "true"]), reason);
    assert_eq!(
        shown("sqs-dev-orders already exists", &["dev-orders"]),
        "sqs-… already exists"
    );
}

#[test]
fn missing_change_set_is_shown_with_its_remedy() {
    let reason = "ChangeSet [changeset-dev-shop] does not exist (Service: AmazonCloudFormation; Status \
        Code: 404; Error Code: ChangeSetNotFound; Request ID: 1; Proxy: null)";
    let gone = shown(reason, &["****"]);
    assert!(gone.contains("Retry all actions of the stage"), "{gone}");
    let quoted = format!("Template error: {reason}");
    assert_eq!(shown(&quoted, &[]), quoted);
}

#[test]
fn unknown_value_hides_a_reason_with_an_arn() {
    assert_eq!(
        shown("role arn:aws:iam::1:role/x is missing", &["****"]),
        HIDDEN_REASON
    );
    assert_eq!(shown("any", &["****"]), "any");
}

const NO_POLICY: &str = "because no identity-based policy allows the action";
const EXPLICIT: &str =
    "with an explicit deny in an identity-based policy: arn:aws:iam::123456789012:policy/p";

/// The text that is shown for a denial of `action` to `role`.
fn denied(role: &str, action: &str, cause: &str) -> String {
    let reason = format!(
        "Stack cfnstack-dev-shop is in the state ROLLBACK_COMPLETE. Orders (AWS::DynamoDB::Table) \
         CREATE_FAILED: User: arn:aws:sts::123456789012:assumed-role/{role}/AWSCloudFormation is not \
         authorized to perform: {action} on resource: arn:aws:dynamodb:eu-central-1:123456789012:table/o-Hidden \
         {cause}"
    );
    shown(&reason, &["Hidden"])
}

#[test]
fn denial_of_the_deploy_role_names_the_remedy() {
    let role = "role-dev-codedeploy-cfn";
    let table = "arn:aws:dynamodb:eu-central-1:…:table/o-…";
    assert_eq!(
        denied(role, "dynamodb:CreateTable", NO_POLICY),
        format!(
            "pipelines may not call dynamodb:CreateTable. Add a policy that allows it to DeployPolicyArns of the \
             environment's stack ({table})"
        )
    );
    for cause in [EXPLICIT, "with an explicit deny"] {
        assert_eq!(
            denied(role, "events:PutRule", cause),
            format!(
                "pipelines may not call events:PutRule. No policy can allow it: remove it from the template, and \
                 deploy it by hand ({table})"
            )
        );
    }
    assert!(denied(role, "x:HiddenAction", NO_POLICY).contains("x:…Action"));
    let second = format!(
        "{NO_POLICY}. Second: User: a is not authorized to perform: b:C with an explicit deny"
    );
    assert!(denied(role, "dynamodb:CreateTable", &second).contains("Add a policy"));
}

#[test]
fn denial_of_a_role_with_another_name_names_the_names() {
    let names = names();
    let denial = |role: &str| {
        format!(
            "User: arn:aws:sts::1:assumed-role/role-dev-codedeploy-cfn/AWSCloudFormation is not authorized to \
             perform: iam:CreateRole on resource: arn:aws:iam::123456789012:role/{role} {EXPLICIT}"
        )
    };
    let shown = shown_reason(&denial("MyRole"), &[], &names);
    assert!(
        shown.contains("Name the role role-dev-…, or omit its name (arn:aws:iam::…:role/MyRole)"),
        "{shown}"
    );
    for role in ["role-dev-shop", "cfnstack-dev-shop-Role-1"] {
        let shown = shown_reason(&denial(role), &[], &names);
        assert!(shown.contains("DeployedRoles=Bounded"), "{shown}");
    }
    // A name in an ARN may be a value that CloudFormation masks.
    let masked = ["****".to_owned()];
    let shown = shown_reason(&denial("MyRole"), &masked, &names);
    assert!(shown.ends_with("omit its name"), "{shown}");
}

#[test]
fn denial_of_a_role_names_its_boundary_within_a_status() {
    for action in [
        "iam:GetRole",
        "iam:CreateRole",
        "iam:ListAttachedRolePolicies",
        "iam:TagRole",
    ] {
        for cause in [NO_POLICY, EXPLICIT] {
            let shown = denied("role-dev-codedeploy-cfn", action, cause);
            let status = format!("ExecuteChangeSet failed: {shown}");
            assert!(status.chars().count() <= 255, "{status}");
            assert!(shown.contains("Set DeployedRoles=Bounded"), "{shown}");
            assert!(
                shown.contains("policy/policy-dev-deployed-roles"),
                "{shown}"
            );
            assert!(!shown.contains("DeployPolicyArns"), "{shown}");
        }
    }
}

#[test]
fn remedy_fits_the_action() {
    for (action, remedy) in [
        ("sns:CreateTopic", Remedy::Policy),
        // The limits allow these for the environment's names.
        ("iam:PassRole", Remedy::Policy),
        ("iam:CreateServiceLinkedRole", Remedy::Policy),
        ("iam:AddRoleToInstanceProfile", Remedy::Policy),
        ("iam:CreatePolicy", Remedy::Policy),
        ("iam:PutRolePolicy", Remedy::Boundary),
        ("iam:CreateUser", Remedy::ByHand),
        ("iam:PutGroupPolicy", Remedy::ByHand),
        ("iam:CreateAccessKey", Remedy::ByHand),
    ] {
        assert_eq!(Remedy::of_missing(action), remedy, "{action}");
    }
}

/// Their own text names the cause.
#[test]
fn other_denials_are_shown_as_iam_words_them() {
    for (role, cause) in [
        ("role-dev-shop", NO_POLICY),
        (
            "role-dev-codedeploy-cfn",
            "because no permissions boundary allows the action",
        ),
        (
            "role-dev-codedeploy-cfn",
            "with an explicit deny in a service control policy",
        ),
    ] {
        let shown = denied(role, "s3:GetObject", cause);
        assert!(shown.ends_with(&format!("table/o-… {cause}")), "{shown}");
        assert!(!shown.contains("123456789012"), "{shown}");
    }
    let not_an_action = denied("role-dev-codedeploy-cfn", "arn:aws:a/b", NO_POLICY);
    assert!(
        not_an_action.starts_with("Stack cfnstack-dev-shop"),
        "{not_an_action}"
    );
}
