//! The clients that a delivery uses.

use crate::clients::aws::Aws;
use crate::clients::http::Http;
use cfn_custom_resource::Clock;

/// AWS, HTTP and the clock.
#[derive(Clone, Debug)]
pub struct Clients {
    pub aws: Aws,
    /// GitLab and CodeCommit's git servers.
    pub http: Http,
    pub clock: Clock,
}
