//! The actions that the function calls, by the SDK's types of their errors.

use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The SDK's error of an action.
pub trait ActionError: ProvideErrorMetadata {
    /// The action as IAM names it, such as `codecommit:GetBranch`.
    fn action() -> &'static str;
}

macro_rules! actions {
    ($($service:literal $sdk:ident { $($module:ident::$error:ident,)+ })+) => {
        $($(
            impl ActionError for $sdk::operation::$module::$error {
                fn action() -> &'static str {
                    concat!($service, ":", stringify!($error)).trim_end_matches("Error")
                }
            }
        )+)+
    };
}

// The compiler names a call whose action is missing.
actions! {
    "iam" aws_sdk_iam {
        create_service_specific_credential::CreateServiceSpecificCredentialError,
        delete_service_specific_credential::DeleteServiceSpecificCredentialError,
        get_policy::GetPolicyError, get_policy_version::GetPolicyVersionError,
        get_role_policy::GetRolePolicyError,
        list_attached_role_policies::ListAttachedRolePoliciesError,
        list_role_policies::ListRolePoliciesError,
        list_service_specific_credentials::ListServiceSpecificCredentialsError,
        list_user_tags::ListUserTagsError, list_users::ListUsersError,
        reset_service_specific_credential::ResetServiceSpecificCredentialError,
        tag_user::TagUserError, untag_user::UntagUserError,
        update_service_specific_credential::UpdateServiceSpecificCredentialError,
    }
    "secretsmanager" aws_sdk_secretsmanager {
        create_secret::CreateSecretError, delete_secret::DeleteSecretError,
        describe_secret::DescribeSecretError, get_secret_value::GetSecretValueError,
        list_secrets::ListSecretsError, put_secret_value::PutSecretValueError,
        restore_secret::RestoreSecretError, tag_resource::TagResourceError,
        untag_resource::UntagResourceError, update_secret::UpdateSecretError,
        update_secret_version_stage::UpdateSecretVersionStageError,
    }
    "codecommit" aws_sdk_codecommit {
        associate_approval_rule_template_with_repository::AssociateApprovalRuleTemplateWithRepositoryError,
        create_approval_rule_template::CreateApprovalRuleTemplateError,
        delete_approval_rule_template::DeleteApprovalRuleTemplateError,
        delete_repository::DeleteRepositoryError,
        disassociate_approval_rule_template_from_repository::DisassociateApprovalRuleTemplateFromRepositoryError,
        get_approval_rule_template::GetApprovalRuleTemplateError, get_branch::GetBranchError,
        get_commit::GetCommitError, get_differences::GetDifferencesError,
        get_repository::GetRepositoryError,
        list_branches::ListBranchesError,
        list_repositories_for_approval_rule_template::ListRepositoriesForApprovalRuleTemplateError,
        list_tags_for_resource::ListTagsForResourceError,
        update_approval_rule_template_content::UpdateApprovalRuleTemplateContentError,
        update_default_branch::UpdateDefaultBranchError,
    }
    "cloudformation" aws_sdk_cloudformation {
        cancel_update_stack::CancelUpdateStackError,
        continue_update_rollback::ContinueUpdateRollbackError,
        create_change_set::CreateChangeSetError, create_stack::CreateStackError,
        delete_change_set::DeleteChangeSetError, delete_stack::DeleteStackError,
        describe_change_set::DescribeChangeSetError, describe_events::DescribeEventsError,
        describe_stack_events::DescribeStackEventsError,
        describe_stack_resource::DescribeStackResourceError, describe_stacks::DescribeStacksError,
        describe_type::DescribeTypeError, list_change_sets::ListChangeSetsError,
        list_imports::ListImportsError, list_stack_resources::ListStackResourcesError,
        list_stacks::ListStacksError, update_stack::UpdateStackError,
    }
    "codebuild" aws_sdk_codebuild {
        batch_get_builds::BatchGetBuildsError, list_builds_for_project::ListBuildsForProjectError,
        start_build::StartBuildError,
    }
    "codepipeline" aws_sdk_codepipeline {
        get_pipeline::GetPipelineError, get_pipeline_state::GetPipelineStateError,
        list_action_executions::ListActionExecutionsError,
        list_pipeline_executions::ListPipelineExecutionsError, list_pipelines::ListPipelinesError,
        put_approval_result::PutApprovalResultError,
        start_pipeline_execution::StartPipelineExecutionError,
    }
    "events" aws_sdk_eventbridge {
        describe_rule::DescribeRuleError,
    }
    "lambda" aws_sdk_lambda {
        get_function_concurrency::GetFunctionConcurrencyError, invoke::InvokeError,
    }
    "sts" aws_sdk_sts {
        assume_role::AssumeRoleError,
    }
}
