//! AWS's services: the state of each, and its API.

/// CodeBuild's builds.
pub mod codebuild;
/// CodeCommit's API, the git address behind it, and another account's repositories.
pub mod codecommit;
/// EventBridge's rules, and the events that a push sends.
pub(crate) mod event_bus;
/// Lambda's asynchronous invocations.
pub(crate) mod functions;
/// IAM's users, tags and service-specific credentials.
pub mod iam;
/// CloudWatch Logs' streams.
pub mod logs;
/// The lists of the JSON services.
mod pages;
/// CodePipeline's executions and their actions.
pub(crate) mod pipelines;
/// The bucket behind a custom resource's `ResponseURL`.
pub(crate) mod response_bucket;
/// S3's buckets.
pub mod s3;
/// Secrets Manager's secrets, their versions and their rotation.
pub mod secrets;
/// CloudFormation's stacks, their operations and change sets.
pub mod stacks;
