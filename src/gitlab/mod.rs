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
mod containment;
mod deployment;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod merge_request;
mod mirror;
mod mirror_calls;
mod note;
mod own_token;
pub mod property;
mod pushes;
mod reason_code;
mod sanitize;
mod token;
mod token_error;
mod transport;

pub use crate::gitlab::branches::{Branch, Mirrored, ProtectedBranches, PushesEverything};
pub use crate::gitlab::client::ProjectDetails;
pub use crate::gitlab::commit_status::{
    CommitRef, CommitStatus, MAX_CHARACTERS, PostedStatus, ShownStatus, StatusState,
};
pub use crate::gitlab::containment::Containment;
pub use crate::gitlab::deployment::{GitLabEnvironment, guessed_tier};
pub use crate::gitlab::error::{ErrorKind, Feature, GitLabError, Rejection};
pub use crate::gitlab::merge_request::{NotePlace, NoteTarget};
pub use crate::gitlab::mirror::{Mirror, PushStatus, Settings};
pub use crate::gitlab::note::Note;
pub use crate::gitlab::own_token::TokenDetails;
pub use crate::gitlab::pushes::LatestPushes;
pub use crate::gitlab::token::{Access, open};
pub use crate::gitlab::token_error::{TokenError, TokenSource, URL_TAG};
pub use crate::gitlab::transport::GitLab;

#[cfg(test)]
mod tests;
