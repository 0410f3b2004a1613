//! GitLab in this fake AWS: projects, tokens, and calls of people.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    account::AwsState,
    gitlab::{
        ANOTHER_PERSON, HOST, MAINTAINER, Mirror, Project, Scope, Token, Wanted,
        merge_requests::{self, MergeRequest},
        records::OWN_USER,
        runs,
    },
    handle::FakeAws,
    services::{
        iam::{Credential, characters},
        secrets::{Secret, versions::VersionContent},
    },
    world::World,
};

/// The tag with which a token's owner names its GitLab.
const GITLAB_URL: &str = "cfn-gitops:gitlab-url";

/// Setup, and calls of others meanwhile.
impl FakeAws {
    /// A project with these branches, of which the first is the default branch and protected.
    /// Answers its number.
    pub fn gitlab_project(&self, path: &str, branches: &[&str]) -> u64 {
        self.gitlab_project_at(HOST, path, branches)
    }

    pub fn gitlab_project_at(&self, host: &'static str, path: &str, branches: &[&str]) -> u64 {
        self.arrange(|aws| {
            let id = 40 + aws.gitlab.projects.len() as u64;
            let commit = |branch: &&str| ((*branch).to_owned(), format!("first-of-{branch}"));
            let branches: Vec<(String, String)> = branches.iter().map(commit).collect();
            let default = branches.first().map(|(branch, _)| branch.clone());
            let default = default.unwrap_or_else(|| "main".to_owned());
            let project = Project {
                protected: branches.first().map(|(name, _)| name.clone()).into_iter().collect(),
                commits: branches.iter().map(|(_, commit)| commit.clone()).collect(),
                branches: branches.into_iter().collect(),
                access: Some(MAINTAINER),
                ..Project::empty(id, host, path, &default)
            };
            aws.gitlab.projects.insert(id, project);
            id
        })
    }

    /// The project at `path` moves to another path. GitLab redirects the former one to it.
    pub fn move_project(&self, path: &str, to: &str) {
        self.arrange(|aws| {
            let project = aws.gitlab.project_mut(path);
            project.former_path = Some(std::mem::replace(&mut project.path, to.to_owned()));
        });
    }

    /// The project at `path` moves to another path, and a project with the same content takes the
    /// former one: it has the same members and commits. Answers its number.
    pub fn pass_path(&self, path: &str, to: &str) -> u64 {
        self.move_project(path, to);
        self.arrange(|aws| {
            let mut other = aws.gitlab.named(to).clone();
            (other.id, other.former_path) = (99, None);
            path.clone_into(&mut other.path);
            other.mirrors.clear();
            other.records.forget_written();
            aws.gitlab.projects.insert(other.id, other);
            99
        })
    }

    /// Protects branches of this name or pattern, and no others.
    pub fn protect(&self, project: &str, names: &[&str]) {
        self.change(|aws| {
            let names: BTreeSet<String> = names.iter().map(|&name| name.to_owned()).collect();
            aws.gitlab.project_mut(project).protected = names;
        });
    }

    /// A group protects branches of this name or pattern.
    pub fn protect_by_group(&self, project: &str, names: &[&str]) {
        self.change(|aws| {
            let names: BTreeSet<String> = names.iter().map(|&name| name.to_owned()).collect();
            aws.gitlab.project_mut(project).protected_by_group = names;
        });
    }

    /// Kills the Sidekiq process that runs the project's mirrors (see [`runs::kill_sidekiq`]).
    pub fn kill_sidekiq(&self, project: &str) {
        self.change(|aws| runs::kill_sidekiq(&mut aws.gitlab, project));
    }

    /// A token of scope `api` for [`HOST`], in a secret that is tagged for it. Answers the token.
    pub fn gitlab_token(&self, secret: &str) -> String {
        self.gitlab_token_for(secret, HOST, Scope::Api)
    }

    pub fn gitlab_token_for(&self, secret: &str, host: &'static str, scope: Scope) -> String {
        self.arrange(|aws| {
            let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
            let token = format!("glpat-{}", characters(&mut aws.world.random, 20, letters));
            aws.remember_secret(&token);
            let made = Token {
                host,
                scope,
                user: OWN_USER,
                level: None,
                is_revoked: false,
                expires: None,
            };
            aws.gitlab.tokens.insert(token.clone(), made);
            let value = format!("{{\"token\":\"{token}\"}}");
            store(aws, secret, &format!("https://{host}"), value);
            token
        })
    }

    /// Every token expires `days` after the coming midnight.
    pub fn gitlab_tokens_expire_after_midnight(&self, days: u64) {
        self.change(|aws| {
            let midnight = World::next_midnight(aws.now);
            for token in aws.gitlab.tokens.values_mut() {
                token.expires = Some(midnight + Duration::from_hours(24 * days));
            }
        });
    }

    /// A push to GitLab: it runs the project's enabled mirrors.
    pub fn push_to_gitlab(&self, project: &str, branch: &str, commit: &str) {
        self.change(|aws| runs::push(&mut aws.gitlab, &aws.world, project, branch, commit));
    }

    /// A merge request of this source branch contains this commit, too. Its state is `opened`,
    /// `closed`, `locked` or `merged` (<https://docs.gitlab.com/api/merge_requests/>).
    pub fn merge_request(
        &self,
        project: &str,
        iid: u64,
        source_branch: &str,
        commit: &str,
        state: &'static str,
    ) {
        self.change(|aws| {
            let project = aws.gitlab.project_mut(project);
            project.commits.insert(commit.to_owned());
            let records = &mut project.records;
            let target_branch = project.default_branch.clone();
            let details = records.details.entry(iid).or_insert_with(|| MergeRequest {
                target_branch,
                ..MergeRequest::default()
            });
            source_branch.clone_into(&mut details.source_branch);
            commit.clone_into(&mut details.head);
            let of_commit = records.merge_requests.entry(commit.to_owned()).or_default();
            of_commit.retain(|(other, _)| *other != iid);
            of_commit.push((iid, state));
        });
        self.set_merge_request_state(project, iid, state);
    }

    /// Changes a merge request in GitLab's responses.
    pub fn describe_merge_request(
        &self,
        project: &str,
        iid: u64,
        change: impl Fn(&mut MergeRequest),
    ) {
        self.change(|aws| {
            let details = &mut aws.gitlab.project_mut(project).records.details;
            change(details.get_mut(&iid).expect("a merge request"));
        });
    }

    /// Closes, merges or reopens a merge request.
    pub fn set_merge_request_state(&self, project: &str, iid: u64, state: &'static str) {
        self.change(|aws| {
            merge_requests::set_state(aws.gitlab.project_mut(project), iid, state);
        });
    }

    /// A manual mirror of all branches, with a credential of its own or without one.
    pub fn manual_mirror(
        &self,
        project: &str,
        url: &str,
        login: Option<&Credential>,
        enabled: bool,
    ) -> u64 {
        let mut raw = url.to_owned();
        if let Some(login) = login {
            let (name, password) = (&login.service_user_name, &login.password);
            raw = url.replacen("://", &format!("://{name}:{password}@"), 1);
        }
        self.arrange(|aws| {
            let behaviour = aws.options.gitlab.clone();
            let wanted = Wanted {
                enabled: Some(enabled),
                ..Wanted::default()
            };
            aws.remember_secret(&raw);
            let id = aws.gitlab.project_mut(project).id;
            let made = aws.gitlab.create_mirror(&behaviour, id, &raw, &wanted, ANOTHER_PERSON);
            made.expect("a mirror that GitLab accepts").id
        })
    }
}

/// Looking.
impl FakeAws {
    pub fn mirrors(&self, project: &str) -> Vec<Mirror> {
        self.look(|aws| {
            let mirrors = aws.gitlab.named(project).mirrors.values();
            mirrors.cloned().collect()
        })
    }

    /// Whether a push to GitLab reaches the repository (see [`AwsState::mirrors_work`]).
    pub fn mirrors_work(&self, project: &str, repository: &str) -> Result<(), String> {
        self.look(|aws| aws.mirrors_work(project, repository))
    }
}

/// A secret of the account that has been there for long, tagged for a GitLab.
fn store(aws: &mut AwsState, name: &str, url: &str, text: String) {
    let mut secret = Secret::empty(&mut aws.world.random, name, Duration::ZERO);
    secret.tags.insert(GITLAB_URL.to_owned(), url.to_owned());
    let token = "00000000-0000-4000-8000-gitlabtoken00";
    let content = VersionContent {
        text,
        binary: false,
    };
    let current = [crate::services::secrets::CURRENT];
    crate::services::secrets::versions::add(&mut secret, token, content, &current, Duration::ZERO);
    let seen = secret.clone();
    aws.secrets.insert(name.to_owned(), secret);
    let insert = |all: &mut std::collections::BTreeMap<String, Secret>| {
        all.insert(name.to_owned(), seen);
    };
    aws.secrets_seen.change(Duration::ZERO, insert);
    aws.secrets_seen.settle();
}
