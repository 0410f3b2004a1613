//! A client of GitLab's API, as far as push mirrors and reports need it.
//!
//! [`open`] reads the token from its secret and returns a [`GitLab`]. Projects, branches and
//! protected branches are read to find out what a mirror would push. No value that leaves this
//! module contains the token or a mirror's login.
//!
//! Source: <https://docs.gitlab.com/api/remote_mirrors/>, and GitLab's `lib/api/remote_mirrors.rb`.

mod branches;
mod classify;
mod client;
mod commit_status;
mod deployment;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod list;
mod merge_request;
mod mirror;
mod note;
mod own_token;
mod people;
pub mod property;
mod pushes;
mod sanitize;
mod tags;
mod token;
mod token_error;
mod transport;
mod unreachable;

pub use crate::clients::gitlab::branches::{
    Branch, Containment, Mirrored, ProtectedBranches, PushesEverything,
};
pub use crate::clients::gitlab::client::ProjectDetails;
pub use crate::clients::gitlab::commit_status::{
    CommitRef, CommitStatus, MAX_CHARACTERS, PostedStatus, ShownStatus, StatusState,
};
pub use crate::clients::gitlab::deployment::{GitLabEnvironment, guessed_tier};
pub use crate::clients::gitlab::error::{ErrorKind, Feature, GitLabError, MAINTAINER, Rejection};
pub use crate::clients::gitlab::merge_request::{NotePlace, NoteTarget};
pub use crate::clients::gitlab::mirror::{Mirror, PushStatus, Settings};
pub use crate::clients::gitlab::note::Note;
pub use crate::clients::gitlab::own_token::TokenDetails;
pub use crate::clients::gitlab::people::{Commit, RequestedMerge, User};
pub use crate::clients::gitlab::pushes::{LatestPushes, PushEvent};
pub use crate::clients::gitlab::tags::{ProtectedTag, Tag};
pub use crate::clients::gitlab::token::{Access, open};
pub use crate::clients::gitlab::token_error::{TokenError, TokenSource, URL_TAG};
pub use crate::clients::gitlab::transport::GitLab;
pub use crate::clients::gitlab::unreachable::UnreachableGitLabs;

#[cfg(test)]
mod tests;
