//! `Custom::GitOpsPipeline`: one project's pipeline in one environment. It consists of a child
//! CloudFormation stack, and of resources without a CloudFormation type.
//!
//! - [`spec`] decodes the properties, and [`template`] renders the child stack from them.
//! - [`observe`] reads the stack into a [`state`], and follows it while it changes. [`plan`]
//!   chooses the next step, and [`apply`] and [`delete`] execute it. [`template`] and [`plan`] are
//!   pure.
//! - [`intent_log`] contains the records of requests: the tokens of the stack's operations, and the
//!   tombstone.
//! - [`settings`] are what reports, reviews, drift and approvals need: the child stack stores them,
//!   and [`observe`] reads them. Among them are the tags with which people decide about a
//!   change set in GitLab.
//! - [`pushes`] adds the pipeline when the branch is pushed, and starts it if a push changes files
//!   of [`paths`]. It also starts it for a push whose event was lost, or whose execution an update
//!   canceled.
//! - [`executions`] lists the executions of the pipeline, and their actions.

mod apply;
mod approval_rule;
mod calls;
pub(crate) mod child;
mod delete;
pub(crate) mod executions;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod health;
pub(crate) mod holds;
mod intent_log;
mod messages;
pub(crate) mod names;
pub(crate) mod observe;
mod paths;
mod plan;
pub(crate) mod pushes;
mod request_context;
mod resource;
mod rules;
pub(crate) mod settings;
mod source;
pub mod spec;
mod state;
mod template;

pub(crate) use self::names::is_env_id;
pub(crate) use self::observe::{describe as describe_stack, early_validation, is_cancelled};
pub(crate) use self::plan::project::PROPERTY as PROJECT_PROPERTY;
pub(crate) use self::request_context::names_another_function;
pub use self::resource::{ATTRIBUTES, GitOpsPipeline, is_rejected};
pub use self::rules::rules;
