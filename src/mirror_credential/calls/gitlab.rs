//! The GitLab clients of a delivery: usually one, and two while the GitLab URL changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;

use crate::clients::gitlab::{
    Access, ErrorKind, GitLab, GitLabError, Mirror, ProjectRef, TokenError, UnreachableGitLabs,
};
use crate::clients::{Clients, gitlab};
use crate::common::reason_codes::Code;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::intent_log::write_time;
use crate::mirror_credential::spec::WantedMirror;
use crate::mirror_credential::timing::MIRRORS_AT_ONCE;
use cfn_custom_resource::{Clock, Reason};

/// The interval between polls of a mirror that pushes.
pub const GITLAB_POLL_INTERVAL: Duration = Duration::from_secs(2);

fn deleted_while_started(record: &MirrorRecord, mirror: &Mirror) -> Reason {
    let (project, id) = (record.shown_project(), record.id);
    let since = mirror.started_at.map(write_time).unwrap_or_default();
    let problem = format!(
        "push mirror {id} of project {project} was deleted while GitLab showed a push in progress since \
         {since}; GitLab shows that also if the process that pushed was killed"
    );
    let remedy = "If CodeCommit lacks a commit, push to the project again";
    Reason::new(Code::PushInterrupted, problem, remedy)
}

/// The text about a mirror whose project GitLab does not show. With a deleted project, its mirrors
/// are gone. From a user who left the project, GitLab hides both.
pub fn hidden_mirror(record: &MirrorRecord) -> Reason {
    let MirrorRecord { gitlab_url, id, .. } = record;
    let project = record.shown_project();
    let problem =
        format!("GitLab at {gitlab_url} does not show project {project} of push mirror {id}");
    let remedy = "If the project exists, remove the mirror in its Settings, Repository, Mirroring repositories";
    Reason::new(Code::MirrorsLeft, problem, remedy)
}

/// The text about a mirror that leads elsewhere than its record has it. GitLab cannot change the
/// address of a mirror, so it is another one: a restore of an older backup gives its number again.
pub fn foreign_mirror(record: &MirrorRecord, mirror: &Mirror) -> Reason {
    let (id, repository_name) = (record.id, &record.repository_name);
    let (project, address) = (record.shown_project(), &mirror.destination);
    let problem = format!(
        "push mirror {id} of project {project} leads to {address}, and not to repository \
         {repository_name} of its record. cfn-gitops does not change it"
    );
    let remedy = "Look in the project's Settings, Repository, Mirroring repositories whether a mirror to \
        the repository is left, and remove that one";
    Reason::new(Code::MirrorsLeft, problem, remedy)
}

/// GitLab clients, opened on first use.
pub struct GitLabClients<'a> {
    clients: &'a Clients,
    accesses: Vec<Access>,
    opened: BTreeMap<String, Result<Arc<GitLab>, GitLabError>>,
    /// Later calls do not wait for them again.
    unreachable: UnreachableGitLabs,
}

impl<'a> GitLabClients<'a> {
    /// Clients for `accesses`. If two have the same URL, the first one counts.
    pub fn new(clients: &'a Clients, accesses: Vec<Access>) -> Self {
        GitLabClients {
            clients,
            accesses,
            opened: BTreeMap::new(),
            unreachable: UnreachableGitLabs::default(),
        }
    }

    /// Adds accesses from earlier specs.
    pub fn add(&mut self, accesses: impl IntoIterator<Item = Access>) {
        self.accesses.extend(accesses);
    }

    /// Clears the records of unreachable instances, so that the next call tries them again.
    pub fn clear_failures(&mut self) {
        self.opened.retain(|_, opened| opened.is_ok());
        self.unreachable = UnreachableGitLabs::default();
    }

    /// Whether the GitLab of `record` shows the mirror, or shows that it or its project is gone.
    pub async fn check_response(&mut self, record: &MirrorRecord) -> Result<(), GitLabError> {
        let gitlab = self.of(record).await?;
        match gitlab.mirror(record.project(), record.id).await {
            // The removal finds out what that means.
            Err(error) if error.kind != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether there is an access for the GitLab at `url`.
    pub fn has_access_to(&self, url: &str) -> bool {
        self.accesses.iter().any(|access| access.url == url)
    }

    pub async fn at(&mut self, url: &str) -> Result<Arc<GitLab>, GitLabError> {
        if let Some(error) = self.unreachable.error_of(url) {
            return Err(error);
        }
        if let Some(opened) = self.opened.get(url) {
            return opened.clone();
        }
        let Some(access) = self.accesses.iter().find(|access| access.url == url) else {
            let error = GitLabError::unsent(TokenError::Unnamed.into());
            return Err(error.of(&format!("reaching GitLab at {url}")));
        };
        let opened = gitlab::open(&self.clients.aws, &self.clients.http, access).await;
        let opened = opened.map(Arc::new);
        self.opened.insert(url.to_owned(), opened.clone());
        opened
    }

    async fn of(&mut self, record: &MirrorRecord) -> Result<Arc<GitLab>, GitLabError> {
        let (gitlab_url, project, id) = (&record.gitlab_url, record.shown_project(), record.id);
        self.at(gitlab_url).await.map_err(|error| match error.kind {
            ErrorKind::Token(TokenError::Unnamed) => error.of(&format!(
                "removing push mirror {id} of project {project} at {gitlab_url}"
            )),
            _ => error,
        })
    }

    /// Deletes a mirror, even during a push. Returns a note if it leads elsewhere: then it stays.
    pub async fn delete(&mut self, record: &MirrorRecord) -> Result<Option<Reason>, GitLabError> {
        let gitlab = self.of(record).await?;
        let deleted = delete(&gitlab, record, self.clients.aws.s3.region()).await;
        self.note(record, deleted)
    }

    /// Disables mirrors, waits at most `patience` for their running pushes, and deletes
    /// them. Returns for each mirror a note if GitLab still showed a push then, or if it leads
    /// elsewhere and stays.
    pub async fn retire(
        &mut self,
        records: &[MirrorRecord],
        patience: Duration,
    ) -> Vec<Result<Option<Reason>, GitLabError>> {
        let (clock, region) = (&self.clients.clock, self.clients.aws.s3.region());
        let gitlabs = self.all_of(records).await;
        let calls = records.iter().zip(gitlabs).map(|(record, gitlab)| async {
            retire(&*gitlab?, record, region, patience, clock).await
        });
        let retired = records.iter().zip(join_all(calls).await);
        let noted = retired.map(|(record, retired)| self.note(record, retired));
        noted.collect()
    }

    /// Deletes `records`, and calls `done` with the result of each as soon as it is known: a time
    /// limit may cut the rest.
    pub async fn delete_each(
        &mut self,
        records: &[MirrorRecord],
        mut done: impl FnMut(&MirrorRecord, Result<Option<Reason>, GitLabError>),
    ) {
        let region = self.clients.aws.s3.region();
        for records in records.chunks(MIRRORS_AT_ONCE) {
            let gitlabs = self.all_of(records).await;
            let calls = records.iter().zip(gitlabs).map(|(record, gitlab)| async move {
                let deletion = async { delete(&*gitlab?, record, region).await };
                (record, deletion.await)
            });
            let mut calls: FuturesUnordered<_> = calls.collect();
            while let Some((record, deleted)) = calls.next().await {
                done(record, self.note(record, deleted));
            }
        }
    }

    /// The mirrors in GitLab that may lead from the project of each of `wanted` to its repository.
    /// The project of one of the `records` is known by its number.
    ///
    /// # Errors
    /// If GitLab at `url` is not reached, or for each project that it does not show.
    pub async fn look_for<'m>(
        &mut self,
        url: &str,
        wanted: &'m [WantedMirror],
        records: &[MirrorRecord],
    ) -> Result<Vec<(&'m WantedMirror, Result<Vec<Mirror>, GitLabError>)>, GitLabError> {
        let project = |wanted: &'m WantedMirror| {
            let mut records = records.iter().filter(|record| record.gitlab_url == url);
            let record = records.find(|record| record.is_named(&wanted.project));
            ProjectRef::numbered(record.map(|record| record.number), &wanted.project)
        };
        let gitlab = self.at(url).await?;
        let region = self.clients.aws.s3.region();
        let mut found = Vec::new();
        for wanted in wanted.chunks(MIRRORS_AT_ONCE) {
            let reads = wanted.iter().map(|one| gitlab.mirrors(project(one)));
            for (wanted, mut shown) in wanted.iter().zip(join_all(reads).await) {
                if let Ok(shown) = &mut shown {
                    shown.retain(|mirror| mirror.may_lead_to(&wanted.repository_name, region));
                }
                found.push((wanted, shown));
            }
        }
        Ok(found)
    }

    async fn all_of(&mut self, records: &[MirrorRecord]) -> Vec<Result<Arc<GitLab>, GitLabError>> {
        let mut gitlabs = Vec::new();
        for record in records {
            gitlabs.push(self.of(record).await);
        }
        gitlabs
    }

    fn note<T>(
        &self,
        record: &MirrorRecord,
        result: Result<T, GitLabError>,
    ) -> Result<T, GitLabError> {
        let (url, project) = (&record.gitlab_url, Some(record.project.as_str()));
        result.inspect_err(|error| self.unreachable.note(url, project, error))
    }
}

/// A mirror that a record names, as GitLab shows it.
enum Recorded {
    Shown(Mirror),
    Gone,
    /// It leads elsewhere.
    Foreign(Reason),
}

async fn recorded(
    gitlab: &GitLab,
    record: &MirrorRecord,
    region: Option<&str>,
) -> Result<Recorded, GitLabError> {
    let shown = gitlab.mirror(record.project(), record.id).await?;
    Ok(match shown {
        Some(mirror) if mirror.leads_elsewhere(&record.repository_name, region) => {
            Recorded::Foreign(foreign_mirror(record, &mirror))
        }
        Some(mirror) => Recorded::Shown(mirror),
        None => Recorded::Gone,
    })
}

async fn delete(
    gitlab: &GitLab,
    record: &MirrorRecord,
    region: Option<&str>,
) -> Result<Option<Reason>, GitLabError> {
    match recorded(gitlab, record, region).await? {
        Recorded::Shown(_) => gitlab.delete(record.project(), record.id).await.map(|()| None),
        Recorded::Gone => Ok(None),
        Recorded::Foreign(note) => Ok(Some(note)),
    }
}

/// Disables a mirror, waits at most `patience` for a running push, and deletes it.
/// Returns a note if GitLab still showed a push then, or if the mirror leads elsewhere and stays.
///
/// A push that GitLab shows may be over: the process that pushed can be killed, and GitLab
/// does not correct that by itself (see [`Mirror::is_stuck`]). Neither disabling nor deleting a
/// mirror interrupts a push (GitLab's `app/services/projects/update_remote_mirror_service.rb`
/// reads `enabled?` once, before it).
async fn retire(
    gitlab: &GitLab,
    record: &MirrorRecord,
    region: Option<&str>,
    patience: Duration,
    clock: &Clock,
) -> Result<Option<Reason>, GitLabError> {
    let (project, id) = (record.project(), record.id);
    let mirror = match recorded(gitlab, record, region).await? {
        Recorded::Shown(mirror) => mirror,
        Recorded::Gone => return Ok(None),
        Recorded::Foreign(note) => return Ok(Some(note)),
    };
    let give_up = tokio::time::Instant::now() + patience;
    let mut shown = gitlab.update(project, id, &mirror.settings, false).await?;
    let mut note = None;
    while let Some(mirror) = shown.filter(Mirror::is_pushing) {
        if mirror.is_stuck(gitlab.now(clock.now())) || tokio::time::Instant::now() >= give_up {
            note = Some(deleted_while_started(record, &mirror));
            break;
        }
        tokio::time::sleep(GITLAB_POLL_INTERVAL).await;
        shown = gitlab.mirror(project, id).await?;
    }
    gitlab.delete(project, id).await?;
    Ok(note)
}
