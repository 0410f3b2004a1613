use crate::gitops_pipeline::messages::*;

// claim: name-outside-the-pattern-is-denied-and-the-reason-names-the-parameter
#[test]
fn denied_call_names_the_remedy() {
    let doing = "deleting repository x of stack y";
    let token = "Use the ServiceToken of the environment EnvID";
    let role = "Deploy the provider stack again";
    let names = "parameter RepositoryNames";
    let associate = "codecommit:AssociateApprovalRuleTemplateWithRepository";
    for (action, advice) in [
        ("cloudformation:CreateStack", token),
        ("iam:PassRole", token),
        ("sts:AssumeRole", "parameter SourceRoleArns"),
        ("codecommit:GetBranch", names),
        (associate, names),
        ("codecommit:GetApprovalRuleTemplate", role),
        ("codecommit:DeleteRepository", token),
        ("secretsmanager:CreateSecret", token),
        ("codepipeline:StartPipelineExecution", token),
    ] {
        let message = format!("User: u is not authorized to perform: {action} on resource: r");
        let code = "AccessDeniedException";
        let doing = doing.to_owned();
        let error = CallError::answered(doing, "iam:GetUser", 400, Some(code), Some(&message));
        let said = with_remedy(with_remedy(error)).reason().to_string();
        assert_eq!(said.matches(advice).count(), 1, "{said}");
    }
}

// claim: no-build-gets-a-stronger-role
#[test]
fn failed_stack_of_a_denied_role_names_the_parameter() {
    for action in ["iam:PassRole", "iam:GetRole"] {
        let cause = format!("EventRule: u is not authorized to perform: {action} on resource: r");
        let said = stack_failed(
            "gitops-dev-shop",
            Some(&StackStatus::UpdateRollbackFailed),
            &cause,
        )
        .to_string();
        assert!(said.contains("parameter PipelineRoleNames"), "{said}");
        assert!(said.contains("continue-update-rollback"), "{said}");
    }
}

#[test]
fn denied_creation_names_the_tags_and_nothing_else_does() {
    let reason = |action: &str, why: &str| {
        let cause =
            format!("Denied (User: r is not authorized to perform: {action} on resource: r {why})");
        let reason = stack_failed(
            "gitops-dev-shop",
            Some(&StackStatus::RollbackComplete),
            &cause,
        );
        reason.to_string()
    };
    let by_organization = "with an explicit deny in a service control policy";
    let tags = "and deploy again. If that policy requires tags or their values, set them";
    for action in ["codecommit:CreateRepository", "logs:CreateLogGroup"] {
        let text = reason(action, by_organization);
        assert!(text.contains(tags), "{text}");
        let own = reason(action, "because no identity-based policy allows it");
        assert!(!own.contains("requires tags"), "{own}");
    }
    let other = reason("events:PutRule", by_organization);
    assert!(!other.contains("requires tags"), "{other}");
}
