//! CloudFormation custom resources that connect GitLab, CodeCommit and CodePipeline.
//!
//! # The map
//!
//! - [`handler`] parses an event and dispatches it: [`handler::Event`] lists all kinds
//! - `crates/cfn-custom-resource` is the custom-resource protocol: request, deadlines, response. It
//!   uses no AWS service
//! - [`mirror_credential`] and [`gitops_pipeline`] are the two resources, with the same modules
//!   under the same names
//! - [`reconcile`] is the driver of both: observe, plan, apply, until done. CONTRIBUTING.md, "Add a
//!   step", has the file of each kind of step
//! - [`health_check`] checks every resource by schedule and writes metrics
//! - [`answers`] answers the operator's questions, from the same look at a project
//! - [`feedback`] shows developers reports, reviews and drift in GitLab
//! - [`clients`] are those of AWS, GitLab and HTTP, and [`common`] has the modules that every part
//!   uses
//!
//! # Terms
//!
//! A **spec** is the desired state, from a template's properties. The **state** is the observed
//! one, from AWS and GitLab. A **step** is one idempotent call or read; the **planner** chooses the
//! next one from spec and state alone. The **intent record** (`issue_intent`: a tag on the IAM
//! user) is written before a credential is issued, so that a crash loses none. A **tombstone** is
//! the record that a Delete leaves for a Create that is delivered after it. An **orphan** is a
//! credential or mirror that no record names. `docs/reference/glossary.md` has the rest.
//!
//! # Boxed futures
//!
//! A future contains every future that it awaits, so without `Box::pin` that of one event would
//! grow to 320 kB, and clippy's `large_futures` rejects more than 16 KiB.
//!
//! The compiler generates a future's code in each crate that awaits it, with every future inside.
//! So the large entry points for other crates return a
//! [`BoxFuture`](futures_util::future::BoxFuture). Otherwise each crate of tests would compile the
//! whole product again.

// First, because its macros log the errors of the other modules.
#[macro_use]
pub mod common;

pub mod answers;
pub mod clients;
pub mod feedback;
pub mod gitops_pipeline;
pub mod handler;
pub mod health_check;
pub mod mirror_credential;
pub(crate) mod reconcile;
