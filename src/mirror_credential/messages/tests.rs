use crate::mirror_credential::messages::*;

fn denied(doing: &str, cause: &str) -> String {
    with_permission_hint(with_permission_hint(CallError {
        doing: doing.to_owned(),
        code: Some("AccessDenied".to_owned()),
        status: Some(403),
        cause: cause.to_owned(),
        reason_code: Code::AwsDenied.into(),
    }))
    .to_string()
}

#[test]
fn denied_call_names_its_parameter_once() {
    for (action, parameter) in [
        ("iam:TagUser", "parameter MirrorUserNames"),
        (
            "secretsmanager:CreateSecret",
            "parameters MirrorSecretNames",
        ),
        ("kms:Decrypt", "MirrorSecretFormerKmsKeyArns"),
        ("codecommit:GetRepository", "parameter RepositoryNames"),
    ] {
        let cause = format!("AccessDenied: User: u is not authorized to perform: {action} on x");
        let said = denied("tagging user secret repository", &cause);
        assert_eq!(said.matches("the provider stack").count(), 1, "{said}");
        assert!(said.contains(parameter), "{said}");
    }
    let said = denied("reading secret x", "AccessDenied: no");
    assert!(said.contains("parameters MirrorSecretNames"), "{said}");
}

#[test]
fn denial_by_another_policy_names_no_parameter() {
    for why in [
        "with an explicit deny in a service control policy",
        "because no permissions boundary allows the iam:TagUser action",
        "because no service control policy allows the iam:TagUser action",
    ] {
        let cause = format!(
            "AccessDenied: User: u is not authorized to perform: iam:TagUser on resource: x {why}"
        );
        let said = denied("tagging user x", &cause);
        assert!(said.contains("no parameter"), "{said}");
        assert!(!said.contains("MirrorUserNames"), "{said}");
    }
}
