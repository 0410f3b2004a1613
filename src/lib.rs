//! CloudFormation custom resources that connect GitLab, CodeCommit and CodePipeline.
//!
//! - [`handler`]: one event in, one answer out
//! - [`cfn`]: the custom-resource protocol, knowing nothing of what is provided
//! - [`codecommit`]: repositories and their branches
//! - [`self_invocation`]: one request over several invocations
//! - [`mirror_credential`] makes and unmakes a `Custom::MirrorCredential`
//! - [`gitops_pipeline`] makes and unmakes a `Custom::GitOpsPipeline`
//! - [`reason_codes`]: the codes at the end of reasons, and what each stands for
//! - [`ownership`]: what both write down in AWS
//! - `schema`: the properties as JSON Schemas, generated and held against the decoders by tests
//! - [`tags`]: tags that a template asks for
//! - [`aws`]: the AWS clients, and their errors in words
//! - [`push_check`]: whether a login can push
//! - [`gitlab`]: remote mirrors, nothing else
//! - [`health_check`]: what is looked at by schedule, and the metrics of it
//! - [`http`]: the one way out
//! - [`iam_wildcard`]: names with wildcards, as IAM has them
//! - [`password`]: a value that must not be seen
//! - [`logging`]: JSON lines without secrets

pub mod aws;
pub mod cfn;
pub mod codecommit;
#[cfg(test)]
mod fuzz;
pub mod gitlab;
pub mod gitops_pipeline;
pub mod handler;
pub mod health_check;
pub mod http;
pub mod iam_wildcard;
pub mod logging;
pub mod mirror_credential;
pub mod ownership;
pub mod password;
pub mod reason_codes;
#[cfg(test)]
mod schema;
pub mod self_invocation;
pub mod tags;
