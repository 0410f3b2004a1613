//! Records of a commit: statuses, deployments, merge requests and notes.

pub mod commit_status;
pub mod deployment;
pub mod merge_request;
pub mod note;
