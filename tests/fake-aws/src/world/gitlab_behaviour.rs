//! Where one GitLab differs from another.

use std::time::Duration;

use crate::world::gitlab_languages::Language;

/// `MAX_MIRRORS_PER_PROJECT` (`spec/models/remote_mirror_spec.rb`).
pub const MAX_MIRRORS_PER_PROJECT: usize = 10;

/// Where one GitLab differs from another, by version, edition or an administrator's hand.
/// One that is out of reach is a fault like any other service's (`FakeAws::break_from_now`).
#[derive(Clone, Debug)]
// Each is a question of its own.
#[allow(clippy::struct_excessive_bools)]
pub struct Behaviour {
    /// Rejects a second mirror to the same address in a project ("url uniqueness" in
    /// `spec/models/remote_mirror_spec.rb`: since 2026, without regard to the login).
    pub unique_urls: bool,
    /// Whether `mirror_branch_regex` is shown (`ee/lib/ee/api/entities/remote_mirror.rb`).
    pub premium: bool,
    /// How many mirrors of a project may be enabled. `None` in versions before 18.9
    /// (<https://gitlab.com/gitlab-org/gitlab/-/merge_requests/221965>, about February 2026).
    pub enabled_mirrors_limit: Option<usize>,
    /// The behaviour of a mirror of a project without commits.
    pub empty_projects: EmptyProjects,
    /// `mirror_available` in the instance's settings is off (`app/policies/project_policy.rb`).
    pub mirroring_disabled: bool,
    /// Silent mode: mirrors remain and push nothing (`enabled` in `app/models/remote_mirror.rb`).
    pub silent: bool,
    /// Every request is redirected to `gitlab::REDIRECT_HOST`.
    pub redirects: bool,
    /// It is in maintenance, or a secondary site: it rejects every request but GET
    /// (`lib/gitlab/middleware/read_only/controller.rb`).
    pub read_only: bool,
    /// A proxy removes the paging headers of each full page. GitLab itself sends no header of some
    /// lists (<https://github.com/gitlabhq/gitlabhq/issues/10040>), and no total above 10,000
    /// elements.
    pub drops_paging_headers: bool,
    /// Each project has one more mirror, whose address is null, because its stored one is not a URL
    /// (`safe_url` in `app/models/concerns/safe_url.rb`).
    pub has_broken_mirror: bool,
    /// A proxy replaces CodeCommit's host in the addresses of mirrors, as nginx does with `sub_filter`
    /// (<https://nginx.org/en/docs/http/ngx_http_sub_module.html>).
    pub rewrites_addresses: bool,
    /// `last_error` shows the login, which `update_error_message` in `app/models/remote_mirror.rb`
    /// is there to prevent.
    pub errors_show_the_login: bool,
    /// The language of the tokens' users.
    pub language: Language,
    /// A gateway that answers an operation instead of GitLab. `None` if there is none.
    pub gateway: Option<Gateway>,
    /// A firewall that rejects some requests which change something. `None` if there is none.
    pub firewall: Option<Firewall>,
    /// How far GitLab's clock is behind AWS's, as on a server without NTP. The header `Date` of its
    /// answers and the times of its records are by this clock.
    pub clock_behind: Duration,
    /// The same in the other direction.
    pub clock_ahead: Duration,
    /// `PROTECTED_BACKOFF_DELAY` in `app/models/remote_mirror.rb`.
    pub protected_backoff: Duration,
    /// `UNPROTECTED_BACKOFF_DELAY` in `app/models/remote_mirror.rb`.
    pub unprotected_backoff: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            unique_urls: true,
            premium: true,
            enabled_mirrors_limit: Some(MAX_MIRRORS_PER_PROJECT),
            empty_projects: EmptyProjects::NeverRun,
            mirroring_disabled: false,
            silent: false,
            redirects: false,
            read_only: false,
            drops_paging_headers: true,
            clock_behind: Duration::ZERO,
            clock_ahead: Duration::ZERO,
            has_broken_mirror: false,
            rewrites_addresses: false,
            errors_show_the_login: false,
            language: Language::default(),
            gateway: None,
            firewall: None,
            protected_backoff: Duration::from_mins(1),
            unprotected_backoff: Duration::from_mins(5),
        }
    }
}

/// A firewall that answers 403 with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firewall {
    /// It rejects larger bodies: `SizeRestrictions_BODY` in
    /// <https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html>.
    Above(usize),
    /// It rejects bodies with this text.
    Text(&'static str),
}

impl Firewall {
    pub(crate) fn rejects(self, body: &[u8]) -> bool {
        match self {
            Firewall::Above(size) => body.len() > size,
            Firewall::Text(text) => String::from_utf8_lossy(body).contains(text),
        }
    }
}

/// An answer that is not from GitLab's endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gateway {
    pub operation: &'static str,
    pub status: u16,
    pub body: &'static str,
}

impl Gateway {
    /// Answers that prove nothing. GitLab's of an unknown route (`route :any, '*path'` in
    /// `lib/api/api.rb`). Kong's without a route
    /// (<https://developer.konghq.com/gateway/routing/>) and without a key
    /// (<https://developer.konghq.com/plugins/key-auth/>). Those of Amazon API Gateway
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>).
    /// The pages of a proxy, of which the last is Cloudflare's check, and its redirect to a login.
    pub const ANSWERS: [(u16, &'static str); 10] = [
        (302, ""),
        (401, r#"{"message":"No API key found in request"}"#),
        (403, r#"{"message":"Forbidden"}"#),
        (
            403,
            "<!DOCTYPE html><html><body>Access denied</body></html>",
        ),
        (404, "<!DOCTYPE html><html><body>Not here</body></html>"),
        (404, r#"{"error":"404 Not Found"}"#),
        (404, r#"{"message":"no Route matched with those values"}"#),
        (404, r#"{"message":"Not Found"}"#),
        (200, "<!DOCTYPE html><html><body>Sign in</body></html>"),
        (
            403,
            "<!DOCTYPE html><html><title>Just a moment...</title></html>",
        ),
    ];

    /// Each of them instead of GitLab's answer to `operation`.
    pub fn each(operation: &'static str) -> impl Iterator<Item = Self> {
        let answers = Self::ANSWERS.into_iter();
        answers.map(move |(status, body)| Self {
            operation,
            status,
            body,
        })
    }
}

/// The states of a project without commits. No source documents them for all versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyProjects {
    /// A sync is accepted, and nothing ever happens.
    NeverRun,
    /// There is nothing to push: a run ends as failed.
    Fail,
    /// `repository_exists?` is false: mirrors are shown as disabled, and cannot be synced.
    LookDisabled,
}
