//! Reports the executions of pipelines to GitLab: commit statuses, deployments, and the change set
//! that waits for an approval.
//!
//! The function never trusts an event's content. It reads the execution, compares it with what GitLab
//! shows, and posts the difference, until there is none. So duplicate, late and reordered events end
//! in the same state, and the health check reports what events lost.
//!
//! - [`event`] reads the pipeline's name and the execution's ID from an event
//! - [`settings`] reads the target in GitLab from the pipeline's child stack
//! - [`execution`] reads the commit's newest execution from CodePipeline
//! - [`plan`] decides what to post, as a pure function
//! - [`change_set`] renders the note about a change set
//! - [`report`] drives all of it with [`reconcile`](crate::reconcile)

mod change_set;
mod event;
mod execution;
mod outputs;
mod plan;
mod report;
mod settings;
