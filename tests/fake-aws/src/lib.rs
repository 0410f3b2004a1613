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
//!
//! Each module uses only those before it: `world`, `services`, `gitlab`, `request`, `account`,
//! `handle`, `wire`, `schedule`. A service owns its state, and its functions receive that state and
//! the `World`. `account` owns all services, and has the effects of one service on another, such as
//! a mirror's push to `CodeCommit`.

// Most public items are members of AWS's and GitLab's APIs under the names that those document.
#![allow(missing_docs)]
// Each long function dispatches the calls of one service.
#![allow(clippy::too_many_lines)]
// A test that misuses the fake fails by a panic.
#![allow(clippy::missing_panics_doc)]

/// An account, and the service that answers a call.
mod account;
/// SDK clients over a connector.
pub mod clients;
/// The text of a failed run.
mod failures;
/// GitLab's projects, and its API.
pub mod gitlab;
/// The handle that tests hold.
mod handle;
/// The account over HTTP.
pub mod http;
/// The calls, who made them, and their results.
mod journal;
/// Texts that users read, as snapshots.
mod redacted;
/// Requests, decoded.
pub mod request;
/// The order and the faults of calls.
mod schedule;
/// One GitLab for another program.
pub mod served;
/// AWS's services.
mod services;
/// The way of one call: gate, fault, execution, journal.
mod wire;
/// The clock, the options and the records that all services use.
mod world;
/// YAML as JSON.
pub mod yaml;

pub use account::AwsState;
pub use gitlab::{EmptyProjects, Scope};
pub use handle::{
    FakeAws,
    fate::Fate,
    faults::{At, Fault, FaultKind, On},
};
pub use journal::{Count, Entry};
pub use redacted::redacted;
pub use request::Service;
pub use schedule::{
    explore::{
        self, Explored, Schedule, explore, explore_ends, explore_reduced, explore_with_holds,
        orders, sample,
    },
    extent, histories, interceptor,
    schedules::{self, Schedules},
};
pub use services::{
    codebuild::{self, Build},
    codecommit::{self, RuleTemplate, other_account},
    event_bus::Reaction,
    functions::Invoked,
    iam, logs,
    pipelines::{ActionRun, Execution, Pipeline},
    response_bucket::SentResponse,
    s3, secrets,
    stacks::{self, ChangeSetBehaviour, ResourceAction, ResourceChange, ResourceEvent, SeenTokens},
};
pub use wire::{Caller, Line, Run};
pub use world::{
    Made, World,
    options::Options,
    rates::Rate,
    response::{ApiResponse, AwsError, Denied},
};

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
