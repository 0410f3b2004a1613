//! The addresses of push mirrors: with a login as GitLab gets them, and without it as GitLab shows
//! them.

use std::fmt;

use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::clients::gitlab::api::sanitize;
use crate::common::password::Password;

/// `clone_url` with an unescaped login: GitLab escapes it itself (`lib/gitlab/url_sanitizer.rb`).
/// `None` if the login has a character that is not safe there.
///
/// The name of an IAM user may contain an `@`: GitLab takes the last one for the end of the login.
pub fn with_login(clone_url: &str, login: &str, password: &Password) -> Option<String> {
    let name_is_safe = Password::new(login.replace('@', "")).is_url_safe();
    let (scheme, rest) = clone_url.split_once("://")?;
    if !name_is_safe || !password.is_url_safe() || rest.contains('@') {
        return None;
    }
    Some(format!("{scheme}://{login}:{}@{rest}", password.expose()))
}

/// Spellings of the address `clone_url` that lead to the same repository. Newer versions of GitLab
/// accept each spelling once in a project, and a mirror and its replacement exist side by side. Git
/// ignores a slash at the end and the default port.
pub fn spellings(clone_url: &str) -> Vec<String> {
    let plain = clone_url.trim_end_matches('/').to_owned();
    let mut spellings = vec![plain.clone(), format!("{plain}/")];
    if let Some(rest) = plain.strip_prefix("https://")
        && let Some((host, path)) = rest.split_once('/')
        && !host.contains(':')
    {
        spellings.push(format!("https://{host}:443/{path}"));
        spellings.push(format!("https://{host}:443/{path}/"));
    }
    spellings
}

/// The address that GitLab shows for a mirror, without the login that GitLab masks in it
/// (`safe_url` in `app/models/remote_mirror.rb`). `None` if it shows none, or a text that is not an
/// address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination(Option<Url>);

impl Destination {
    /// Parses the text `shown`, and removes its login.
    pub fn parse(shown: &str) -> Self {
        let parsed = Url::parse(shown.trim()).ok().and_then(|mut url| {
            url.set_username("").ok()?;
            url.set_password(None).ok()?;
            url.set_query(None);
            url.set_fragment(None);
            Some(url)
        });
        Destination(parsed)
    }

    /// Whether both lead to the same repository. The case of the host, the default port and a slash
    /// at the end make no difference. Any other one may: a name of a CodeCommit repository cannot
    /// end in `.git`
    /// (<https://docs.aws.amazon.com/codecommit/latest/APIReference/API_CreateRepository.html>).
    pub fn is_same(&self, other: &Destination) -> bool {
        let (Some(own), Some(other)) = (&self.0, &other.0) else {
            return false;
        };
        own.scheme() == other.scheme()
            && own.host() == other.host()
            && own.port_or_known_default() == other.port_or_known_default()
            && own.path().trim_end_matches('/') == other.path().trim_end_matches('/')
    }

    /// The region in a host such as `git-codecommit.eu-central-1.amazonaws.com`. `None` for any
    /// other host. <https://docs.aws.amazon.com/codecommit/latest/userguide/regions.html>
    pub fn codecommit_region(&self) -> Option<&str> {
        let mut labels = self.0.as_ref()?.host_str()?.split('.');
        let service = labels.next()?;
        let region = labels.next()?;
        let is_codecommit = matches!(service, "git-codecommit" | "git-codecommit-fips");
        let is_aws = labels.next()? == "amazonaws";
        (is_codecommit && is_aws).then_some(region)
    }

    /// Whether GitLab shows an address.
    pub fn is_shown(&self) -> bool {
        self.0.is_some()
    }

    /// Whether its path ends in `path`.
    pub fn ends_with(&self, path: &str) -> bool {
        let own = self.0.as_ref().map_or("", Url::path);
        own.trim_end_matches('/').ends_with(path)
    }
}

impl fmt::Display for Destination {
    /// The address for a message. A rewritten address may have the login in its path, so a path
    /// with other characters than that of a repository is left out.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(url) = &self.0 else {
            return formatter.write_str("no address");
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
        let is_shown = percent_decode_str(url.path()).all(is_plain);
        let path = if is_shown { url.path() } else { "/…" };
        let (scheme, host) = (url.scheme(), url.host_str().unwrap_or_default());
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        formatter.write_str(&sanitize::shown(&format!("{scheme}://{host}{port}{path}")))
    }
}
