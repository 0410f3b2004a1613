//! The reads of GitLab for one answer. Each token is read once, and a GitLab that does not respond
//! is named once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::clients::gitlab::{Access, ErrorScope, GitLab, GitLabError, TokenLocation};
use crate::clients::{Clients, gitlab};
use crate::common::commands::cfn_gitops;
use crate::mirror_credential::health::{CheckedGitLabs, TokenHealth};
use cfn_custom_resource::Reason;

/// How many projects a second are read in GitLab, with about four requests each, for some seconds.
/// Beside a health check of a hundred mirrors this stays below GitLab's 1,200 requests a minute.
pub const GITLAB_PROJECTS_PER_SECOND: u32 = 8;

type Opened = Result<Arc<GitLab>, GitLabError>;

pub struct GitLabReads<'a> {
    clients: &'a Clients,
    pub checked: &'a CheckedGitLabs,
    /// Reads that have not ended by then are dropped.
    pub until: Instant,
    opened: tokio::sync::Mutex<BTreeMap<TokenLocation, Opened>>,
    /// Why something was not read, by the address of a GitLab or the secret of its token. `None` if
    /// a row has the reason.
    not_read: Mutex<BTreeMap<String, BTreeMap<UnreadPart, Option<Reason>>>>,
}

/// The part of a GitLab that was not read.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum UnreadPart {
    /// All of it. No other part is named then.
    All,
    /// This project, or the details of the token in this secret.
    One(String),
    /// The projects that there was no time for.
    Late,
}

impl<'a> GitLabReads<'a> {
    pub fn until(until: Instant, checked: &'a CheckedGitLabs, clients: &'a Clients) -> Self {
        GitLabReads {
            clients,
            checked,
            until,
            opened: tokio::sync::Mutex::default(),
            not_read: Mutex::default(),
        }
    }

    /// The client of `access`. `None` if its token or its GitLab cannot be read, which is noted.
    pub async fn open(&self, access: &Access) -> Option<Arc<GitLab>> {
        if let Some(error) = self.checked.unreachable.error_of(&access.url) {
            self.add(&access.url, UnreadPart::All, Some(error.reason()));
            return None;
        }
        self.checked.pace.wait().await;
        let opened = self.opened(access).await;
        opened.inspect_err(|error| self.add_token(access, error)).ok()
    }

    async fn opened(&self, access: &Access) -> Opened {
        let (mut opened, token) = (self.opened.lock().await, access.token());
        if let Some(known) = opened.get(&token) {
            return known.clone();
        }
        let (aws, http) = (&self.clients.aws, &self.clients.http);
        let new = gitlab::open(aws, http, access).await.map(Arc::new);
        opened.insert(token, new.clone());
        new
    }

    /// The token of `access`. `None` if its GitLab does not respond, which is noted.
    pub async fn token(&self, access: &Access) -> Option<TokenHealth> {
        let details = match self.opened(access).await {
            Err(error) => {
                self.add(&access.token_secret_id, UnreadPart::All, None);
                Err(error.reason())
            }
            Ok(gitlab) => match gitlab.token_details().await {
                Ok(details) => Ok(details),
                Err(error) => Err(self.problem(access, None, &error)?),
            },
        };
        Some(TokenHealth {
            secret_id: access.token_secret_id.clone(),
            details,
        })
    }

    /// The problem of the `project`, or of the token, if the error of a read is its own. If GitLab
    /// does not respond, that is noted.
    pub fn problem(
        &self,
        access: &Access,
        project: Option<&str>,
        error: &GitLabError,
    ) -> Option<Reason> {
        if error.scope == ErrorScope::Request {
            return Some(error.reason());
        }
        self.checked.unreachable.note(&access.url, project, error);
        let unread = match self.checked.unreachable.error_of(&access.url) {
            Some(_) => UnreadPart::All,
            None => UnreadPart::One(project.unwrap_or(&access.token_secret_id).to_owned()),
        };
        self.add(&access.url, unread, Some(error.reason()));
        None
    }

    /// Notes that the token of `access` is not read, or that its GitLab rejects it.
    pub fn add_token(&self, access: &Access, error: &GitLabError) {
        let secret = &access.token_secret_id;
        self.add(secret, UnreadPart::All, Some(error.reason()));
    }

    /// The first reason counts.
    fn add(&self, of: &str, unread: UnreadPart, reason: Option<Reason>) {
        let mut not_read = self.not_read.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = not_read.entry(of.to_owned()).or_default();
        parts.entry(unread).or_insert(reason);
    }

    /// Notes that `left` of `all` projects of the GitLab at `url` were not read in time.
    pub fn add_late(&self, url: &str, left: usize, all: usize, env_id: &str) {
        if left < all {
            let problem = format!("{url}: there was no time to read {left} of {all} projects");
            let remedy = cfn_gitops(["doctor", "--env", env_id])
                .after("Run the doctor, which takes longer: ");
            let late = Reason::uncoded(problem, remedy);
            return self.add(url, UnreadPart::Late, Some(late));
        }
        let problem = format!("{url} did not answer in time, so none of its projects was read");
        let command = cfn_gitops(["check", "--env", env_id]);
        let then = " shows whether it responds to this machine";
        let remedy = command.after("Try again. ").then(then);
        self.add(url, UnreadPart::All, Some(Reason::uncoded(problem, remedy)));
    }

    /// Why something was not read.
    pub fn not_read(self) -> Vec<Reason> {
        let not_read = self.not_read.into_inner().unwrap_or_else(PoisonError::into_inner);
        let reasons =
            not_read.into_values().map(|mut parts| match parts.remove(&UnreadPart::All) {
                Some(all) => vec![all],
                None => parts.into_values().collect(),
            });
        reasons.flatten().flatten().collect()
    }
}
