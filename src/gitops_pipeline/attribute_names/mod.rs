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
mod tests;
