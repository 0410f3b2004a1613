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
mod mirror;
mod mirror_calls;
mod note;
mod own_token;
pub mod property;
mod reason_code;
mod sanitize;
mod token;
mod token_error;
mod transport;

pub use crate::gitlab::branches::{ProtectedBranches, PushesEverything};
pub use crate::gitlab::client::ProjectDetails;
pub use crate::gitlab::commit_status::{CommitRef, CommitStatus, MAX_CHARACTERS, StatusState};
pub use crate::gitlab::deployment::GitLabEnvironment;
pub use crate::gitlab::error::{ErrorKind, Feature, GitLabError, Rejection};
pub use crate::gitlab::mirror::{Mirror, PushStatus, Settings};
pub use crate::gitlab::note::NoteTarget;
pub use crate::gitlab::own_token::TokenDetails;
pub use crate::gitlab::token::{Access, open};
pub use crate::gitlab::token_error::{TokenError, TokenSource, URL_TAG};
pub use crate::gitlab::transport::GitLab;

#[cfg(test)]
mod tests;
