//! Which hosts the function sends CloudFormation's response to.

use aws_types::SdkConfig;

use super::is_https_or_loopback;
use crate::aws;

/// The domains of the partitions that have CodeCommit: the first of AWS and of AWS `GovCloud`, the
/// second of AWS in China.
/// <https://docs.aws.amazon.com/general/latest/gr/s3.html>
const AWS_DOMAINS: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];

/// Services whose stand-in shows that this is not AWS: S3, and those that every request calls.
const REPLACEABLE_SERVICES: [&str; 4] = ["S3", "IAM", "Secrets Manager", "CloudFormation"];

/// The hosts that a response may be sent to. CloudFormation's `ResponseURL` is a presigned address
/// of Amazon S3. A made-up one would let the function reach any host of its network.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseHosts {
    /// Amazon S3, over HTTPS.
    S3,
    /// Amazon S3 and this machine, for a local stand-in for AWS.
    S3OrLoopback,
}

impl ResponseHosts {
    /// The hosts for `config`. This machine is one of them if the process does not run in Lambda,
    /// or if `AWS_ENDPOINT_URL` or a service's variable names a stand-in for AWS.
    pub fn for_config(config: &SdkConfig, is_in_lambda: bool) -> Self {
        let mut services = REPLACEABLE_SERVICES.into_iter();
        let is_local = services.any(|service| aws::endpoint_url(config, service).is_some());
        if is_local || !is_in_lambda {
            ResponseHosts::S3OrLoopback
        } else {
            ResponseHosts::S3
        }
    }

    /// Whether a response may be sent to `url`.
    pub fn accept(self, url: &str) -> bool {
        let Ok(parsed) = reqwest::Url::parse(url) else {
            return false;
        };
        let host = parsed.host_str().unwrap_or_default();
        if is_loopback(host) {
            return self == ResponseHosts::S3OrLoopback && is_https_or_loopback(url);
        }
        parsed.scheme() == "https" && parsed.port().is_none() && is_s3(host)
    }
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "[::1]" | "localhost")
}

/// Whether `host` is of Amazon S3: `<bucket>.s3.<region>.amazonaws.com`, without a region, with
/// `s3-<region>` or `s3.dualstack.<region>`, or a VPC endpoint (`s3.<region>.vpce`).
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
fn is_s3(host: &str) -> bool {
    let domain = AWS_DOMAINS.iter().find_map(|end| host.strip_suffix(end));
    let Some(service) = domain else {
        return false;
    };
    let mut labels = service.rsplit('.');
    let last = labels.next().unwrap_or_default();
    // Other services' hosts, such as a load balancer's, end in the service's name.
    last == "s3" || last.starts_with("s3-") || labels.take(2).any(|label| label == "s3")
}

#[cfg(test)]
mod tests;
