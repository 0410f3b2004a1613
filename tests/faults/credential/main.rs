//! Whole scenarios of a `Custom::MirrorCredential`, over an AWS in this process: every fault at
//! every call, every interleaving of two deliveries, and histories at random.

#![allow(clippy::too_many_lines)] // Scenarios and tables are lists.

mod by_hand;
mod checks;
mod cloudformation;
mod fixture;
mod happy_path;
mod histories;
mod interleavings;
mod late;
mod login;
mod mutants;
mod ownership;
mod pairs;
mod propagation;
mod scenarios;
mod single_faults;
mod states;

use fake_aws::{FakeAws, Options};
use serde_json::{Value, json};

/// The user of most tests.
pub const USER: &str = "user-dev-codecommit-mirroring";
/// The user that an Update changes to.
pub const OTHER_USER: &str = "user-dev-other";
/// The repository that the login must be able to push to.
pub const REPOSITORY: &str = "codecommit-dev-cfn-infra";

/// A fake AWS with `options`, two users and a repository.
pub fn fake(options: Options) -> FakeAws {
    let fake = FakeAws::with(options);
    fake.user(USER);
    fake.user(OTHER_USER);
    fake.repository(REPOSITORY);
    fake
}

/// The properties that most tests begin with.
pub fn properties() -> Value {
    json!({"UserName": USER, "RepositoryNames": [REPOSITORY]})
}

/// `properties` with one of them changed.
pub fn with(mut properties: Value, name: &str, value: Value) -> Value {
    properties[name] = value;
    properties
}
