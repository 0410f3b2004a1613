use aws_sdk_cloudformation::types::Parameter;
use expect_test::expect;
use serde::Deserialize;

use super::*;
use crate::feedback::change_sets::DenialRemedy;
use crate::feedback::change_sets::forms;
use crate::feedback::change_sets::values::MAX_VALUE_BYTES;

fn names() -> ResourceNames {
    ResourceNames::new("dev", "shop").expect("valid names")
}

fn shown(reason: &str, values: &[&str]) -> String {
    shown_reason(reason, &all(values), Audience::Others, &names())
}

fn all(values: &[&str]) -> Values {
    Values::all(values.iter().map(|value| (*value).to_owned()))
}

/// One test for each table: the values, and each reason with the text that is shown.
macro_rules! reasons {
    ($($name:ident: $values:expr; $($reason:literal => $shown:expr,)*;)*) => {
        $(
            #[test]
            fn $name() {
                $(assert_eq!(shown($reason, &$values), $shown);)*
            }
        )*
    };
}

reasons! {
    reason_is_shown_without_values_and_accounts:
        ["hunter2-is-it", "eu,dev", "7", "", "a-b", "123456789012"];
        "no mapping for M::hunter2-is-it::k" => "no mapping for M::…::k",
        "no mapping for M::xhunter2-is-ity::k" => "no mapping for M::x…y::k",
        // The environment's ID is in each note.
        "Value [eu, dev] of eu,dev" => "Value […, dev] of …",
        "'7' is not one of 1, 2" => "'…' is not one of 1, 2",
        "x a-b" => "x …",
        "User: arn:aws-cn:sts::123456789012:assumed-role/r is not authorized"
            => "User: arn:aws-cn:sts::…:assumed-role/r is not authorized",
        "Bucket arn:aws:s3:::b of 210987654321, not of 2109876543210"
            => "Bucket arn:aws:s3:::b of …, not of 2109876543210",
        "Unresolved resource dependencies [Queue7] in the Resources block"
            => "Unresolved resource dependencies [Queue7] in the Resources block",
        "warn: 17 europe" => "warn: 17 europe",;
    values_that_overlap_are_removed: ["my-prod-db", "db-secret"]; "my-prod-db-secret" => "…",;
    value_that_is_repeated_is_removed: ["secret"]; "a secretsecret" => "a …",;
    // Another value is a part of it.
    longest_value_is_removed: ["secret", "secret-key-1"]; "key secret-key-1" => "key …",;
    value_with_an_account_number_is_removed:
        ["arn:aws:acm:eu-central-1:123456789012:certificate/abc", "bucket-123456789012-internal"];
        "no arn:aws:acm:eu-central-1:123456789012:certificate/abc" => "no …",
        "no bucket-123456789012-internal" => "no …",;
    value_in_json_or_another_case_is_removed: ["a\"quote", "OrdersTable", "a.b*c"];
        "no a\\\"quote" => "no …", "no orderstable" => "no …", "no a.b*c" => "no …",;
    escaped_value_hides_the_reason: ["p@ssword", "fish&chips"];
        "https://x/?p=p%40ssword" => HIDDEN_REASON, "no fish&amp;chips" => HIDDEN_REASON,
        "a & b; no &lt;b&gt;" => "a & b; no &lt;b&gt;",;
    value_in_hexadecimal_digits_is_removed: ["hunter2-is-it"];
        "no 68756E746572322d69732d6974" => "no …",;
    end_of_a_value_is_removed: ["orders-queue"];
        "no ...ders-queue of Queue" => "no ...… of Queue", "Queue (x)" => "Queue (x)",;
    direction_marks_are_left_out: [""]; "a\u{202E}b \u{200B} c\u{FEFF}" => "ab c",;
    value_without_letters_and_digits_stays: ["/", "-", "*"]; "a/b-c" => "a/b-c",;
    key_of_an_object_is_removed: [];
        "denied: s3:GetObject on arn:aws:s3:::s3-dev-codepipeline-artifact-1/x/key \""
            => "denied: s3:GetObject on arn:aws:s3:::s3-dev-codepipeline-artifact-1/… \"",;
    reason_with_the_environment_and_the_project_is_shown: ["dev", "shop", "true"];
        "sqs-dev-shop already exists" => "sqs-dev-shop already exists",;
    value_that_contains_the_environment_is_removed: ["dev-orders"];
        "sqs-dev-orders already exists" => "sqs-… already exists",;
    unknown_value_hides_all_but_known_sentences: ["****"];
        "role arn:aws:iam::1:role/x is missing" => HIDDEN_REASON, "any" => HIDDEN_REASON,
        "Stack cfnstack-dev-shop is in the state ROLLBACK_COMPLETE. Db CREATE_FAILED: hunter2 already exists in stack"
            => "Stack … is in the state ROLLBACK_COMPLETE. Db CREATE_FAILED: … already exists in stack",
        "Db CREATE_FAILED: Resource handler returned message: \"hunter2\" (RequestToken: 1, HandlerErrorCode: HandlerInternalFailure)"
            => "Db CREATE_FAILED: Resource handler returned message: \"…\" (HandlerErrorCode: HandlerInternalFailure)",
        "Resource handler returned message: \"Rate exceeded\" (RequestToken: 1, HandlerErrorCode: Hunter2)"
            => "Resource handler returned message: \"Rate exceeded\" (HandlerErrorCode: …)",
        "Failed to update resource. hunter2" => "Failed to update resource. …",
        "Received 0 SUCCESS signal(s) out of 4711. Unable to satisfy 100% MinSuccessfulInstancesPercent requirement"
            => "Received 0 SUCCESS signal(s) out of …. Unable to satisfy …% MinSuccessfulInstancesPercent requirement",
        "Invalid request provided: hunter2::secret" => HIDDEN_REASON,
        "ValidationError: ChangeSet [hunter2] does not exist" => "ValidationError: ChangeSet … does not exist",
        "Received response status [FAILED] from custom resource. Message returned: User: a/role-dev-codedeploy-cfn/b is not authorized to perform: a:Zhunter2 because no identity-based policy allows the action"
            => "Received response status [FAILED] from custom resource. Message returned: …",
        // A sentence inside of another text has no proof that CloudFormation wrote it.
        "hunter2 Circular dependency between resources: [hunter3]" => HIDDEN_REASON,
        "Template error: Unable to get mapping for M::k::hunter2" => "Template error: Unable to get mapping for …::…::…",;
    value_that_a_break_divides_is_removed: ["hunter2 is it", "shopsecretpw"];
        "no hunter2\n  is it" => "no …", "no shop`secretpw" => "no …", "no shop\u{7}secretpw" => "no …",;
    value_that_aws_cut_off_is_removed: ["hunter2-is-it", "p@ss"];
        "Value 'hunter2-i..." => "Value '…...", "Value hunter2-" => "Value …", "no hun" => "no hun",
        "no hunt" => "no …",
        "Value hunter2-other" => "Value hunter2-other",;
    value_with_other_separators_is_removed: ["hunter2-secret-pw", "a-b"];
        "no hunter2.secret.pw" => "no …", "no Hunter2SecretPw exists" => "no … exists", "a.b" => "a.b",;
    value_in_base64_is_removed: ["hunter2secretpw"];
        "no aHVudGVyMnNlY3JldHB3 in it" => "no … in it",
        "no ZWNobyBodW50ZXIyc2VjcmV0cHcK" => "no …",
        "no VGhlIG9yZGVy in it" => "no VGhlIG9yZGVy in it",;
}

/// A reason from a public report.
#[derive(Deserialize)]
struct PublicReason {
    reason: String,
    /// The issue, or the page.
    source: String,
    /// The text that is shown if a value is unknown, and in a review.
    shown: String,
    /// Whether a developer recognizes the cause in `shown`.
    is_useful: bool,
}

/// The words of a template without any word.
fn review(has_transform: bool) -> Audience<'static> {
    static NO_WORDS: BTreeSet<String> = BTreeSet::new();
    Audience::Review(Template {
        words: &NO_WORDS,
        has_transform,
    })
}

#[test]
fn public_reasons_stay_useful() {
    let table = include_str!("tests/public_reasons.json");
    let table: Vec<PublicReason> = serde_json::from_str(table).expect("the table");
    let (unknown, names) = (Values::default().with_others(), names());
    for row in &table {
        let shown = |values: &Values, audience: Audience<'_>| {
            shown_reason(&row.reason, values, audience, &names)
        };
        assert_eq!(
            shown(&unknown, Audience::Others),
            row.shown,
            "{}",
            row.source
        );
        assert_eq!(
            shown(&Values::default(), review(false)),
            row.shown,
            "{}",
            row.source
        );
        let whole = shown(&Values::default(), Audience::Members);
        let words = |text: &str| text.split_whitespace().count();
        assert!(
            row.shown.contains(GONE)
                || words(whole.trim_end_matches(NO_FILE)) == words(&row.reason),
            "{whole}"
        );
    }
    let useful = table.iter().filter(|row| row.is_useful).count();
    fake_aws::figure!(
        "reasons: {} of public reports. With known values, members of a private project read all as they are. \
         With an unknown value, and in reviews, the cause of {useful} is shown ({} %)",
        table.len(),
        100 * useful / table.len()
    );
    assert!(
        table.len() >= 40 && 100 * useful / table.len() >= 80,
        "{useful}"
    );
}

#[test]
fn public_reason_with_a_value_in_each_place_hides_it() {
    const SECRET: &str = "hunter2secretpw";
    let table: Vec<PublicReason> =
        serde_json::from_str(include_str!("tests/public_reasons.json")).expect("the table");
    let (unknown, names) = (Values::default().with_others(), names());
    let mut tried = 0;
    for row in &table {
        let words: Vec<&str> = row.reason.split_whitespace().collect();
        // Each word that the form does not show stands for a value.
        for (at, _) in words.iter().enumerate().filter(|(_, word)| !row.shown.contains(**word)) {
            let mut words = words.clone();
            words[at] = SECRET;
            let reason = words.join(" ");
            for (values, audience) in [
                (&unknown, Audience::Members),
                (&Values::default(), review(true)),
            ] {
                let shown = shown_reason(&reason, values, audience, &names);
                assert!(!shown.contains(SECRET), "{shown}");
                tried += 1;
            }
        }
    }
    assert!(tried > 1_000, "{tried}");
}

#[test]
fn text_of_a_custom_resource_is_for_members() {
    for reason in [
        "Received response status [FAILED] from custom resource. Message returned: dynrefSecret99 (RequestId: 1)",
        "X (Custom::X) CREATE_FAILED: Received response status [FAILED] from custom resource. Message returned: dynrefSecret99",
        "WaitCondition received failed message: 'dynrefSecret99' for uniqueId: i-1",
        "Hook failed with message: dynrefSecret99",
        "Transform 123456789012::Macro failed with: dynrefSecret99",
        "Failed to create resource. dynrefSecret99",
        "Failed to update resource. dynrefSecret99",
        "Failed to delete resource. dynrefSecret99",
        // Without the type, it may be that of another vendor.
        "X CREATE_FAILED: Resource handler returned message: \"dynrefSecret99\" (RequestToken: 1, HandlerErrorCode: Unknown)",
        "X (Acme::Db::User) CREATE_FAILED: Resource handler returned message: \"dynrefSecret99\"",
    ] {
        let shown = |values: &Values, audience: Audience<'_>| {
            shown_reason(reason, values, audience, &names())
        };
        assert!(
            shown(&all(&["a"]), Audience::Members).contains("dynrefSecret99"),
            "{reason}"
        );
        for hidden in [
            shown(&all(&["a"]), Audience::Others),
            shown(&all(&["****"]), Audience::Members),
            shown(&all(&["a"]), review(false)),
        ] {
            assert!(!hidden.contains("dynrefSecret99"), "{hidden}");
        }
        assert!(forms::is_written_by_users(reason));
    }
    for of_aws in [
        "Orders (AWS::SQS::Queue) CREATE_FAILED: Internal Failure",
        "Resource handler returned message: \"x (Service: Sqs, Status Code: 400)\"",
        "no bucket (arn:aws:s3:::b)",
    ] {
        assert!(!forms::is_written_by_users(of_aws), "{of_aws}");
    }
}

#[test]
fn parameter_without_its_value_makes_values_incomplete() {
    let parameter = |value: Option<&str>| {
        let one = Parameter::builder().parameter_key("Size");
        one.set_parameter_value(value.map(ToOwned::to_owned)).build()
    };
    let shown = |parameters: &[Parameter]| {
        let values = Values::of(parameters);
        shown_reason("no hunter2", &values, Audience::Members, &names())
    };
    assert_eq!(shown(&[parameter(Some("small"))]), "no hunter2");
    assert_eq!(
        shown(&[parameter(Some("small")), parameter(None)]),
        HIDDEN_REASON
    );
    // Its value is a name in Parameter Store.
    let stored = Parameter::builder().parameter_value("/shop/size");
    let stored = stored.resolved_value("hunter2").build();
    assert_eq!(shown(&[stored]), "no …");
    let large = "1,".repeat(MAX_VALUE_BYTES);
    assert_eq!(shown(&[parameter(Some(&large))]), HIDDEN_REASON);
}

/// A text is cut off before anything is searched in it. If its length multiplied by the size of the
/// values is too large, it is hidden.
#[test]
fn work_of_a_long_reason_is_bounded() {
    let list = |length: usize| (0..length).map(|n| format!("10.0.{n}.0/24")).collect::<Vec<_>>();
    let shown = |reason: &str, values: Vec<String>| {
        shown_reason(reason, &Values::all(values), Audience::Others, &names())
    };
    let long = "a-text-of-ten ".repeat(70) + "10.0.1999.0/24" + &" more".repeat(99);
    let cut = shown(&long, list(2_000));
    assert!(
        cut.contains("ten … more more") && cut.ends_with("more…"),
        "{cut}"
    );
    let at_the_end = "x ".repeat(510);
    for encoded in [
        "a-value-of-20-bytes!",
        "612d76616c75652d6f662d32302d627974657321",
    ] {
        let reason = format!("{at_the_end}{encoded} {at_the_end}");
        let cut = shown(&reason, vec!["a-value-of-20-bytes!".to_owned()]);
        assert_eq!(cut, at_the_end.clone() + "…");
    }
    let hexadecimal = "0123456789ab ".repeat(300);
    let list: Vec<String> = (0..12_000).map(|n| format!("{n:04}")).collect();
    assert_eq!(shown(&hexadecimal, vec![list.join(",")]), HIDDEN_REASON);
    assert_eq!(shown("no 11111", vec![list.join(",")]), "no …");
}

/// The author of a review branch chooses the encoding.
#[test]
fn review_shows_literal_names_only() {
    let words: BTreeSet<String> =
        ["M", "k", "Queue7", "AWS::SQS:Queue"].map(ToOwned::to_owned).into();
    let of = |has_transform, reason: &str| {
        let template = Template {
            words: &words,
            has_transform,
        };
        shown_reason(
            reason,
            &all(&["hunter2"]),
            Audience::Review(template),
            &names(),
        )
    };
    for (reason, shown) in [
        (
            "Unable to get mapping for M::aHVudGVyMg==::k",
            "Unable to get mapping for M::…::k",
        ),
        (
            "Unable to get mapping for 68756e74657232::a::b",
            "Unable to get mapping for …::…::…",
        ),
        ("no aHVudGVyMg==", HIDDEN_REASON),
        (
            "ValidationError: Template format error: Unrecognized resource types: [AWS::SQS:Queue, A::SQS:hunter2]",
            "ValidationError: Template format error: Unrecognized resource types: [AWS::SQS:Queue, …]",
        ),
        // The value of a property begins like a sentence, and the reason goes on after it.
        (
            "Properties validation failed for resource Db with message: #/A: User: x is not authorized to perform: \
             a:Zhunter2secret on resource: y is not a valid enum value #/B: expected type: String, found: JSONObject",
            "Properties validation failed for resource Db with message: …",
        ),
        ("Value 2retnuh exists", HIDDEN_REASON),
    ] {
        assert_eq!(of(false, reason), shown);
        assert_eq!(of(true, reason), shown.replace(" Db ", " … "));
    }
    let pin = "Template error: Unresolved resource dependencies [4711] in the Resources block of the template";
    assert_eq!(of(true, pin), pin.replace("4711", "…"));
    let circle = "Circular dependency between resources: [Queue7, Zm9vYmFy]";
    // Without a transform, a logical ID is literal.
    assert_eq!(of(false, circle), circle);
    let hidden = "Circular dependency between resources: [Queue7, …]";
    assert_eq!(of(true, circle), hidden);
    // A denial in the middle of a name.
    let denial = format!(
        "Unable to get mapping for M::User: a/{DEPLOY_ROLE}/b is not authorized to perform: s3:Ahunter2 {NO_POLICY}::k"
    );
    assert_eq!(of(false, &denial), "Unable to get mapping for M::…::k");
    let first = format!(
        "User: arn:aws:sts::1:assumed-role/{DEPLOY_ROLE}/b is not authorized to perform: ssm:GetParameters on resource: \
         aHVudGVyMg== {NO_POLICY}"
    );
    expect!["pipelines may not call ssm:GetParameters. Name the resource parameter-dev-…, and add policy-dev-deploys-configuration of templates/deployed-services.yaml to DeployPolicyArns of the environment's stack, unless it is there"].assert_eq(&of(false, &first));
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
fn missing_change_set_is_shown_with_its_remedy() {
    let reason = "ChangeSet [changeset-dev-shop] does not exist (Service: AmazonCloudFormation; Status \
        Code: 404; Error Code: ChangeSetNotFound; Request ID: 1; Proxy: null)";
    assert_eq!(shown(reason, &["****"]), GONE);
    let quoted = format!("Template error: {reason}");
    assert_eq!(shown(&quoted, &[]), quoted);
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

const DEPLOY_ROLE: &str = "role-dev-codedeploy-cfn";

#[test]
fn denial_of_the_deploy_role_names_the_remedy() {
    let second = format!(
        "{NO_POLICY}. Second: User: a is not authorized to perform: b:C with an explicit deny"
    );
    let shown = [
        ("dynamodb:CreateTable", NO_POLICY),
        ("dynamodb:CreateTable", EXPLICIT),
        ("dynamodb:CreateTable", "with an explicit deny"),
        ("dynamodb:CreateTable", &second),
        ("x:HiddenAction", NO_POLICY),
    ];
    let shown = shown.map(|(action, cause)| denied(DEPLOY_ROLE, action, cause));
    expect![[r#"
        pipelines may not call dynamodb:CreateTable. Name the resource table-dev-…, and add policy-dev-deploys-data of templates/deployed-services.yaml to DeployPolicyArns of the environment's stack, unless it is there (arn:aws:dynamodb:eu-central-1:…:table/o-…)
        pipelines may not call dynamodb:CreateTable. No policy can allow it: remove it from the template, and deploy it by hand (arn:aws:dynamodb:eu-central-1:…:table/o-…)
        pipelines may not call dynamodb:CreateTable. No policy can allow it: remove it from the template, and deploy it by hand (arn:aws:dynamodb:eu-central-1:…:table/o-…)
        pipelines may not call dynamodb:CreateTable. Name the resource table-dev-…, and add policy-dev-deploys-data of templates/deployed-services.yaml to DeployPolicyArns of the environment's stack, unless it is there (arn:aws:dynamodb:eu-central-1:…:table/o-…)
        pipelines may not call x:…Action. Add a policy that allows it to DeployPolicyArns of the environment's stack (arn:aws:dynamodb:eu-central-1:…:table/o-…)"#]].assert_eq(&shown.join("\n"));
}

#[test]
fn denial_of_a_role_with_another_name_names_the_names() {
    let denial = |role: &str, cause: &str, values: &[&str]| {
        let reason = format!(
            "User: arn:aws:sts::1:assumed-role/{DEPLOY_ROLE}/AWSCloudFormation is not authorized to perform: \
             iam:CreateRole on resource: arn:aws:iam::123456789012:role/{role} {cause}"
        );
        shown(&reason, values)
    };
    let shown = [
        denial("MyRole", EXPLICIT, &[]),
        denial("role-dev-shop", EXPLICIT, &[]),
        denial("cfnstack-dev-shop-Role-1", EXPLICIT, &[]),
        // A name in an ARN may be a value that CloudFormation masks.
        denial("MyRole", EXPLICIT, &["****"]),
        denial("MyRole", NO_POLICY, &[]),
    ];
    expect![[r#"
        pipelines may not call iam:CreateRole. Name the role role-dev-…, or omit its name (arn:aws:iam::…:role/MyRole)
        pipelines may not call iam:CreateRole. Set DeployedRoles=Bounded in the environment's stack, and in the role PermissionsBoundary: !Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/policy-dev-deployed-roles
        pipelines may not call iam:CreateRole. Set DeployedRoles=Bounded in the environment's stack, and in the role PermissionsBoundary: !Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/policy-dev-deployed-roles
        pipelines may not call iam:CreateRole. Name the role role-dev-…, or omit its name
        pipelines may not call iam:CreateRole. Name the role role-dev-…, or omit its name (arn:aws:iam::…:role/MyRole)"#]].assert_eq(&shown.join("\n"));
}

#[test]
fn denial_of_a_role_names_its_boundary_within_a_status() {
    let mut texts = BTreeSet::new();
    for action in "GetRole CreateRole ListAttachedRolePolicies TagRole".split(' ') {
        for cause in [NO_POLICY, EXPLICIT] {
            let shown = denied(DEPLOY_ROLE, &format!("iam:{action}"), cause);
            let status = format!("ExecuteChangeSet failed: {shown}");
            assert!(status.chars().count() <= 255, "{status}");
            texts.insert(shown.replace(action, "…"));
        }
    }
    expect!["pipelines may not call iam:…. Set DeployedRoles=Bounded in the environment's stack, and in the role PermissionsBoundary: !Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/policy-dev-deployed-roles"].assert_eq(&Vec::from_iter(texts).join("\n"));
}

#[test]
fn remedy_fits_the_action() {
    for (action, remedy) in [
        ("sns:CreateTopic", DenialRemedy::Policy),
        // The limits allow these for the environment's names.
        ("iam:PassRole", DenialRemedy::Policy),
        ("iam:CreateServiceLinkedRole", DenialRemedy::Policy),
        ("iam:AddRoleToInstanceProfile", DenialRemedy::Policy),
        ("iam:CreatePolicy", DenialRemedy::Policy),
        ("iam:PutRolePolicy", DenialRemedy::Boundary),
        ("iam:CreateUser", DenialRemedy::ByHand),
        ("iam:PutGroupPolicy", DenialRemedy::ByHand),
        ("iam:CreateAccessKey", DenialRemedy::ByHand),
    ] {
        assert_eq!(DenialRemedy::of_missing(action), remedy, "{action}");
    }
}

/// Their own text names the cause.
#[test]
fn other_denials_are_shown_as_iam_words_them() {
    let boundary = "because no permissions boundary allows the action";
    let organization = "with an explicit deny in a service control policy";
    let shown = [
        denied("role-dev-shop", "s3:GetObject", NO_POLICY),
        denied(DEPLOY_ROLE, "s3:GetObject", boundary),
        denied(DEPLOY_ROLE, "s3:GetObject", organization),
        denied(DEPLOY_ROLE, "arn:aws:a/b", NO_POLICY),
    ];
    expect![[r#"
        Stack cfnstack-dev-shop is in the state ROLLBACK_COMPLETE. Orders (AWS::DynamoDB::Table) CREATE_FAILED: User: arn:aws:sts::…:assumed-role/role-dev-shop/AWSCloudFormation is not authorized to perform: s3:GetObject on resource: arn:aws:dynamodb:eu-central-1:…:table/o-… because no identity-based policy allows the action
        Stack cfnstack-dev-shop is in the state ROLLBACK_COMPLETE. Orders (AWS::DynamoDB::Table) CREATE_FAILED: User: arn:aws:sts::…:assumed-role/role-dev-codedeploy-cfn/AWSCloudFormation is not authorized to perform: s3:GetObject on resource: arn:aws:dynamodb:eu-central-1:…:table/o-… because no permissions boundary allows the action
        Stack cfnstack-dev-shop is in the state ROLLBACK_COMPLETE. Orders (AWS::DynamoDB::Table) CREATE_FAILED: User: arn:aws:sts::…:assumed-role/role-dev-codedeploy-cfn/AWSCloudFormation is not authorized to perform: s3:GetObject on resource: arn:aws:dynamodb:eu-central-1:…:table/o-… with an explicit deny in a service control policy
        Stack cfnstack-dev-shop is in the state ROLLBACK_COMPLETE. Orders (AWS::DynamoDB::Table) CREATE_FAILED: User: arn:aws:sts::…:assumed-role/role-dev-codedeploy-cfn/AWSCloudFormation is not authorized to perform: arn:aws:a/b on resource: arn:aws:dynamodb:eu-central-1:…:table/o-… because no identity-based policy allows the action"#]].assert_eq(&shown.join("\n"));
}
