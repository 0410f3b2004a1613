//! What developers and approvers see in GitLab.
//!
//! - [`reporting`] reports the executions of pipelines
//! - [`review`] writes what a review branch would change on its merge request
//! - [`drift`] compares a stack with its template
//! - [`approval`] approves a change set without changes, or as a person decides in GitLab
//! - [`rights`] compares a change set with what pipelines may do
//! - [`change_sets`] is what they use

pub(crate) mod approval;
pub(crate) mod change_sets;
pub(crate) mod drift;
pub mod reporting;
pub(crate) mod review;
pub(crate) mod rights;
