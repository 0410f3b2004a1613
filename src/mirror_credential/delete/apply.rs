//! Executes the steps of a deletion.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::clients::Clients;
use crate::clients::aws::{Aws, CallError, optional};
use crate::clients::failing_calls::within;
use crate::clients::gitlab::{Access, ErrorKind, Mirror};
use crate::mirror_credential::calls::WriteResult;
use crate::mirror_credential::calls::gitlab::{GitLabClients, hidden_mirror};
use crate::mirror_credential::delete::left::LeftMirror;
use crate::mirror_credential::delete::plan::{
    DeleteStep, DeleteStop, DeletionPlanner, DeletionState,
};
use crate::mirror_credential::delete::target::DeletionTarget;
use crate::mirror_credential::intent_log::mirrors::{MirrorIntent, MirrorRecord};
use crate::mirror_credential::intent_log::{
    CLOSED_INTENT, LOGICAL_ID, NO_SECRET, OPEN_INTENT, SECRET_NAME, STACK_ID, TOMBSTONE, Tombstone,
    version_id,
};
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec::WantedMirror;
use crate::mirror_credential::state::{DeniedRead, Secret, SecretState, StoredLogin, User};
use crate::mirror_credential::timing::POLL_INTERVAL;
use crate::mirror_credential::{calls, messages, observe};
use crate::reconcile::{Next, Reconcile};
use cfn_custom_resource::Progress;

/// How long GitLab may take to delete mirrors at most. The credential has to be deleted in any
/// case.
const GITLAB_TIMEOUT: Duration = Duration::from_secs(3 * 60);

/// How long GitLab may take to show mirrors beside the recorded ones. Their records are gone
/// already, so nothing is lost without them.
const OTHER_MIRRORS_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the reads for the mirrors may delay the first step, which stops peers.
const EARLY_READS_TIMEOUT: Duration = Duration::from_secs(5);

/// A running deletion.
pub struct Deleter<'a> {
    clients: &'a Clients,
    target: &'a DeletionTarget,
    context: &'a RequestContext,
    state: DeletionState,
    gitlab_clients: GitLabClients<'a>,
    /// The login under `AWSCURRENT`, by its version ID, if it was read at the start.
    current_login: Option<(String, Option<StoredLogin>)>,
    /// When the work is interrupted.
    until: SystemTime,
    /// The mirrors that the secret has named.
    records: Vec<MirrorRecord>,
    /// Those about whose deletion GitLab has not answered yet.
    unanswered: Vec<MirrorRecord>,
    /// The mirrors that are left in GitLab, or that may be.
    pub left: Vec<LeftMirror>,
}

impl<'a> Deleter<'a> {
    /// Reads the secret, its login, GitLab's token and the first user concurrently.
    pub async fn start(
        clients: &'a Clients,
        target: &'a DeletionTarget,
        context: &'a RequestContext,
        progress: &Progress,
    ) -> Result<Self, CallError> {
        let now = clients.clock.now();
        progress.doing(format!("reading secret {}", target.secret_name));
        let aws = &clients.aws;
        let first_user = async {
            match &target.user_name {
                Some(name) => observe::read_user(aws, name).await.map(Some),
                None => Ok(None),
            }
        };
        let mut gitlab_clients = GitLabClients::new(clients, Vec::new());
        let (secret, user, current_login) = tokio::join!(
            observe::read_secret(aws, &target.secret_name),
            first_user,
            read_for_mirrors(aws, target, &mut gitlab_clients),
        );
        let (secret, denied) = secret_or_denied(secret)?;
        Ok(Deleter {
            clients,
            target,
            context,
            state: DeletionState {
                now,
                started_at: now,
                users_read_at: now,
                users: user?.into_iter().collect(),
                secret,
                denied,
                is_fenced: false,
                is_secret_deleted: false,
                tombstones_written: Vec::new(),
                deleted_credentials: Vec::new(),
                are_mirrors_deleted: false,
                mirrors_to_look_for: target.mirrors.clone(),
            },
            gitlab_clients,
            current_login,
            until: progress.until(),
            records: Vec::new(),
            unanswered: Vec::new(),
            left: Vec::new(),
        })
    }

    /// How long GitLab may take now. The other half of the time left is for AWS.
    fn gitlab_time(&self) -> Duration {
        GITLAB_TIMEOUT.min(self.clients.clock.until(self.until) / 2)
    }

    /// The reads that were denied and that did not prevent the deletion.
    pub fn denied_reads(&self) -> impl Iterator<Item = &DeniedRead> {
        self.state.denied_reads()
    }

    /// The user whose login was deleted. `None` if there was neither a secret nor a credential.
    /// Then the mirrors that GitLab shows may work with a login of another owner.
    pub fn user_without_login(&self) -> Option<&str> {
        let state = &self.state;
        let has_deleted = state.is_secret_deleted || !state.deleted_credentials.is_empty();
        let user = state.users.first().filter(|_| has_deleted);
        user.map(|user| user.name.as_str())
    }

    async fn read_secret(&mut self) -> Result<(), CallError> {
        let secret = observe::read_secret(&self.clients.aws, &self.target.secret_name).await;
        let (secret, denied) = secret_or_denied(secret)?;
        self.state.secret = secret;
        self.state.denied = denied;
        Ok(())
    }

    async fn write_tombstone(&mut self, name: String) -> Result<(), CallError> {
        let tombstone = self.tombstone_of(&name);
        let tags = [(TOMBSTONE, tombstone.write())];
        let user = self.state.users.iter_mut().find(|user| user.name == name);
        let is_ours = user
            .as_ref()
            .is_some_and(|user| user.owner.as_ref() == Some(&self.context.owner));
        match calls::tag_user(&self.clients.aws, &name, &tags).await {
            Err(error) if error.has_code(&["NoSuchEntity"]) => {
                if let Some(user) = user {
                    *user = User::absent(&name, None);
                }
            }
            // The Delete that follows a rejected Create succeeds. If IAM rejects this tag, it
            // rejects the tags that a Create writes before it issues a credential, too.
            Err(error) if !is_ours && !error.is_transient() => {
                tracing::warn!(%error, "the deletion is not recorded");
            }
            written => {
                written?;
                // IAM may have shown it late.
                if let Some(user) = user {
                    user.exists = true;
                }
            }
        }
        self.state.tombstones_written.push(name);
        Ok(())
    }

    /// The tombstone to write on the user `name`. A second delivery of the Delete finds no secret,
    /// and keeps the first one's record of it.
    fn tombstone_of(&self, name: &str) -> Tombstone {
        let user = self.state.users.iter().find(|user| user.name == name);
        let earlier = user.and_then(|user| self.context.tombstone_on(user));
        let secret = self.state.secret.present();
        let changed_by = secret.and_then(|secret| secret.origin.changed_by.clone());
        let ended = changed_by.or(earlier.map(|earlier| earlier.ended.clone()));
        Tombstone {
            owner_key: self.context.owner.key(),
            signed_at: self.context.signed_at,
            done_at: self.state.now,
            ended: ended.unwrap_or_else(|| NO_SECRET.to_owned()),
            unanswered: self.target.is_create_unanswered(),
        }
    }

    async fn fence(&mut self, entry: u64) -> Result<(), CallError> {
        let aws = &self.clients.aws;
        let secret = self.state.secret.required()?;
        // The mirrors of an open intent have to stay named until they are deleted.
        let open = open_intent(aws, secret).await?;
        let intent = MirrorIntent {
            claimant: self.context.claimant.clone(),
            ..open
        };
        match calls::write_claim(aws, secret, entry, &intent).await {
            Ok(WriteResult::Yes) => {
                self.state.is_fenced = true;
                self.state.secret.change(|secret| {
                    secret.log.claim = entry;
                    secret.log.mirror_intent = intent.must_be_read().then(|| version_id(entry));
                });
            }
            Ok(WriteResult::Taken) => {
                self.read_secret().await?;
                let secret = &mut self.state.secret;
                secret.change(|secret| secret.log.highest_claimed_entry = entry);
            }
            Ok(WriteResult::Gone) => self.state.secret = SecretState::Absent,
            // A peer has the same permissions and key, and cannot store a login either.
            Err(error) if error.is_denied() || error.is_key_error() => self.state.is_fenced = true,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn read_again(&mut self) -> Result<(), CallError> {
        tokio::time::sleep(POLL_INTERVAL).await;
        self.state.users_read_at = self.clients.clock.now();
        self.read_secret().await?;
        for user in &mut self.state.users {
            // IAM may show a new user late, even if it has accepted the tombstone.
            let was_tagged = user.exists && self.state.tombstones_written.contains(&user.name);
            *user = observe::read_user(&self.clients.aws, &user.name).await?;
            user.exists |= was_tagged;
        }
        Ok(())
    }

    /// Writes on the user which credentials its latest intent issued.
    async fn close_issue_intent(
        &mut self,
        user_name: String,
        ids: Vec<String>,
    ) -> Result<(), CallError> {
        let mut users = self.state.users.iter_mut();
        let Some(user) = users.find(|user| user.name == user_name) else {
            return Ok(());
        };
        if let Some(intent) = &mut user.issue_intent {
            *intent = intent.closed_with(ids);
            let tags = [intent.tag()];
            match calls::tag_user(&self.clients.aws, &user_name, &tags).await {
                Err(error) if error.has_code(&["NoSuchEntity"]) => user.exists = false,
                written => written?,
            }
        }
        Ok(())
    }

    async fn delete_secret(&mut self) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        // Without a recovery window, so that the name becomes free.
        let call = self.clients.aws.secrets.delete_secret();
        let call = call
            .secret_id(&secret.arn)
            .force_delete_without_recovery(true);
        let doing = || format!("deleting secret {}", secret.arn);
        let deleted = optional(call.send().await, &["ResourceNotFoundException"], doing);
        deleted.map_err(|error| {
            let Some(regions) = replica_regions(&error) else {
                return error;
            };
            let remedy = format!(
                "Run `aws secretsmanager remove-regions-from-replication --secret-id {} \
                 --remove-replica-regions {regions}`, then delete again",
                secret.arn
            );
            error.with_remedy(remedy)
        })?;
        self.state.secret = SecretState::Absent;
        self.state.is_secret_deleted = true;
        Ok(())
    }

    /// Removes the records of cfn-gitops from the user, except the tombstone.
    async fn release_user(&mut self, name: &str) -> Result<(), CallError> {
        let keys = [
            STACK_ID,
            LOGICAL_ID,
            SECRET_NAME,
            OPEN_INTENT,
            CLOSED_INTENT,
        ];
        let call = self.clients.aws.iam.untag_user().user_name(name);
        let call = call.set_tag_keys(Some(keys.map(ToOwned::to_owned).to_vec()));
        let doing = || format!("untagging user {name}");
        optional(call.send().await, &["NoSuchEntity"], doing)?;
        let users = self.state.users.iter_mut();
        for user in users.filter(|user| user.name == *name) {
            user.owner = None;
        }
        Ok(())
    }

    /// Deletes the mirrors that the secret names, and notes which are left. It does not wait for an
    /// unreachable GitLab, because a mirror without its credential cannot push.
    async fn delete_mirrors(&mut self) {
        let end = Instant::now() + self.gitlab_time();
        let left = || end.saturating_duration_since(Instant::now());
        if let Err(cut) = within(left(), Box::pin(self.read_records())).await {
            let text =
                cut.and("mirrors may be left in GitLab, whose records were not read in time");
            self.left.push(LeftMirror::possible(text));
        }
        self.unanswered.clone_from(&self.records);
        if let Err(cut) = within(left(), Box::pin(self.delete_recorded())).await {
            let mut why = Some(cut.and("not all mirrors were reached in time"));
            for record in self.unanswered.drain(..) {
                // Once, or the response would not hold all names.
                self.left.push(LeftMirror::recorded(&record, why.take()));
            }
        }
        self.state.are_mirrors_deleted = true;
    }

    /// Reads which mirrors the secret names.
    async fn read_records(&mut self) {
        let Some(secret) = self.state.secret.present() else {
            return;
        };
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

    async fn delete_recorded(&mut self) {
        let Some(secret) = self.state.secret.present() else {
            return;
        };
        let mut urls = self.records.iter().map(|record| &record.gitlab_url);
        if urls.any(|url| !self.gitlab_clients.knows(url)) {
            let access = calls::read_access(&self.clients.aws, secret).await;
            self.gitlab_clients.add(access.ok().flatten());
        }
        let (unanswered, left) = (&mut self.unanswered, &mut self.left);
        let deletion = self
            .gitlab_clients
            .delete_each(&self.records, |record, deleted| {
                unanswered.retain(|one| one != record);
                match deleted {
                    Ok(()) => {}
                    // The project may be deleted, and its mirrors with it.
                    Err(error) if error.kind == ErrorKind::NotFound => {
                        left.push(LeftMirror::possible(hidden_mirror(record).problem));
                    }
                    Err(error) => left.push(LeftMirror::recorded(record, Some(error))),
                }
            });
        deletion.await;
    }

    /// Notes the mirrors that are left in GitLab although no record names them: with the secret,
    /// the record of its mirrors was deleted. They are not deleted, because their origin is
    /// unknown.
    async fn look_for_mirrors(&mut self) {
        let wanted = std::mem::take(&mut self.state.mirrors_to_look_for);
        let (recorded, unrecorded): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|wanted| {
            let is_for = |record: &MirrorRecord| {
                record.project == wanted.project && record.repository_name == wanted.repository_name
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
        // that works is of another secret or person. A GitLab that has failed is not asked again.
        if !recorded.is_empty() && self.left.is_empty() {
            let time = self.gitlab_time().min(OTHER_MIRRORS_TIMEOUT);
            let (left, unread) = self.others(&recorded, time, Mirror::has_failed).await;
            self.left.extend(left.into_iter().map(LeftMirror::possible));
            for error in unread {
                tracing::info!(error, "not looked for other mirrors");
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
        let search = Box::pin(self.gitlab_clients.look_for(url, wanted));
        let found = match within(time, search).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return (vec![], vec![unread(wanted, &error)]),
            Err(cut) => {
                let why = cut.and("GitLab did not respond in time");
                return (vec![], vec![unread(wanted, &why)]);
            }
        };
        let (mut left, mut failed) = (vec![], vec![]);
        let is_known = |id| {
            let mut records = self.records.iter();
            records.any(|record| record.gitlab_url == *url && record.id == id)
        };
        for (wanted, shown) in found {
            let WantedMirror {
                project,
                repository_name,
                ..
            } = wanted;
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
                Err(error) => failed.push(unread(std::slice::from_ref(wanted), &error)),
            }
        }
        (left, failed)
    }
}

/// The regions with replicas of a secret that AWS does not delete for that: `You can't delete secret
/// … that still has replica regions [eu-west-1].`
fn replica_regions(error: &CallError) -> Option<&str> {
    let (_, regions) = error.cause.split_once("replica regions [")?;
    regions.split_once(']').map(|(regions, _)| regions)
}

/// The text about projects whose mirrors GitLab did not show.
fn unread(wanted: &[WantedMirror], why: &dyn Display) -> String {
    let projects: Vec<&str> = wanted.iter().map(|one| one.project.as_str()).collect();
    let projects = projects.join(", ");
    format!("mirrors of project {projects} may be left in GitLab ({why})")
}

impl Reconcile for Deleter<'_> {
    type Step = DeleteStep;
    type Done = ();
    type Error = CallError;

    /// Reads the users that the target or the secret names and that were not read yet.
    async fn observe(&mut self) -> Result<(), CallError> {
        let secret = self.state.secret.present();
        let own = secret.filter(|secret| self.context.owns(secret));
        let named = own.and_then(|secret| secret.origin.user_name.clone());
        for name in self.target.user_name.iter().chain(&named) {
            if !self.state.users.iter().any(|user| user.name == *name) {
                let user = observe::read_user(&self.clients.aws, name).await?;
                self.state.users.push(user);
            }
        }
        self.state.now = self.clients.clock.now();
        Ok(())
    }

    fn plan(&self) -> Next<DeleteStep, (), CallError> {
        match DeletionPlanner::new(self.target, self.context, &self.state).next() {
            Next::Apply(step) => Next::Apply(step),
            Next::Done(()) => Next::Done(()),
            Next::Fail(DeleteStop::Denied(DeniedRead(error))) => Next::Fail(error),
            Next::Fail(DeleteStop::Outdated(arn)) => Next::Fail(messages::outdated_delete(&arn)),
        }
    }

    fn describe(&self, step: &DeleteStep) -> String {
        let secret = &self.target.secret_name;
        match step {
            DeleteStep::WriteTombstone(user) => format!("writing the tombstone on user {user}"),
            DeleteStep::Fence(_) => format!("recording the request in secret {secret}"),
            DeleteStep::WaitForIam => {
                format!("waiting for IAM to list the credentials of secret {secret}")
            }
            DeleteStep::DeleteMirrors => format!("removing the mirrors of secret {secret}"),
            DeleteStep::CloseIssueIntent { user_name, .. } => {
                format!("closing the intent record of user {user_name}")
            }
            DeleteStep::DeleteCredential { id, .. } => {
                format!("deleting the service-specific credential {id}")
            }
            DeleteStep::DeleteSecret => format!("deleting secret {secret}"),
            DeleteStep::ReleaseUser(user) => format!("removing the records from user {user}"),
            DeleteStep::LookForMirrors => "looking for mirrors that no record names".to_owned(),
        }
    }

    async fn apply(&mut self, step: DeleteStep) -> Result<(), CallError> {
        match step {
            DeleteStep::WriteTombstone(name) => self.write_tombstone(name).await,
            DeleteStep::Fence(entry) => self.fence(entry).await,
            DeleteStep::WaitForIam => self.read_again().await,
            DeleteStep::DeleteMirrors => {
                self.delete_mirrors().await;
                Ok(())
            }
            DeleteStep::CloseIssueIntent { user_name, ids } => {
                self.close_issue_intent(user_name, ids).await
            }
            DeleteStep::DeleteCredential { user_name, id } => {
                calls::delete_credential(&self.clients.aws, &user_name, &id).await?;
                self.state.deleted_credentials.push(id);
                Ok(())
            }
            DeleteStep::DeleteSecret => self.delete_secret().await,
            DeleteStep::ReleaseUser(name) => self.release_user(&name).await,
            DeleteStep::LookForMirrors => {
                self.look_for_mirrors().await;
                Ok(())
            }
        }
    }
}

/// The mirror intent of the secret's latest claim. It is empty if the log is finished.
async fn open_intent(aws: &Aws, secret: &Secret) -> Result<MirrorIntent, CallError> {
    let open = secret.log.mirror_intent.as_ref();
    match open.filter(|_| secret.is_unfinished()) {
        Some(version_id) => calls::read_mirror_intent(aws, secret, version_id).await,
        None => Ok(MirrorIntent::default()),
    }
}

/// Reads the input of the deletion of mirrors, if the target has a GitLab: its token, which the
/// clients keep, and the current login, which names the mirrors. If that fails, it is read again
/// later.
async fn read_for_mirrors(
    aws: &Aws,
    target: &DeletionTarget,
    gitlab_clients: &mut GitLabClients<'_>,
) -> Option<(String, Option<StoredLogin>)> {
    let access = target.gitlab.clone()?;
    let url = access.url.clone();
    gitlab_clients.add(Some(access));
    let login = calls::read_current_login(aws, &target.secret_name);
    let reads = async { tokio::join!(login, gitlab_clients.at(&url)).0 };
    let login = tokio::time::timeout(EARLY_READS_TIMEOUT, Box::pin(reads)).await;
    gitlab_clients.forget_failures();
    login.ok()?.ok().flatten()
}

/// The secret, or the denied call if the function may not read it.
fn secret_or_denied(
    read: Result<Option<Secret>, CallError>,
) -> Result<(SecretState, Option<DeniedRead>), CallError> {
    match read {
        Ok(secret) => Ok((SecretState::from(secret), None)),
        Err(error) if error.is_denied() => Ok((SecretState::Absent, Some(DeniedRead(error)))),
        Err(error) => Err(error),
    }
}
