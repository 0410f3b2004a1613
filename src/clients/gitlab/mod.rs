//! A client of GitLab's API, as far as push mirrors and reports need it.
//!
//! [`open`] reads the token from its secret and returns a [`GitLab`]. Each of its methods builds a
//! `Call`. No value that leaves this module contains the token or a mirror's login.
//!
//! `records`, `mirrors` and `project` use `api`, and not each other.
//!
//! Source: <https://docs.gitlab.com/api/remote_mirrors/>, and GitLab's `lib/api/remote_mirrors.rb`.

mod api;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod mirrors;
pub(crate) mod project;
mod records;
mod rules;

pub(crate) use self::api::error::{ErrorKind, ErrorScope, GitLabError, Rejection, RetryTime, Sent};
pub(crate) use self::api::opening::open;
pub(crate) use self::api::own_token::{SUFFICIENT_SCOPES, TokenDetails};
pub(crate) use self::api::project_ref::{ProjectRef, other_project};
pub(crate) use self::api::sanitize::without_logins;
pub(crate) use self::api::token::{Access, TokenLocation};
pub(crate) use self::api::token_error::TokenError;
pub(crate) use self::api::transport::GitLab;
pub use self::api::unreachable::UnreachableGitLabs;
pub(crate) use self::mirrors::branches::{Branch, Containment, Mirrored, ProtectedBranches};
pub(crate) use self::mirrors::mirror::{Mirror, PushStatus, Settings};
pub(crate) use self::mirrors::mirror_address::Destination;
pub(crate) use self::project::details::ProjectDetails;
pub(crate) use self::records::commit_status::{
    CommitRef, CommitStatus, MAX_CHARACTERS, ShownStatus, StatusState,
};
pub(crate) use self::records::deployment::{GitLabEnvironment, guessed_tier};
pub(crate) use self::records::merge_request::{CommitPlaces, NotePlace};
pub(crate) use self::records::note::{Note, NoteText};
pub use self::rules::rules;

#[cfg(test)]
mod tests;
