use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use crate::clients::aws::propagation::*;

const DENIAL: &str = "User: arn:aws:sts::123456789012:assumed-role/r/f is not authorized to \
        perform: iam:TagUser on resource: user u";

#[test]
fn denial_without_identity_policy_may_pass() {
    for why in [
        " because no identity-based policy allows the iam:TagUser action",
        "",
    ] {
        let text = format!("{DENIAL}{why}");
        assert!(is_transient("AccessDenied", &text), "{text}");
        assert!(is_transient("AccessDeniedException", &text), "{text}");
    }
    let kms = "Access to KMS is not allowed";
    assert!(is_transient("AccessDeniedException", kms));
    assert!(is_transient("EncryptionKeyAccessDeniedException", kms));
}

#[test]
fn denial_of_another_kind_does_not_pass() {
    for why in [
        " with an explicit deny in an identity-based policy",
        " with an explicit deny in a service control policy",
        " because no permissions boundary allows the iam:TagUser action",
        " because no service control policy allows the iam:TagUser action",
        " because no resource control policy allows the iam:TagUser action",
        " because no session policy allows the iam:TagUser action",
        " because no resource-based policy allows the iam:TagUser action",
        " because no VPC endpoint policy allows the iam:TagUser action",
    ] {
        let text = format!("{DENIAL}{why}");
        assert!(!is_transient("AccessDenied", &text), "{text}");
    }
    let text = format!("{DENIAL} because no identity-based policy allows the iam:TagUser action");
    assert!(!is_transient("NoSuchEntity", &text));
}

#[test]
fn role_that_cannot_be_assumed_may_pass() {
    for text in [
        "Role arn:aws:iam::123456789012:role/r is invalid or cannot be assumed",
        "CodeBuild is not authorized to perform: sts:AssumeRole on arn:aws:iam::1:role/r",
        "CodePipeline is not authorized to perform AssumeRole on role arn:aws:iam::1:role/r",
        "Provided role 'arn:aws:iam::1:role/r' cannot be assumed by principal 'events.amazonaws.com'.",
    ] {
        assert!(is_transient("ValidationError", text), "{text}");
    }
    let denied = "User: u is not authorized to perform: sts:AssumeRole on resource: r with an \
            explicit deny in an identity-based policy";
    assert!(!is_transient("AccessDenied", denied));
    assert!(!is_transient("ValidationError", "Stack [x] does not exist"));
}

#[test]
fn error_code_is_read_in_each_protocol() {
    let response = |header: Option<&'static str>, body: &str| {
        let status = StatusCode::try_from(400).expect("a status");
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        if let Some(header) = header {
            response.headers_mut().insert("x-amzn-errortype", header);
        }
        response
    };
    let json = r#"{"__type":"com.amazonaws.x#AccessDeniedException","message":"m"}"#;
    let xml = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>";
    let header = Some("AccessDeniedException:http://internal.amazon.com/");
    assert!(may_be_propagating(&response(None, json)));
    assert!(may_be_propagating(&response(None, xml)));
    assert!(may_be_propagating(&response(header, "{}")));
    assert!(!may_be_propagating(&response(None, "<html>")));
}

#[test]
fn time_for_propagation_is_a_minute_or_a_third() {
    let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds);
    let time = |signed, now, until| time_for_propagation(at(signed), at(now), at(until)).as_secs();
    assert_eq!(time(0, 0, 900), 60);
    assert_eq!(time(0, 40, 900), 20);
    assert_eq!(time(0, 61, 900), 0);
    assert_eq!(time(0, 0, 60), 20);
    assert_eq!(time(0, 0, 0), 0);
    // CloudFormation's clock may be ahead.
    assert_eq!(time(300, 0, 900), 60);
}

#[tokio::test]
async fn absence_may_pass_only_of_what_may_be_new() {
    let response = |status: u16, text: &str| {
        let status = StatusCode::try_from(status).expect("a status");
        HttpResponse::new(status, SdkBody::from(text))
    };
    let absent = [
        "<Error><Code>NoSuchEntity</Code><Message>The user with name u cannot be found.</Message></Error>",
        r#"{"__type": "RepositoryDoesNotExistException", "message": "r does not exist"}"#,
        r#"{"__type": "ResourceNotFoundException"}"#,
        r#"{"__type": "InvalidParameterException", "Message": "The operation failed because of an invalid KMS key: Invalid keyId"}"#,
        r#"{"__type": "EncryptionFailure"}"#,
    ];
    for text in absent {
        let answer = response(400, text);
        let is_retried = async || may_be_propagating(&answer);
        assert!(retrying_absence(true, is_retried()).await, "{text}");
        assert!(!retrying_absence(false, is_retried()).await, "{text}");
        assert!(!is_retried().await, "{text}");
    }
    let others = [
        (400, "BranchDoesNotExistException"),
        (200, "NoSuchEntity"),
        (400, "ValidationError"),
    ];
    for (status, text) in others {
        let answer = response(status, text);
        let is_retried = async { may_be_propagating(&answer) };
        assert!(!retrying_absence(true, is_retried).await, "{text}");
    }
}
