//! An AWS in this process, for tests of whole lifecycles: stateful, strict
//! where AWS is strict, late where AWS is late, and able to lose, refuse or
//! interrupt any call.
//!
//! Every byte that the product sends leaves through one HTTP connector. A test
//! hands it the connector of a [`Caller`] and so sees each attempt of the SDK,
//! the answer to `CloudFormation`, and the proof that a login can push.
//!
//! ```ignore
//! let world = World::new();
//! world.user("mirror");
//! world.inject("first delivery", Fault::on("CreateServiceSpecificCredential", 0, AnswerLost));
//! let caller = world.caller("first delivery");
//! let run = caller.run(provider_over(caller.connector()).answer(&event)).await;
//! assert_eq!(world.count("CreateServiceSpecificCredential"), 1);
//! world.assert_unbroken();
//! ```
//!
//! A GitLab belongs to the world, though it is not AWS's: its calls go the same way, and its push
//! mirrors run in the world's time and log in at `CodeCommit`. Secrets Manager's rotation is driven
//! from outside, as `CloudFormation`'s requests are.
//!
//! ```ignore
//! world.gitlab_project("platform/infra", &["main"]);
//! world.gitlab_token("gitlab/token");
//! let mut rotation = Rotation::of(&world, "codecommit-mirror/mirror", |_, caller| caller.connector());
//! assert_eq!(rotation.rotate().await, Rotated::Finished);
//! world.push_to_gitlab("platform/infra", "main", "a commit");
//! world.mirrors_work("platform/infra", "infra").expect("a push arrives");
//! ```

#![allow(missing_docs)]

/// Errors and answers in the three forms that AWS speaks.
pub mod answer;
/// CodeCommit's approval rule templates.
pub mod approval_rules;
/// What AWS holds, apart from how it is asked.
pub mod aws;
/// SDK clients over a connector.
pub mod clients;
/// CodeCommit's API and the git address behind it.
pub mod codecommit;
/// CloudFormation and Lambda around a custom resource.
pub mod custom_resource;
/// Another account, and STS.
pub mod elsewhere;
/// EventBridge's rules, and what a push makes them send.
pub mod event_bus;
/// Trying every order in which concurrent callers' calls can run.
pub mod explore;
/// What may go wrong with one call.
pub mod faults;
/// Lambda's asynchronous invocations.
pub mod functions;
/// Where calls wait until the schedule lets them go.
pub mod gate;
/// GitLab's projects and push mirrors.
pub mod gitlab;
/// GitLab's REST API.
pub mod gitlab_api;
/// When push mirrors run, and what becomes of it.
pub mod gitlab_runs;
/// IAM's users, tags and service-specific credentials.
pub mod iam;
/// IAM's XML.
pub mod iam_api;
/// What was called, by whom, and what became of it.
pub mod journal;
/// Reads that show an earlier state.
pub mod lateness;
/// Products that misbehave, for the checks to notice.
pub mod mutants;
/// What a caught panic says.
pub mod panics;
/// CodePipeline's executions.
pub mod pipelines;
/// How often services answer.
pub mod rates;
/// The code at the end of a reason.
pub mod reason_codes;
/// What was sent, decoded.
pub mod request;
/// The bucket behind a custom resource's `ResponseURL`.
pub mod response_bucket;
/// Secrets Manager around a rotation function.
pub mod rotation;
/// Secrets Manager's list of secrets.
pub mod secret_lists;
/// Secrets Manager's versions and their staging labels.
pub mod secret_versions;
/// Secrets Manager's secrets: made, described, tagged, deleted.
pub mod secrets;
/// CloudFormation's XML.
pub mod stack_api;
/// CloudFormation's descriptions of stacks, events and resources.
pub mod stack_descriptions;
/// What a stack's operations do, step by step.
pub mod stack_operations;
/// What CloudFormation makes for each type of resource.
pub mod stack_resources;
/// How stacks go back.
pub mod stack_rollbacks;
/// Templates with everything in them resolved.
pub mod stack_template;
/// CloudFormation's stacks and their events.
pub mod stacks;
/// What AWS accepts as a tag.
pub mod tags;
/// How much of what would take too long is tried.
pub mod thorough;
/// The way of one call: gate, fault, execution, journal.
pub mod wire;
/// The handle that tests hold.
pub mod world;

pub use answer::Denied;
pub use aws::{Aws, Options};
pub use event_bus::Reaction;
pub use explore::{
    Explored, Schedule, explore, explore_ends, explore_reduced, explore_with_holds, sample,
};
pub use faults::{At, Fault, FaultKind, On};
pub use functions::Invoked;
pub use gitlab::{EmptyProjects, Scope};
pub use journal::Entry;
pub use rates::Rate;
pub use request::Service;
pub use response_bucket::{BucketFailure, Delivery};
pub use rotation::{Rotated, Rotation, Step};
pub use stacks::{Doing, SeenTokens};
pub use wire::{Caller, Line, Run};
pub use world::World;

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
