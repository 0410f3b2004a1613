//! A client of GitLab's API, as far as push mirrors and reports need it.
//!
//! [`open`] reads the token from its secret and returns a [`GitLab`]. Each of its methods builds a
//! `Call`. No value that leaves this module contains the token or a mirror's login.
//!
//! The modules use each other in one direction: endpoints such as `mirror` and `note`, then `list`,
//! `call`, `classify`, `transport`, `endpoints`, `response`, `reason`, `error` and `sanitize`.
//!
//! Source: <https://docs.gitlab.com/api/remote_mirrors/>, and GitLab's `lib/api/remote_mirrors.rb`.

mod branches;
mod call;
mod classify;
mod commit_status;
mod deployment;
mod endpoints;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod list;
mod members;
mod merge_request;
mod mirror;
mod mirror_address;
mod note;
mod opening;
mod own_token;
mod project;
mod project_parts;
mod project_ref;
pub(crate) mod property;
mod pushes;
mod reason;
mod response;
mod rules;
mod sanitize;
mod token;
mod token_error;
mod transport;
mod unreachable;

pub(crate) use self::branches::{Branch, Containment, Mirrored, ProtectedBranches};
pub(crate) use self::commit_status::{
    CommitRef, CommitStatus, MAX_CHARACTERS, ShownStatus, StatusState,
};
pub(crate) use self::deployment::{GitLabEnvironment, guessed_tier};
pub(crate) use self::error::{ErrorKind, ErrorScope, GitLabError, Rejection, RetryTime, Sent};
pub(crate) use self::merge_request::{CommitPlaces, NotePlace};
pub(crate) use self::mirror::{Mirror, PushStatus, Settings};
pub(crate) use self::mirror_address::Destination;
pub(crate) use self::note::{Note, NoteText};
pub(crate) use self::opening::open;
pub(crate) use self::own_token::{SUFFICIENT_SCOPES, TokenDetails};
pub(crate) use self::project::ProjectDetails;
pub(crate) use self::project_ref::{ProjectRef, other_project};
pub use self::rules::rules;
pub(crate) use self::sanitize::without_logins;
pub(crate) use self::token::{Access, TokenLocation};
pub(crate) use self::token_error::TokenError;
pub(crate) use self::transport::GitLab;
pub use self::unreachable::UnreachableGitLabs;

#[cfg(test)]
mod tests;
