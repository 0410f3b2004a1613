//! Deletes the mirrors that a secret names, and finds those that are left in GitLab.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::clients::Clients;
use crate::clients::aws::{Aws, CallError};
use crate::clients::failing_calls::within;
use crate::clients::gitlab::{Access, GitLabError, Mirror};
use crate::mirror_credential::calls;
use crate::mirror_credential::calls::gitlab::GitLabClients;
use crate::mirror_credential::delete::left::LeftMirror;
use crate::mirror_credential::delete::target::DeletionTarget;
use crate::mirror_credential::intent_log::mirrors::{MirrorIntent, MirrorRecord};
use crate::mirror_credential::spec::WantedMirror;
use crate::mirror_credential::state::{Secret, StoredLogin};
use cfn_custom_resource::Reason;

/// How long GitLab may take to delete mirrors at most. The credential has to be deleted in any
/// case.
const GITLAB_TIMEOUT: Duration = Duration::from_secs(3 * 60);

/// How long GitLab may take to show mirrors beside the recorded ones. Their records are gone
/// already, so nothing is lost without them.
const OTHER_MIRRORS_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the reads for the mirrors may delay the first step, which stops peers.
const EARLY_READS_TIMEOUT: Duration = Duration::from_secs(5);

pub struct DeletedMirrors<'a> {
    clients: &'a Clients,
    target: &'a DeletionTarget,
    gitlab_clients: GitLabClients<'a>,
    /// The login under `AWSCURRENT`, by its version ID, if it was read at the start.
    current_login: Option<(String, Option<StoredLogin>)>,
    /// When the work is interrupted.
    until: SystemTime,
    /// The mirrors that the secret has named.
    records: Vec<MirrorRecord>,
    /// The mirrors that are left in GitLab, or that may be.
    pub left: Vec<LeftMirror>,
}

impl<'a> DeletedMirrors<'a> {
    /// Reads the login and GitLab's token, which the deletion needs. It ends `until` this time.
    pub async fn start(
        clients: &'a Clients,
        target: &'a DeletionTarget,
        until: SystemTime,
    ) -> DeletedMirrors<'a> {
        let mut gitlab_clients = GitLabClients::new(clients, Vec::new());
        let current_login = read_login(&clients.aws, target, &mut gitlab_clients).await;
        DeletedMirrors {
            clients,
            target,
            gitlab_clients,
            current_login,
            until,
            records: Vec::new(),
            left: Vec::new(),
        }
    }

    /// How long GitLab may take now. The other half of the time left is for AWS.
    fn gitlab_time(&self) -> Duration {
        GITLAB_TIMEOUT.min(self.clients.clock.until(self.until) / 2)
    }

    /// Deletes the mirrors that the secret names, and notes which are left. It does not wait for an
    /// unreachable GitLab, because a mirror without its credential cannot push.
    pub async fn delete(&mut self, secret: &Secret) {
        let end = Instant::now() + self.gitlab_time();
        let left = || end.saturating_duration_since(Instant::now());
        if let Err(cut) = within(left(), Box::pin(self.read_records(secret))).await {
            let text =
                cut.and("mirrors may be left in GitLab, whose records were not read in time");
            self.left.push(LeftMirror::possible(text));
        }
        let mut unanswered = self.records.clone();
        let deletion = Box::pin(self.delete_recorded(secret, &mut unanswered));
        if let Err(cut) = within(left(), deletion).await {
            let mut why = Some(cut.and("not all mirrors were reached in time"));
            for record in unanswered {
                // Once, or the response would not hold all names.
                self.left.push(LeftMirror::recorded(&record, "in GitLab", why.take()));
            }
        }
    }

    async fn read_records(&mut self, secret: &Secret) {
        let aws = &self.clients.aws;
        for login in secret.logins().filter(|login| login.mirrors > 0) {
            let read = match &self.current_login {
                Some((version_id, value)) if *version_id == login.version_id => Ok(value.clone()),
                _ => calls::read_login(aws, secret, &login.version_id).await,
            };
            match read {
                Ok(value) => {
                    let mirrors = value.into_iter().flat_map(|value| value.mirrors);
                    self.records.extend(mirrors);
                }
                Err(error) => {
                    let text = format!("its mirrors are left in GitLab ({error})");
                    self.left.push(LeftMirror::possible(text));
                }
            }
        }
        match open_intent(aws, secret).await {
            Ok(intent) => self.records.extend(intent.created),
            Err(error) => {
                let text = format!("mirrors may be left in GitLab ({error})");
                self.left.push(LeftMirror::possible(text));
            }
        }
        self.records.sort();
        self.records.dedup();
    }

    /// Leaves in `unanswered` those about whose deletion GitLab has not answered.
    async fn delete_recorded(&mut self, secret: &Secret, unanswered: &mut Vec<MirrorRecord>) {
        let mut urls = self.records.iter().map(|record| &record.gitlab_url);
        if urls.any(|url| !self.gitlab_clients.has_access_to(url)) {
            let accesses = calls::read_accesses(&self.clients.aws, secret).await;
            self.gitlab_clients.add(accesses.unwrap_or_default());
        }
        let left = &mut self.left;
        let note = |record: &MirrorRecord, deleted: Result<Option<Reason>, GitLabError>| {
            unanswered.retain(|one| one != record);
            match deleted {
                Ok(None) => {}
                Ok(Some(note)) => left.push(LeftMirror::possible(note.problem)),
                Err(error) => left.push(LeftMirror::after(record, false, &error)),
            }
        };
        self.gitlab_clients.delete_each(&self.records, note).await;
    }

    /// Notes the mirrors that are left in GitLab although no record names them: with the secret,
    /// the record of its mirrors was deleted. They are not deleted, because their origin is
    /// unknown.
    pub async fn look_for_others(&mut self, wanted: Vec<WantedMirror>) {
        let (recorded, unrecorded): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|wanted| {
            let is_for = |record: &MirrorRecord| {
                record.is_named(&wanted.project) && record.repository_name == wanted.repository_name
            };
            self.records.iter().any(is_for)
        });
        if !unrecorded.is_empty() {
            // A killed Create leaves a disabled mirror. One that works is of another owner.
            let is_unanswered = self.target.is_create_unanswered();
            let is_left =
                |mirror: &Mirror| !is_unanswered || mirror.has_failed() || mirror.is_unused();
            let (left, unread) = self.others(&unrecorded, self.gitlab_time(), is_left).await;
            let left = left.into_iter().chain(unread);
            self.left.extend(left.map(LeftMirror::possible));
        }
        // Beside a recorded mirror, an earlier one may be left whose secret a person deleted. One
        // that works is of another secret or person. A GitLab that has failed is not read again.
        if !recorded.is_empty() && self.left.is_empty() {
            let time = self.gitlab_time().min(OTHER_MIRRORS_TIMEOUT);
            let (left, unread) = self.others(&recorded, time, Mirror::has_failed).await;
            self.left.extend(left.into_iter().map(LeftMirror::possible));
            for error in unread {
                tracing::info!(error, "other mirrors are not looked for");
            }
        }
    }

    /// A text for each mirror that no record names and that `is_left`, from the projects of
    /// `wanted` to their repositories; then one for what could not be read.
    async fn others(
        &mut self,
        wanted: &[WantedMirror],
        time: Duration,
        is_left: impl Fn(&Mirror) -> bool,
    ) -> (Vec<String>, Vec<String>) {
        let Some(Access { url, .. }) = &self.target.gitlab else {
            return Default::default();
        };
        let search = Box::pin(self.gitlab_clients.look_for(url, wanted, &self.records));
        let found = match within(time, search).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return (vec![], vec![unread(wanted, &error.to_string())]),
            Err(cut) => {
                let why = cut.and("GitLab did not respond in time");
                return (vec![], vec![unread(wanted, &why)]);
            }
        };
        let (mut left, mut failed) = (vec![], vec![]);
        let is_known =
            |id| self.records.iter().any(|record| record.gitlab_url == *url && record.id == id);
        for (wanted, shown) in found {
            let (project, repository_name) = (&wanted.project, &wanted.repository_name);
            match shown {
                Ok(shown) => {
                    let others = shown.iter().filter(|one| !is_known(one.id) && is_left(one));
                    left.extend(others.map(|Mirror { id, .. }| {
                        format!(
                            "push mirror {id} of project {project} to repository {repository_name} \
                             is left in GitLab, because no record names it; the repository may be \
                             another account's, or a person may have created the mirror"
                        )
                    }));
                }
                Err(error) => {
                    failed.push(unread(std::slice::from_ref(wanted), &error.to_string()));
                }
            }
        }
        (left, failed)
    }
}

/// The text about projects whose mirrors GitLab did not show.
fn unread(wanted: &[WantedMirror], why: &dyn Display) -> String {
    let projects: Vec<&str> = wanted.iter().map(|one| one.project.as_str()).collect();
    let projects = projects.join(", ");
    format!("mirrors of project {projects} may be left in GitLab ({why})")
}

/// The mirror intent of the secret's latest claim. It is empty if the log is finished.
pub async fn open_intent(aws: &Aws, secret: &Secret) -> Result<MirrorIntent, CallError> {
    let open = secret.log.mirror_intent.as_ref();
    match open.filter(|_| secret.is_unfinished()) {
        Some(version_id) => calls::read_mirror_intent(aws, secret, version_id).await,
        None => Ok(MirrorIntent::default()),
    }
}

/// The current login with its version ID, which names the mirrors, if the target has a GitLab. The
/// clients keep GitLab's token, which is read beside it. If that fails, it is read again later.
async fn read_login(
    aws: &Aws,
    target: &DeletionTarget,
    gitlab_clients: &mut GitLabClients<'_>,
) -> Option<(String, Option<StoredLogin>)> {
    let access = target.gitlab.clone()?;
    let url = access.url.clone();
    gitlab_clients.add([access]);
    let login = calls::read_current_login(aws, &target.secret_name);
    let reads = async { tokio::join!(login, gitlab_clients.at(&url)).0 };
    let login = tokio::time::timeout(EARLY_READS_TIMEOUT, Box::pin(reads)).await;
    gitlab_clients.clear_failures();
    login.ok()?.ok().flatten()
}
