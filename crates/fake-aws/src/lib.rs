//! An AWS and a GitLab in the process of a test: stateful, strict where AWS is strict, eventually
//! consistent where AWS is, and able to lose, reject or interrupt any call.
//!
//! Every byte that the product sends leaves through one HTTP connector. A test hands it the
//! connector of a [`Caller`]. So the test sees each attempt of the SDK, the response to
//! `CloudFormation`, and the push that verifies a login.
//!
//! ```ignore
//! let fake = FakeAws::new();
//! fake.user("mirror");
//! fake.inject("first delivery", Fault::on("CreateServiceSpecificCredential", 0, AnswerLost));
//! let caller = fake.caller("first delivery");
//! let run = caller.run(handler_over(caller.connector()).answer(&event)).await;
//! assert_eq!(fake.count("CreateServiceSpecificCredential"), 1);
//! fake.assert_unbroken();
//! ```
//!
//! GitLab is part of the same account: its calls take the same way, and its push mirrors run in the
//! account's virtual time and log in at `CodeCommit`. [`Rotation`] drives Secrets Manager's rotation
//! from outside, as [`custom_resource`] sends `CloudFormation`'s requests.
//!
//! ```ignore
//! fake.gitlab_project("platform/infra", &["main"]);
//! fake.gitlab_token("gitlab/token");
//! let mut rotation = Rotation::of(&fake, "codecommit-mirror/mirror", |_, caller| caller.connector());
//! assert_eq!(rotation.rotate().await, Rotated::Finished);
//! fake.push_to_gitlab("platform/infra", "main", "a commit");
//! fake.mirrors_work("platform/infra", "infra").expect("a push arrives");
//! ```

// Most public items are members of AWS's and GitLab's APIs under the names that those document.
#![allow(missing_docs)]
// Each long function dispatches the calls of one service.
#![allow(clippy::too_many_lines)]
// A test that misuses the fake fails by a panic.
#![allow(clippy::missing_panics_doc)]

// The types that a test uses.
/// SDK clients over a connector.
pub mod clients;
/// CloudFormation and Lambda around a custom resource.
pub mod custom_resource;
/// Every order in which the calls of concurrent callers can run.
pub mod explore;
/// How many of the schedules run.
pub mod extent;
/// The faults that a call may meet.
mod faults;
/// The handle that tests hold.
mod handle;
/// The calls, who made them, and their results.
mod journal;
/// Mutants: products that misbehave, which the checks must notice.
pub mod mutants;
/// Permissions that IAM propagates late or never.
pub mod propagation;
/// Secrets Manager around a rotation function.
mod rotation;
/// Schedules that a test tries one after another.
pub mod schedules;

// The way of one call.
/// Where calls wait for their turn in a schedule.
mod gate;
/// Reads that show an earlier state.
mod lateness;
/// The rates at which services throttle.
mod rates;
/// The code at the end of a reason.
pub mod reason_codes;
/// Requests, decoded.
pub mod request;
/// Errors and answers in the forms that AWS uses.
mod response;
/// The bucket behind a custom resource's `ResponseURL`.
mod response_bucket;
/// The state of the account, and the service that answers a call.
mod state;
/// The way of one call: gate, fault, execution, journal.
mod wire;

// The services.
/// The actions of CodePipeline's executions.
mod action_runs;
/// CodeCommit's approval rule templates.
mod approval_rules;
/// CodeBuild's builds.
pub mod codebuild;
/// CodeCommit's API and the git address behind it.
pub mod codecommit;
/// EventBridge's rules, and the events that a push sends.
mod event_bus;
/// Lambda's asynchronous invocations.
mod functions;
/// GitLab's projects and push mirrors.
pub mod gitlab;
/// GitLab's REST API.
mod gitlab_api;
/// GitLab's REST API of commits, deployments and notes.
mod gitlab_commits_api;
/// GitLab's branches, ancestors of commits and push events.
pub mod gitlab_history;
/// GitLab's merge requests.
pub mod gitlab_merge_requests;
/// GitLab's commit statuses, deployments, environments and notes.
pub mod gitlab_records;
/// The runs of push mirrors.
mod gitlab_runs;
/// IAM's users, tags and service-specific credentials.
pub mod iam;
/// IAM's XML.
mod iam_api;
/// Another account, and STS.
pub mod other_account;
/// CodePipeline's executions.
mod pipelines;
/// S3's buckets.
pub mod s3;
/// Secrets Manager's list of secrets.
mod secret_lists;
/// Secrets Manager's versions and their staging labels.
pub mod secret_versions;
/// Secrets Manager's secrets: created, described, tagged, deleted.
pub mod secrets;
/// CloudFormation's XML.
mod stack_api;
/// CloudFormation's calls of change sets.
mod stack_change_set_api;
/// The change sets of stacks.
pub mod stack_change_sets;
/// What a change set would change.
mod stack_comparison;
/// CloudFormation's descriptions of stacks, events and resources.
mod stack_descriptions;
/// The operations of a stack, step by step.
pub mod stack_operations;
/// The resources that CloudFormation creates, by type.
pub mod stack_resources;
/// How stacks roll back.
mod stack_rollbacks;
/// Templates with all functions and references resolved.
mod stack_template;
/// CloudFormation's stacks and their events.
pub mod stacks;
/// The tags that AWS accepts.
mod tags;

pub use action_runs::ActionRun;
pub use approval_rules::RuleTemplate;
pub use codebuild::Build;
pub use event_bus::Reaction;
pub use explore::{
    Explored, Schedule, explore, explore_ends, explore_reduced, explore_with_holds, sample,
};
pub use faults::{At, Fault, FaultKind, On};
pub use functions::Invoked;
pub use gitlab::{EmptyProjects, Scope};
pub use handle::FakeAws;
pub use journal::{Count, Entry};
pub use pipelines::{Execution, Pipeline};
pub use rates::Rate;
pub use request::Service;
pub use response::{ApiResponse, AwsError, Denied};
pub use response_bucket::{BucketFailure, SentResponse};
pub use rotation::{Answering, Rotated, Rotation, RotationStep};
pub use schedules::Schedules;
pub use stack_change_sets::{ChangeSetBehaviour, ResourceChange};
pub use stacks::{ResourceAction, SeenTokens};
pub use state::{AwsState, Options};
pub use wire::{Caller, Fate, Line, Run};

/// Prints a figure of a run, also when the test passes: the harness captures `println!`.
#[macro_export]
macro_rules! figure {
    ($($text:tt)*) => {{
        use std::io::Write;
        let line = format!($($text)*);
        // Standard output may be closed.
        let _ = writeln!(std::io::stdout(), "{line}");
    }};
}
