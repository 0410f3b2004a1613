//! The GitLab clients of a delivery: usually one, and two while the GitLab URL changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::aws::Aws;
use crate::gitlab;
use crate::gitlab::{Access, ErrorKind, GitLab, GitLabError, Mirror, PushStatus};
use crate::http::Http;
use crate::mirror_credential::calls;
use crate::mirror_credential::intent_log::write_time;
use crate::mirror_credential::mirrors::intent::{MirrorRecord, MirrorsBefore};
use crate::reason_codes::Code;
use cfn_custom_resource::{Clock, Reason};

/// The interval between polls of a mirror that pushes.
pub const GITLAB_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Why a mirror was not deleted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeleteMirrorError {
    /// GitLab did not delete it.
    #[error(transparent)]
    GitLab(#[from] GitLabError),
    /// The function has no token for that GitLab.
    #[error(
        "removing push mirror {id} of project {project} at {url}: no token is known for it any more"
    )]
    NoAccess {
        /// The mirror.
        id: u64,
        /// Its project.
        project: String,
        /// Its GitLab.
        url: String,
    },
}

impl DeleteMirrorError {
    /// The reason of this error.
    pub fn reason(&self) -> Reason {
        match self {
            DeleteMirrorError::GitLab(error) => error.reason(),
            DeleteMirrorError::NoAccess { .. } => Reason::new(Code::MirrorsLeft, self.to_string()),
        }
    }

    /// Whether the project has moved to another path.
    pub fn has_moved(&self) -> bool {
        let DeleteMirrorError::GitLab(error) = self else {
            return false;
        };
        error.has_moved()
    }
}

fn deleted_while_started(record: &MirrorRecord, mirror: &Mirror) -> String {
    let MirrorRecord { project, id, .. } = record;
    let since = mirror.started_at.map(write_time).unwrap_or_default();
    format!(
        "push mirror {id} of project {project} was deleted while GitLab showed a push under way \
         since {since}; GitLab shows that also if the process that pushed was killed"
    )
}

/// GitLab clients, opened on first use.
pub struct GitLabClients<'a> {
    aws: &'a Aws,
    http: &'a Http,
    accesses: Vec<Access>,
    opened: BTreeMap<String, Result<Arc<GitLab>, GitLabError>>,
}

impl<'a> GitLabClients<'a> {
    /// Clients for `accesses`. If two have the same URL, the first one counts.
    pub fn new(aws: &'a Aws, http: &'a Http, accesses: Vec<Access>) -> Self {
        GitLabClients {
            aws,
            http,
            accesses,
            opened: BTreeMap::new(),
        }
    }

    /// Adds an access from an earlier spec.
    pub fn add(&mut self, access: Option<Access>) {
        self.accesses.extend(access);
    }

    /// Forgets unreachable instances, so that the next call tries them again.
    pub fn forget_failures(&mut self) {
        self.opened.retain(|_, opened| opened.is_ok());
    }

    /// Whether the GitLab of `record` responds. A mirror is superseded only if GitLab can delete
    /// it.
    pub async fn answers(&mut self, record: &MirrorRecord) -> Result<(), DeleteMirrorError> {
        let gitlab = self.of(record).await?;
        match gitlab.mirror(&record.project, record.id).await {
            Err(error) if error.is_unreachable() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Whether there is an access for the GitLab at `url`.
    pub fn knows(&self, url: &str) -> bool {
        self.accesses.iter().any(|access| access.url == url)
    }

    /// The GitLab at `url`. `None` if there is no access for it.
    pub async fn at(&mut self, url: &str) -> Result<Option<Arc<GitLab>>, GitLabError> {
        let Some(access) = self.accesses.iter().find(|access| access.url == url) else {
            return Ok(None);
        };
        if let Some(opened) = self.opened.get(url) {
            return opened.clone().map(Some);
        }
        let opened = gitlab::open(self.aws, self.http, access)
            .await
            .map(Arc::new);
        self.opened.insert(url.to_owned(), opened.clone());
        opened.map(Some)
    }

    async fn of(&mut self, record: &MirrorRecord) -> Result<Arc<GitLab>, DeleteMirrorError> {
        let gitlab = self.at(&record.gitlab_url).await?;
        gitlab.ok_or_else(|| DeleteMirrorError::NoAccess {
            id: record.id,
            project: record.project.clone(),
            url: record.gitlab_url.clone(),
        })
    }

    /// Deletes a mirror, even during a push.
    pub async fn delete(&mut self, record: &MirrorRecord) -> Result<(), DeleteMirrorError> {
        let gitlab = self.of(record).await?;
        let deleted = gitlab.delete(&record.project, record.id).await;
        self.note(&record.gitlab_url, deleted)?;
        Ok(())
    }

    /// Disables a mirror, waits at most `patience` for a push that is under way, and deletes it.
    /// Returns a note if GitLab still showed a push then.
    ///
    /// A push that GitLab shows may be over: the process that pushed can be killed, and GitLab
    /// does not correct that by itself (see [`Mirror::is_stuck`]). Neither disabling nor deleting a
    /// mirror interrupts a push (GitLab's `app/services/projects/update_remote_mirror_service.rb`
    /// reads `enabled?` once, before it).
    pub async fn retire(
        &mut self,
        record: &MirrorRecord,
        patience: Duration,
        clock: &Clock,
    ) -> Result<Option<String>, DeleteMirrorError> {
        let gitlab = self.of(record).await?;
        let (project, id) = (&record.project, record.id);
        let found = match gitlab.mirror(project, id).await {
            // GitLab deletes the mirrors of a project with the project.
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            found => self.note(&record.gitlab_url, found),
        };
        let Some(mirror) = found? else {
            return Ok(None);
        };
        let give_up = tokio::time::Instant::now() + patience;
        let mut shown = gitlab.update(project, id, &mirror.settings, false).await?;
        let mut note = None;
        while let Some(mirror) = shown.filter(|mirror| mirror.status == PushStatus::Started) {
            if mirror.is_stuck(clock.now()) || tokio::time::Instant::now() >= give_up {
                note = Some(deleted_while_started(record, &mirror));
                break;
            }
            tokio::time::sleep(GITLAB_POLL_INTERVAL).await;
            shown = gitlab.mirror(project, id).await?;
        }
        gitlab.delete(project, id).await?;
        Ok(note)
    }

    /// Deletes `records`, best effort. Returns a text for each mirror that is left in GitLab.
    pub async fn delete_all(&mut self, records: &[MirrorRecord]) -> Vec<String> {
        let mut left = Vec::new();
        for record in records {
            if let Err(error) = self.delete(record).await {
                left.push(format!(
                    "push mirror {} of project {} is left in GitLab ({error})",
                    record.id, record.project
                ));
            }
        }
        left
    }

    /// Finds the mirrors that an attempt created and whose IDs were not committed: they are
    /// disabled, and newer than the attempt. An enabled mirror was created by a person.
    /// `clone_urls` holds the URLs that were read already. The error is the reason that a project's
    /// mirrors could not be read.
    pub async fn find_orphans(
        &mut self,
        before: &MirrorsBefore,
        clone_urls: &BTreeMap<String, String>,
    ) -> Result<Vec<MirrorRecord>, GitLabError> {
        let name = &before.repository_name;
        let clone_url = match clone_urls.get(name) {
            Some(clone_url) => clone_url.clone(),
            None => match calls::clone_url(self.aws, name).await {
                Ok(clone_url) => clone_url,
                // Without the repository, no mirror can push to it.
                Err(error) => {
                    if error.is_transient() || error.is_denied() {
                        tracing::warn!(%error, "which mirrors lead there is not known");
                    }
                    return Ok(Vec::new());
                }
            },
        };
        let url = &before.gitlab_url;
        let Some(gitlab) = self.at(url).await? else {
            return Ok(Vec::new());
        };
        let listed = match gitlab.mirrors(&before.project).await {
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(Vec::new()),
            listed => self.note(url, listed)?,
        };
        let is_new = |mirror: &&Mirror| {
            !mirror.enabled && mirror.leads_to(&clone_url) && !before.ids.contains(&mirror.id)
        };
        let lost: Vec<&Mirror> = listed.iter().filter(is_new).collect();
        // In silent mode GitLab shows every mirror as disabled, so an orphan looks like any other.
        if listed.len() > lost.len() && listed.iter().all(|mirror| !mirror.enabled) {
            return Ok(Vec::new());
        }
        let record = |mirror: &Mirror| MirrorRecord {
            gitlab_url: url.clone(),
            project: before.project.clone(),
            repository_name: before.repository_name.clone(),
            id: mirror.id,
        };
        Ok(lost.into_iter().map(record).collect())
    }

    /// Stores an unreachable GitLab's error, so that later calls do not wait for it again.
    fn note<T>(&mut self, url: &str, result: Result<T, GitLabError>) -> Result<T, GitLabError> {
        if let Err(error) = &result
            && error.is_unreachable()
            // A redirect may concern a single project, which has moved.
            && !matches!(error.kind, ErrorKind::Redirected { .. })
        {
            self.opened.insert(url.to_owned(), Err(error.clone()));
        }
        result
    }
}
