//! The attributes of the resource, for its schema and its documentation.

/// What `Fn::GetAtt` can read, in alphabetical order.
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
mod tests;
