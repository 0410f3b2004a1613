//! The fake AWS is itself shown to be strict, late and breakable, through the
//! SDK's own clients: a fake AWS that forgives proves nothing.

#![allow(clippy::too_many_lines)] // Scenarios and tables are lists.

/// Sends a request: `send!(clients.iam, list_user_tags, user_name: "mirror").await`.
macro_rules! send {
    ($client:expr, $operation:ident $(, $member:ident: $value:expr)* $(,)?) => {
        $client.$operation()$(.$member($value))*.send()
    };
}

mod change_sets;
mod child;
mod cloudformation;
mod faults;
mod gitlab;
mod gitlab_runs;
mod iam;
mod interleavings;
mod objects;
mod pushes;
mod secrets_manager;
mod stack_refusals;
mod transport;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use fake_aws::{FakeAws, clients::Clients};

/// A fake AWS with a user `mirror`, and clients in it called `test`.
fn world_and_clients() -> (FakeAws, Clients) {
    let fake = FakeAws::new();
    fake.user("mirror");
    let clients = Clients::over(fake.connector("test"));
    (fake, clients)
}

/// The code and the message of an error that a service answered with.
fn refusal<T, E, R>(result: Result<T, SdkError<E, R>>) -> (String, String)
where
    E: ProvideErrorMetadata,
{
    let Err(error) = result else {
        return fine();
    };
    let Some(error) = error.as_service_error() else {
        return ("none".into(), "no answer from the service".into());
    };
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    (text(error.code()), text(error.message()))
}

/// The [`refusal`] of a successful call.
fn fine() -> (String, String) {
    ("none".into(), "it succeeded".into())
}

fn code<T, E: ProvideErrorMetadata, R>(result: Result<T, SdkError<E, R>>) -> String {
    refusal(result).0
}
