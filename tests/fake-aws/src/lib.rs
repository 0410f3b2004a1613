//! An AWS and a GitLab in the process of a test: stateful, strict where AWS is strict, eventually
//! consistent where AWS is, and able to lose, reject or interrupt any call.
//!
//! Every byte that the product sends leaves through one HTTP connector. A test hands it the
//! connector of a [`Caller`]. So the test sees each attempt of the SDK, the response to
//! `CloudFormation`, and the push that verifies a login.
//!
//! ```ignore
//! let fake = FakeAws::new();
//! fake.user("mirror");
//! fake.inject("first delivery", Fault::on("CreateServiceSpecificCredential", 0, AnswerLost));
//! let caller = fake.caller("first delivery");
//! let run = caller.run(handler_over(caller.connector()).answer(&event)).await;
//! assert_eq!(fake.count("CreateServiceSpecificCredential"), 1);
//! fake.assert_unbroken();
//! ```
//!
//! GitLab is part of the same account: its calls take the same way, and its push mirrors run in the
//! account's virtual time and log in at `CodeCommit`. This crate does not know the product:
//! `tests/support` sends the requests of `CloudFormation` and of Secrets Manager to it.

// Most public items are members of AWS's and GitLab's APIs under the names that those document.
#![allow(missing_docs)]
// Each long function dispatches the calls of one service.
#![allow(clippy::too_many_lines)]
// A test that misuses the fake fails by a panic.
#![allow(clippy::missing_panics_doc)]

/// SDK clients over a connector.
pub mod clients;
/// GitLab's projects, and its API.
pub mod gitlab;
/// The handle that tests hold.
mod handle;
/// The account over HTTP.
pub mod http;
/// The calls, who made them, and their results.
mod journal;
/// Where AWS's answer differs from day to day.
mod options;
/// The calls of all tests, for the evaluation of policies.
mod recorded_calls;
/// Requests, decoded.
pub mod request;
/// Errors and answers in the forms that AWS uses.
mod response;
/// The order and the faults of calls.
mod schedule;
/// AWS's services.
mod services;
/// The state of the account, and the service that answers a call.
mod state;
/// The way of one call: gate, fault, execution, journal.
mod wire;

pub use gitlab::{EmptyProjects, Scope};
pub use handle::FakeAws;
pub use journal::{Count, Entry};
pub use options::Options;
pub use request::Service;
pub use response::{ApiResponse, AwsError, Denied};
pub use schedule::{
    explore::{
        self, Explored, Schedule, explore, explore_ends, explore_reduced, explore_with_holds,
        sample,
    },
    extent,
    faults::{At, Fault, FaultKind, On},
    histories, mutants,
    rates::Rate,
    schedules::{self, Schedules},
};
pub use services::{
    codebuild::{self, Build},
    codecommit::{self, RuleTemplate, other_account},
    event_bus::Reaction,
    functions::Invoked,
    iam,
    pipelines::{ActionRun, Execution, Pipeline},
    response_bucket::SentResponse,
    s3, secrets,
    stacks::{self, ChangeSetBehaviour, ResourceAction, ResourceChange, SeenTokens},
};
pub use state::AwsState;
pub use wire::{Caller, Fate, Line, Run};

/// Prints a figure of a run, even when the test passes: the harness captures `println!`.
#[macro_export]
macro_rules! figure {
    ($($text:tt)*) => {{
        use std::io::Write;
        let line = format!($($text)*);
        // Standard output may be closed.
        let _ = writeln!(std::io::stdout(), "{line}");
    }};
}
