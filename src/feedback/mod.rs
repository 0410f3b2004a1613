//! Feedback in GitLab for developers and approvers.
//!
//! - [`reporting`] reports the executions of pipelines
//! - [`review`] writes the planned changes of a review branch on its merge request
//! - [`drift`] compares a stack with its template
//! - [`approval`] approves a change set without changes, or as a person decides in GitLab
//! - [`rights`] compares a change set with the rights of pipelines
//! - [`execution`] reads the newest execution of a commit
//! - [`failures`] reads why a build or a deployment failed
//! - [`change_sets`] has the functions that they share

pub(crate) mod approval;
pub(crate) mod change_sets;
pub(crate) mod drift;
pub(crate) mod execution;
pub(crate) mod failures;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod reporting;
pub(crate) mod review;
pub(crate) mod rights;
