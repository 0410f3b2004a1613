//! CloudFormation, Lambda and Secrets Manager around the function under test, in an account of
//! [`fake_aws`].
//!
//! [`custom_resource`] sends CloudFormation's requests. [`Rotation`] drives Secrets Manager's
//! rotation:
//!
//! ```ignore
//! fake.gitlab_project("platform/infra", &["main"]);
//! fake.gitlab_token("gitlab/token");
//! let mut rotation = Rotation::of(&fake, "codecommit-mirror/mirror", |_, caller| caller.connector());
//! assert_eq!(rotation.rotate().await, Rotated::Finished);
//! fake.push_to_gitlab("platform/infra", "main", "a commit");
//! fake.mirrors_work("platform/infra", "infra").expect("a push arrives");
//! ```

// Most public items are members of AWS's APIs under the names that those document.
#![allow(missing_docs)]
// A test that misuses them fails by a panic.
#![allow(clippy::missing_panics_doc)]

/// The settings that a pipeline's stack stores.
pub mod child_settings;
pub mod commands;
/// CloudFormation and Lambda around a custom resource.
pub mod custom_resource;
/// Products with one defect each, which a check has to notice.
pub mod defects;
/// Permissions that IAM propagates late or never.
pub mod propagation;
/// The code at the end of a reason.
pub mod reason_codes;
/// Secrets Manager around a rotation function.
mod rotation;
pub mod runner;
/// The stories of `tests/scenarios`.
pub mod scenarios;
/// The product's output, and the search for secrets in it.
pub mod secrecy;
/// One fault at every call of every story.
pub mod single_faults;
/// Unkind worlds in which the stories have the same end.
pub mod worlds;

pub use rotation::{Rotated, Rotation, RotationStep};
