//! The real process, with bytes as its interface: a Lambda Runtime API, a response bucket and an
//! AWS on loopback.
//!
//! The binary under test is the one that Cargo has built for this test. `CFN_GITOPS_BINARY` names
//! another one, for example the release build or the `bootstrap` that is deployed:
//!
//! ```sh
//! CFN_GITOPS_BINARY=$PWD/target/release/cfn-gitops cargo test --test process
//! ```
//!
//! The example `misbehaving` panics or blocks its thread with the same wiring, which the real
//! handlers never do.

#![allow(clippy::too_many_lines)] // Scenarios and tables are lists.

mod aws_front;
mod bucket;
mod function;
mod http;
mod lambda;
#[path = "../scale/projects.rs"]
mod projects;

mod answering;
mod delivery;
mod frozen;
mod input;
mod instructions;
mod killed;
mod limits;
mod logging;
mod misbehaviour;
mod pipelines;
mod runtime_api;
mod secrecy;
mod session_and_clock;
mod soak;
mod thousands;
mod unreachable;
