//! Which addresses are safe for a secret, and which the function sends CloudFormation's response
//! to.

use reqwest::Url;

/// The domains of the partitions that have CodeCommit: the first of AWS and of AWS `GovCloud`, the
/// second of AWS in China.
/// <https://docs.aws.amazon.com/general/latest/gr/s3.html>
const AWS_DOMAINS: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];

/// The hosts that a response may be sent to. CloudFormation's `ResponseURL` is a presigned address
/// of Amazon S3. A made-up one would let the function reach any host of its network.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseHosts {
    /// Amazon S3, over HTTPS.
    S3,
    /// Amazon S3 and this machine, for a local AWS that runs Lambda.
    S3OrLoopback,
    /// The same outside of Lambda, where no program may listen for the response.
    Local,
}

impl ResponseHosts {
    /// The hosts of a process that runs in Lambda, or not, and that calls AWS, or a local AWS.
    pub fn new(is_in_lambda: bool, is_local_aws: bool) -> Self {
        match (is_in_lambda, is_local_aws) {
            (true, false) => ResponseHosts::S3,
            (true, true) => ResponseHosts::S3OrLoopback,
            (false, _) => ResponseHosts::Local,
        }
    }

    /// Whether a response may be sent to `url`.
    pub fn accept(self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else {
            return false;
        };
        if is_loopback_host(&url) {
            return self != ResponseHosts::S3 && is_web(&url);
        }
        let host = url.host_str().unwrap_or_default();
        url.scheme() == "https" && url.port().is_none() && is_s3(host)
    }
}

/// Whether requests to `url` are encrypted, or do not leave this machine.
pub fn is_https_or_loopback(url: &str) -> bool {
    Url::parse(url)
        .is_ok_and(|url| is_web(&url) && (url.scheme() == "https" || is_loopback_host(&url)))
}

/// Whether `url` names this machine.
pub fn is_loopback(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| is_loopback_host(&url))
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "http")
}

fn is_loopback_host(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"))
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
#[path = "response_hosts_tests.rs"]
mod tests;
