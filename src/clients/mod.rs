//! The clients of the services.
//!
//! - [`aws`] is the SDK's clients, their retries and errors
//! - [`cloudformation`] reads which resources stacks declare, and their imports
//! - [`codecommit`] reads repositories, and checks logins as git does
//! - [`failing_calls`] has the calls that a time limit names
//! - [`gitlab`] is the API of GitLab
//! - [`http`] sends all other requests
//! - [`sent`] has the facts that an error of AWS or GitLab shows about its request

pub mod aws;
pub(crate) mod cloudformation;
pub(crate) mod codecommit;
pub(crate) mod failing_calls;
pub mod gitlab;
pub mod http;
pub(crate) mod sent;

use aws_types::SdkConfig;

use self::aws::{Aws, SdkClients};
use self::http::Http;
use cfn_custom_resource::Clock;

/// The clients and the clock of an invocation. A clone shares the connections.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The clients of the SDK.
    pub aws: Aws,
    /// GitLab and CodeCommit's git servers.
    pub http: Http,
    /// The time, which tests simulate.
    pub clock: Clock,
}

impl Clients {
    /// Clients that call AWS with `config`, and send everything through `http`.
    pub fn new(config: &SdkConfig, http: Http, clock: Clock) -> Self {
        let aws = SdkClients::new(config, &http);
        Clients { aws, http, clock }
    }
}
