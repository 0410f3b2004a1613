//! The properties `GitLab` and `Mirrors`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cfn::{Format, ObjectReader, Pattern, ValidationErrors, is_made_of};
use crate::codecommit::REPOSITORY_NAME;
use crate::gitlab::{Access, Settings};
use crate::http;

/// GitLab's own service.
const GITLAB_COM: &str = "https://gitlab.com";

/// The member of a token's secret that holds the token.
const TOKEN: &str = "token";

/// More mirrors would not be pushed and confirmed within one Lambda invocation.
const MOST_MIRRORS: usize = 50;

const URL: Format = Format {
    fits: is_gitlab_url,
    must_be: "must be https://, a host and perhaps a path, without a login (http:// only to this \
        machine)",
    pattern: Pattern::of(
        "^(https://|http://(127\\.0\\.0\\.1|localhost|\\[::1\\])([:/]|$))[^@?#\\\\ ]*$",
    )
    .up_to(256),
};
const SECRET_ID: Format = Format {
    fits: |text| is_made_of(text, 1, 2048, "/_+=.@-:"),
    must_be: "must be the name or the ARN of a secret",
    pattern: Pattern::of("^[A-Za-z0-9/_+=.@:-]+$").up_to(2048),
};
const SECRET_KEY: Format = Format {
    fits: |text| (1..=256).contains(&text.chars().count()),
    must_be: "must be 1 to 256 characters",
    pattern: Pattern::of("^[\\s\\S]").up_to(256),
};
const CERTIFICATE: Format = Format {
    fits: http::is_certificate,
    must_be: "must be certificates in PEM",
    pattern: Pattern::of("-----BEGIN CERTIFICATE-----"),
};
const PROJECT: Format = Format {
    fits: is_project,
    must_be: "must be a project's number or its full path (group/project)",
    pattern: Pattern::of(
        "^([0-9]{1,20}|[_.-]*[A-Za-z0-9][A-Za-z0-9_.-]*(/[_.-]*[A-Za-z0-9][A-Za-z0-9_.-]*)+)$",
    )
    .without("[^/]{256}")
    .up_to(1024),
};
/// Of what a regular expression is compiled to, in bytes: a larger one could take a second for one
/// branch, and all of that time nothing else.
const LARGEST_REGEX: usize = 64 * 1024;

// GitLab's limit of `mirror_branch_regex`.
const REGEX: Format = Format {
    fits: |text| (1..=255).contains(&text.chars().count()),
    must_be: "must be a regular expression of at most 255 characters",
    pattern: Pattern::of("^[\\s\\S]").up_to(255),
};
const BRANCH: Format = Format {
    fits: |text| is_made_of(text, 1, 255, "/_.-+#@"),
    must_be: "must be the name of a branch",
    pattern: Pattern::of("^[A-Za-z0-9/_.+#@-]+$").up_to(255),
};

/// One entry of `Mirrors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedMirror {
    /// Number or full path.
    pub project: String,
    /// The CodeCommit repository that is pushed to.
    pub repository_name: String,
    /// What is pushed.
    pub settings: Settings,
    /// Branches that have to be among what is pushed.
    pub required_branches: Vec<String>,
    /// Whether it is done only when GitLab has pushed.
    pub waits_for_sync: bool,
}

/// Decodes `GitLab`.
pub fn decode_gitlab(
    members: &mut ObjectReader<'_>,
    faults: &mut ValidationErrors,
) -> Option<Access> {
    let is_object = members.value("GitLab")?.is_object();
    let mut members = members.object("GitLab", faults)?;
    let url = members.text("Url", &URL, faults);
    require(is_object, "TokenSecretId", &mut members, faults);
    let token_secret_id = members.text("TokenSecretId", &SECRET_ID, faults);
    let token_secret_key = members.text("TokenSecretKey", &SECRET_KEY, faults);
    let ca_certificate = members.text("CaCertificate", &CERTIFICATE, faults);
    members.finish(faults);
    let url = url.unwrap_or_else(|| GITLAB_COM.to_owned());
    Some(Access {
        url: url.trim_end_matches('/').to_owned(),
        token_secret_id: token_secret_id?,
        token_secret_key: token_secret_key.unwrap_or_else(|| TOKEN.to_owned()),
        ca_certificate,
    })
}

/// The GitLab in properties of which nothing else needs to be valid.
pub fn gitlab_in(properties: &Value) -> Option<Access> {
    let mut faults = ValidationErrors::default();
    let mut members = ObjectReader::of(properties, "", &mut faults);
    let access = decode_gitlab(&mut members, &mut faults);
    access.filter(|_| faults.0.is_empty())
}

/// Decodes `Mirrors`.
pub fn decode_mirrors(
    members: &mut ObjectReader<'_>,
    faults: &mut ValidationErrors,
) -> Vec<WantedMirror> {
    let list = members.list("Mirrors", faults);
    if list.len() > MOST_MIRRORS {
        faults.note("Mirrors", format!("must be at most {MOST_MIRRORS}"));
    }
    let mut mirrors = Vec::new();
    let mut pairs = BTreeSet::new();
    for (path, element) in list {
        let Some(mirror) = decode_mirror(&path, element, faults) else {
            continue;
        };
        if pairs.insert((mirror.project.clone(), mirror.repository_name.clone())) {
            mirrors.push(mirror);
        } else {
            faults.note(path, "is given twice");
        }
    }
    mirrors
}

fn decode_mirror(
    path: &str,
    element: &Value,
    faults: &mut ValidationErrors,
) -> Option<WantedMirror> {
    let mut members = ObjectReader::of(element, path, faults);
    let is_object = element.is_object();
    require(is_object, "GitLabProject", &mut members, faults);
    let project = members.text("GitLabProject", &PROJECT, faults);
    require(is_object, "RepositoryName", &mut members, faults);
    let repository_name = members.text("RepositoryName", &REPOSITORY_NAME, faults);
    let branch_regex = members.text("BranchRegex", &REGEX, faults);
    let only_protected = members.boolean("OnlyProtectedBranches", branch_regex.is_none(), faults);
    let keep_divergent_refs = members.boolean("KeepDivergentRefs", false, faults);
    let waits_for_sync = members.boolean("WaitForSync", true, faults);
    if only_protected && branch_regex.is_some() {
        let path = members.path_of("BranchRegex");
        faults.note(
            path,
            "not with OnlyProtectedBranches: true; GitLab takes one of them",
        );
    }
    let mut required_branches = Vec::new();
    let matches = branch_regex.as_deref().map(|regex| {
        let mut regex = regex_lite::RegexBuilder::new(regex);
        regex.size_limit(LARGEST_REGEX).build()
    });
    for (path, branch) in members.texts("RequiredBranches", &BRANCH, faults) {
        match &matches {
            Some(Ok(regex)) if !regex.is_match(&branch) => {
                faults.note(path, "would not be mirrored: BranchRegex does not match it");
            }
            Some(Err(_)) => {
                faults.note(
                    path,
                    "cannot be checked: BranchRegex is not understood here",
                );
            }
            _ if required_branches.contains(&branch) => {}
            _ => required_branches.push(branch),
        }
    }
    members.finish(faults);
    Some(WantedMirror {
        project: project?,
        repository_name: repository_name?,
        settings: Settings {
            only_protected_branches: only_protected,
            branch_regex,
            keep_divergent_refs,
        },
        required_branches,
        waits_for_sync,
    })
}

/// Notes that the member `name` is missing; what is no object is a fault of its own.
fn require(
    is_object: bool,
    name: &'static str,
    members: &mut ObjectReader<'_>,
    faults: &mut ValidationErrors,
) {
    if is_object && members.value(name).is_none() {
        faults.note(members.path_of(name), "is required");
    }
}

fn is_gitlab_url(text: &str) -> bool {
    // A login before the host would be a second secret, in the open.
    http::is_https_or_loopback(text)
        && is_plainly_written(text)
        && text.chars().count() <= 256
        && !text.contains(['@', '?', '#', '\\', ' '])
}

/// Parsers of addresses also take `https:host`, `http://127.1` and the like, of which nobody can
/// see where they lead.
fn is_plainly_written(text: &str) -> bool {
    let local = ["127.0.0.1", "localhost", "[::1]"];
    text.starts_with("https://")
        || text.strip_prefix("http://").is_some_and(|rest| {
            local
                .iter()
                .filter_map(|host| rest.strip_prefix(host))
                .any(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        })
}

fn is_project(text: &str) -> bool {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.len() <= 20;
    }
    let parts: Vec<&str> = text.split('/').collect();
    parts.len() >= 2
        && text.len() <= 1024
        && parts.iter().all(|part| {
            is_made_of(part, 1, 255, "_.-") && part.chars().any(|c| c.is_ascii_alphanumeric())
        })
}

/// Whether the names and patterns of protected branches (`*` stands for any text) take in
/// `branch`.
pub fn is_protected(branch: &str, protected: &[String]) -> bool {
    protected.iter().any(|pattern| matches(pattern, branch))
}

fn matches(pattern: &str, branch: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = branch.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
