//! The attributes of the resource, for its schema and its documentation.

/// The attributes that `Fn::GetAtt` returns, in alphabetical order.
pub const ATTRIBUTES: [&str; 10] = [
    "BranchName",
    "BuildProjectName",
    "CloneUrlHttp",
    "ConsoleUrl",
    "EventRuleName",
    "PipelineArn",
    "PipelineName",
    "RepositoryArn",
    "RepositoryName",
    "StackId",
];

#[cfg(test)]
mod tests {
    use super::ATTRIBUTES;
    use std::time::SystemTime;

    use serde_json::json;

    use crate::common::ownership::Owner;
    use crate::gitops_pipeline::apply::AppliedPipeline;
    use crate::gitops_pipeline::intent_log::RequestKey;
    use crate::gitops_pipeline::names::AwsLocation;
    use crate::gitops_pipeline::request_context::RequestContext;
    use crate::gitops_pipeline::resource::attributes;
    use crate::gitops_pipeline::spec;

    const STACK_ID: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/s/id";

    #[test]
    fn every_attribute_of_an_outcome_is_listed() {
        let spec = spec::decode(&json!({"EnvID": "dev", "ProjectID": "p"})).expect("valid");
        let location = AwsLocation::from_arn(STACK_ID).expect("an ARN");
        let owner = Owner {
            stack_id: STACK_ID.to_owned(),
            logical_id: "Pipeline".to_owned(),
        };
        let context = RequestContext {
            owner,
            request: RequestKey::new(SystemTime::UNIX_EPOCH, "request", "owner"),
            role_arn: location.role("r"),
            location,
        };
        let applied = AppliedPipeline {
            stack_id: STACK_ID.to_owned(),
            repository_arn: context.location.arn("codecommit", "r"),
            clone_url: "https://host/v1/repos/r".to_owned(),
            warning: None,
        };
        let attributes = attributes(&spec, &context, &applied);
        assert!(attributes.into_keys().eq(ATTRIBUTES));
    }
}
