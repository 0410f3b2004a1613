//! CloudFormation custom resources that connect GitLab, CodeCommit and CodePipeline.
//!
//! # The map
//!
//! - [`handler`] classifies an event and dispatches it; [`self_invocation`] continues a long request
//!   in another invocation
//! - `crates/cfn-custom-resource` is the custom-resource protocol: request, deadlines, response. It
//!   knows no AWS service
//! - [`mirror_credential`] and [`gitops_pipeline`] are the two resources, with the same modules under
//!   the same names
//! - [`reconcile`] is the driver of both: observe, plan, apply, until done. CONTRIBUTING.md, "Add a
//!   step", has the file of each kind of step
//! - [`ownership`] is the owner of a resource and its tags; [`tags`] are a template's own
//! - [`health_check`] checks every resource by schedule and writes metrics, at a [`pace`]
//! - [`reporting`] reports the executions of pipelines to GitLab
//! - [`review`] writes what a review branch would change on its merge request, and [`drift`] compares
//!   a stack with its template; both use [`change_sets`]
//! - [`aws`], [`codecommit`], [`gitlab`] and [`http`] are the clients; [`password`] is the type that
//!   keeps secrets out of logs; [`iam_wildcard`] matches names as IAM does
//! - [`reason_codes`] is the table of error codes; [`logging`] writes JSON lines without secrets
//!
//! # Terms
//!
//! A **spec** is what a template's properties ask for. The **state** is what was observed in AWS and
//! GitLab. A **step** is one idempotent call or read; the **planner** chooses the next one from spec
//! and state alone. The **intent record** (`issue_intent`: a tag on the IAM user) is written before a
//! credential is issued, so that a crash loses none. A **tombstone** is what a Delete leaves for a
//! Create that is delivered after it. An **orphan** is a credential or mirror that no record names.
//! `docs/reference/glossary.md` has the rest.

pub mod aws;
pub mod change_sets;
pub mod codecommit;
pub mod drift;
pub mod gitlab;
pub mod gitops_pipeline;
pub mod handler;
pub mod health_check;
pub mod http;
pub mod iam_wildcard;
pub mod logging;
pub mod mirror_credential;
pub mod ownership;
pub mod pace;
pub mod password;
pub mod reason_codes;
pub mod reconcile;
pub mod reporting;
pub mod review;
pub mod self_invocation;
pub mod tags;
