//! The clients of a health check.

use crate::clients::aws::Aws;
use crate::clients::http::Http;
use cfn_custom_resource::Clock;

/// The clients of a health check.
#[derive(Clone, Copy, Debug)]
pub struct CheckClients<'a> {
    /// AWS.
    pub aws: &'a Aws,
    /// GitLab's transport.
    pub http: &'a Http,
    /// The time.
    pub clock: &'a Clock,
}
