use crate::gitops_pipeline::messages::*;

#[test]
fn denied_call_names_the_remedy() {
    let doing = "deleting repository x of stack y";
    for (action, advice) in [
        (
            "cloudformation:CreateStack",
            "is EnvID the environment of the ServiceToken?",
        ),
        (
            "iam:PassRole",
            "is EnvID the environment of the ServiceToken?",
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
            "is EnvID the environment of the ServiceToken?",
        ),
        (
            "secretsmanager:CreateSecret",
            "is EnvID the environment of the ServiceToken?",
        ),
        (
            "codepipeline:StartPipelineExecution",
            "is EnvID the environment of the ServiceToken?",
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
