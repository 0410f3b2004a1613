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

    /// Whether a response may be sent to `url`. That of Amazon S3 has no user, no port and no other
    /// spelling of its host.
    pub fn accept(self, url: &str) -> bool {
        let Ok(parsed) = Url::parse(url) else {
            return false;
        };
        if is_loopback_host(&parsed) {
            return self != ResponseHosts::S3 && is_web(&parsed);
        }
        let host = parsed.host_str().unwrap_or_default();
        let after_scheme = url.strip_prefix("https://");
        let path = after_scheme.and_then(|rest| rest.strip_prefix(host));
        path.is_some_and(|path| path.starts_with('/')) && is_s3(host)
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

/// Whether `host` is one of Amazon S3's own endpoints, with or without a bucket before it. Other
/// services' hosts have a label that their customer chooses, which can be `s3` too.
/// <https://docs.aws.amazon.com/general/latest/gr/s3.html>
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html>
fn is_s3(host: &str) -> bool {
    let domain = AWS_DOMAINS.iter().find_map(|end| host.strip_suffix(end));
    let labels: Vec<&str> = domain.unwrap_or_default().split('.').collect();
    if labels.contains(&"") {
        return false;
    }
    match labels[..] {
        [.., "s3" | "s3-external-1" | "s3-accelerate"] | [.., "s3-accelerate", "dualstack"] => true,
        [.., endpoint, "s3", region, "vpce"] => endpoint.starts_with("vpce-") && is_region(region),
        [.., "s3" | "s3-fips", "dualstack", region] | [.., "s3" | "s3-fips", region] => {
            is_region(region)
        }
        [.., last] => last.strip_prefix("s3-").is_some_and(is_region),
        [] => false,
    }
}

/// Whether `label` has the form of a region, such as `eu-central-1` and `us-gov-west-1`.
fn is_region(label: &str) -> bool {
    let Some((area, number)) = label.rsplit_once('-') else {
        return false;
    };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|it| it.is_ascii_lowercase());
    let words: Vec<&str> = area.split('-').collect();
    words.len() > 1
        && words[0].len() <= 4
        && words.into_iter().all(is_word)
        && matches!(number.len(), 1 | 2)
        && number.bytes().all(|it| it.is_ascii_digit())
}

#[cfg(test)]
#[path = "response_hosts_tests.rs"]
mod tests;
