use crate::gitops_pipeline::messages::*;

// claim: name-outside-the-pattern-is-denied-and-the-reason-names-the-parameter
#[test]
fn denied_call_names_the_remedy() {
    let doing = "deleting repository x of stack y";
    for (action, advice) in [
        (
            "cloudformation:CreateStack",
            "use the ServiceToken of the environment EnvID",
        ),
        (
            "iam:PassRole",
            "use the ServiceToken of the environment EnvID",
        ),
        ("sts:AssumeRole", "parameter SourceRoleArns"),
        ("codecommit:GetBranch", "parameter RepositoryNames"),
        (
            "codecommit:AssociateApprovalRuleTemplateWithRepository",
            "parameter RepositoryNames",
        ),
        (
            "codecommit:GetApprovalRuleTemplate",
            "the function's role, which the provider stack creates, does not allow it",
        ),
        (
            "codecommit:DeleteRepository",
            "use the ServiceToken of the environment EnvID",
        ),
        (
            "secretsmanager:CreateSecret",
            "use the ServiceToken of the environment EnvID",
        ),
        (
            "codepipeline:StartPipelineExecution",
            "use the ServiceToken of the environment EnvID",
        ),
    ] {
        let cause = format!("User: u is not authorized to perform: {action} on resource: r");
        let error = CallError {
            code: Some("AccessDeniedException".to_owned()),
            ..CallError::local(Code::AwsDenied, doing, cause)
        };
        let said = with_remedy(with_remedy(error)).to_string();
        assert_eq!(said.matches(advice).count(), 1, "{said}");
    }
}

// claim: no-build-gets-a-stronger-role
#[test]
fn failed_stack_of_a_denied_role_names_the_parameter() {
    for action in ["iam:PassRole", "iam:GetRole"] {
        let cause = format!("EventRule: u is not authorized to perform: {action} on resource: r");
        let said = stack_failed("gitops-dev-shop", "UPDATE_ROLLBACK_FAILED", &cause).to_string();
        assert!(said.contains("parameter PipelineRoleNames"), "{said}");
        assert!(said.contains("continue-update-rollback"), "{said}");
    }
}
