//! `Custom::MirrorCredential`: one live CodeCommit credential of one IAM user. Its password is in
//! one secret, and in the GitLab mirrors that push with it.
//!
//! - [`spec`] decodes the properties, and [`observe`] reads the user, the secret and GitLab's
//!   projects into the [`state`], which follows the delivery's own changes.
//! - [`plan`] chooses the next step from the state alone, and [`apply`] executes it with [`calls`].
//! - [`delete`] does the same for a Delete, with a plan of its own.
//! - [`intent_log`] contains the records that the resource writes to AWS before each change.
//!   Without them, a delivery could not resume after the crash of another one.
//! - Each of these has a part for GitLab's mirrors, and [`plan`] has one for rotations. The plain
//!   credential needs neither. [`rotation`] is Secrets Manager's event and its four phases.
//! - [`health`] reports on credentials and mirrors, and changes nothing.

mod apply;
mod calls;
mod credential_class;
mod delete;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod health;
mod intent_log;
mod messages;
mod observe;
mod plan;
mod request_context;
mod resource;
pub mod rotation;
pub mod spec;
mod state;
mod timing;

pub use crate::mirror_credential::apply::attributes::ATTRIBUTES;
pub use crate::mirror_credential::resource::MirrorCredential;
