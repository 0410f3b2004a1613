//! A delivery, from its first reads to its end.
//!
//! [`plan::next`] chooses each step. The [`Applier`] executes it and follows its own changes in the
//! state. It reads again only the parts that a peer may have changed.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use crate::clients::Clients;
use crate::clients::aws::{Aws, CallError, retrying_absence};
use crate::clients::failing_calls::within;
use crate::common::reason_codes::Code;
use crate::mirror_credential::apply::attributes::attributes;
use crate::mirror_credential::calls::gitlab::GitLabClients;
use crate::mirror_credential::delete::left::{LeftMirror, Records};
use crate::mirror_credential::plan::planner::Planner;
use crate::mirror_credential::plan::step::{NextStep, Step};
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::{
    DeliveryError, PreviousSpec, RequestState, Secret, SecretState, State, StoredLogin, User,
};
use crate::mirror_credential::{calls, messages, observe, plan};
use crate::reconcile::sender::{Rollback, Sender};
use crate::reconcile::{Reconcile, reconcile};
use cfn_custom_resource::{Failure, Outcome, Progress, Reason};

#[derive(Debug, Default)]
pub struct RetryBudget {
    pub resets: u32,
    /// Calls in a row that IAM throttled.
    pub throttled_calls: u32,
    pub uncertain_calls: u32,
    /// Calls that failed because no slot was free.
    pub calls_without_slot: u32,
    pub move_retries: u32,
    /// The issued login was rejected once.
    pub login_rejected: bool,
}

/// A running delivery: it executes the planner's steps until the resource matches the spec.
pub struct Applier<'a> {
    pub clients: &'a Clients,
    pub spec: &'a Spec,
    pub context: &'a RequestContext,
    pub progress: &'a Progress,
    pub state: State,
    pub gitlab_clients: GitLabClients<'a>,
    /// The operator should see these although the request succeeds.
    pub warnings: Vec<Reason>,
    /// Mirrors of a former GitLab whose login is dead. Health checks report them after a success.
    pub left: Vec<LeftMirror>,
    pub retries: RetryBudget,
    /// When it stops replacing an inactive credential that it may keep. `None`: at the deadline.
    pub replace_until: Option<SystemTime>,
}

impl<'a> Applier<'a> {
    /// A delivery that has read only `state`.
    pub fn new(
        clients: &'a Clients,
        spec: &'a Spec,
        context: &'a RequestContext,
        progress: &'a Progress,
        state: State,
    ) -> Self {
        let accesses = spec.gitlab.iter().cloned().collect();
        Applier {
            clients,
            spec,
            context,
            progress,
            state,
            gitlab_clients: GitLabClients::new(clients, accesses),
            warnings: Vec::new(),
            left: Vec::new(),
            retries: RetryBudget::default(),
            replace_until: None,
        }
    }

    /// Reads the input of the first plan. The plan reports the read that failed, if one did.
    pub async fn start(
        clients: &'a Clients,
        spec: &'a Spec,
        context: &'a RequestContext,
        progress: &'a Progress,
        previous: PreviousSpec,
    ) -> Applier<'a> {
        let started_at = clients.clock.now();
        progress.doing(format!("reading user {}", spec.user_name));
        let aws = &clients.aws;
        let accesses = spec.gitlab.iter().chain(&previous.gitlab);
        let mut gitlab_clients = GitLabClients::new(clients, accesses.cloned().collect());
        let new = &previous.new_names;
        let user = observe::read_user(aws, &spec.user_name);
        let (user, secret, replaced, clone_urls, login, ()) = tokio::join!(
            retrying_absence(new.contains(&spec.user_name), user),
            observe::read_secret(aws, &spec.secret_name),
            read_replaced(clients, &previous),
            observe::clone_urls(aws, spec.repositories(), new),
            read_kept_login(aws, spec, context, &previous),
            open_gitlab(&mut gitlab_clients, spec, new),
        );
        let mut failed = None;
        let replaced = or_failed(replaced, &mut failed).flatten();
        let is_user_unread = user.is_err();
        let user = or_failed(user, &mut failed);
        let user = user.unwrap_or_else(|| User::absent(&spec.user_name, None));
        let secret = secret_state(secret, &user, &mut failed);
        let mut state = State::new(started_at, user, secret);
        state.log.has_read_secret = state.secret.present().is_some();
        state.log.peer_timeout = clients.clock.until(progress.until()).mul_f64(0.5);
        state.clone_urls = or_failed(clone_urls, &mut failed).unwrap_or_default();
        let replaced_secret = replaced.iter().find_map(|(_, secret)| secret.as_ref());
        let replaced_secret = replaced_secret.filter(|secret| context.owns(secret));
        note_former_login(&mut state, &previous, replaced_secret, login);
        state.request = RequestState {
            previous,
            failed_read: failed,
            is_user_unread,
            former_secrets: replaced.into_iter().collect(),
            sender: context.is_local.then_some(Sender::Shown),
            rollback: if context.is_local {
                Rollback::No
            } else {
                Rollback::Unknown
            },
            ..RequestState::default()
        };
        let mut applier = Applier {
            gitlab_clients,
            ..Applier::new(clients, spec, context, progress, state)
        };
        if !spec.mirrors.is_empty() && applier.planner().check_before_projects().is_continue() {
            progress.doing("reading the projects in GitLab");
            let read = applier.read_projects().await;
            or_failed(read, &mut applier.state.request.failed_read);
        }
        applier
    }
}

impl Applier<'_> {
    /// Applies the spec. After a failure, rolls back this delivery, best effort.
    ///
    /// If an inactive credential cannot be replaced, and the request changes nothing else, it is
    /// left inactive. Otherwise every rollback would fail until the cause is removed.
    pub async fn apply_spec(mut self) -> Result<Outcome, Failure> {
        let (clients, spec, context) = (self.clients, self.spec, self.context);
        let progress = self.progress;
        let was_inactive = self.planner().has_only_inactive_to_replace();
        let time = clients.clock.until(progress.until()) * 3 / 4;
        self.replace_until = Some(clients.clock.now() + time);
        let time = if was_inactive { time } else { Duration::MAX };
        let run = within(time, Box::pin(self.run())).await;
        let (user, previous) = (self.state.user.clone(), self.state.request.previous.clone());
        let (sender, rollback) = (self.state.request.sender, self.state.request.rollback);
        let reason = match run {
            Ok(Ok(())) => return self.finish().await,
            Ok(Err(error)) => {
                // IAM may have shown only after some steps that it is inactive.
                let may_keep = (was_inactive || self.planner().may_have_only_inactive_to_replace())
                    && self.planner().check_request().is_continue();
                Box::pin(self.roll_back(&error)).await;
                if !may_keep {
                    return Err(error.into());
                }
                error.reason
            }
            Err(cut) => out_of_time(progress, &cut.and("it takes too long")),
        };
        // The plan starts again, as after a killed delivery: it finds the resources that the
        // failure has left.
        let applier = Applier::start(clients, spec, context, progress, previous);
        let mut applier = Box::pin(applier).await;
        applier.state.user.keep_inactive(&user);
        applier.state.request.sender = sender;
        applier.state.request.rollback = rollback;
        if !was_inactive && !applier.planner().has_only_inactive_to_replace() {
            return Err(Failure(reason));
        }
        warn!(reason, "the inactive credential is not replaced");
        applier.state.login.replacement_error = Some(reason);
        if let Err(error) = applier.run().await {
            Box::pin(applier.roll_back(&error)).await;
            return Err(error.into());
        }
        applier.finish().await
    }

    /// Runs the steps of one phase of a rotation. After a transient failure, the rotation's
    /// resources stay, as after a killed process. The same phase of the same rotation resumes from
    /// them.
    pub async fn apply_rotation_phase(mut self) -> Result<(), DeliveryError> {
        let result = self.run().await;
        match &result {
            Ok(()) => {}
            // Only this delivery names the mirrors that it has not committed, or that a peer
            // superseded.
            Err(error) if error.is_transient => {
                if !self.state.mirrors.intent.ids_committed {
                    self.state.orphan_created_mirrors();
                }
                self.delete_own_orphans().await;
            }
            Err(error) => Box::pin(self.roll_back(error)).await,
        }
        result
    }

    async fn run(&mut self) -> Result<(), DeliveryError> {
        let progress = self.progress;
        reconcile(self, progress).await?;
        self.delete_own_orphans().await;
        Ok(())
    }

    async fn finish(&self) -> Result<Outcome, Failure> {
        if !self.left.is_empty() {
            let records = Records {
                secret_name: &self.spec.secret_name,
                user_name: &self.spec.user_name,
                tags: &self.spec.tags,
                context: self.context,
            };
            records.write(self.clients, &self.left, self.progress).await;
        }
        let outcome = self.outcome();
        outcome.ok_or_else(|| DeliveryError::internal("done without a credential").into())
    }

    fn outcome(&self) -> Option<Outcome> {
        let secret = self.state.secret.present()?;
        let login = secret.current()?;
        let credential = self.state.user.credential(&login.credential_id)?;
        let mut warnings = self.warnings.clone();
        if secret.origin.owner.is_none() {
            let Spec {
                secret_name,
                user_name,
                ..
            } = self.spec;
            let owner = &self.context.owner;
            warnings.push(messages::secret_is_untagged(
                secret_name,
                owner,
                Some(user_name),
                &secret.origin,
            ));
        }
        let error = self.planner().replacement_error();
        if let Some(error) = error.filter(|_| !credential.active) {
            let user_name = &self.spec.user_name;
            warnings.push(messages::stays_inactive(user_name, &credential.id, &error));
        }
        warnings.extend(self.unchanged_mirrors());
        if self.context.rotation.is_none() {
            // The mirrors are as the saved spec has them. Otherwise the plan would have failed.
            let planner = self.planner();
            let claimed = planner.claimed_paths();
            warnings.extend(claimed.map(|(_, reason)| reason));
            warnings.extend(planner.branch_faults());
            for warning in plan::lfs_warnings(self.spec, &self.state) {
                warn!(warning, "Git LFS objects may not be mirrored");
                warnings.push(warning);
            }
        }
        Some(Outcome {
            physical_resource_id: self.spec.secret_name.clone(),
            attributes: attributes(self.spec, secret, credential),
            note: Reason::join(warnings),
        })
    }

    /// Why mirrors are not as the spec has them, although the request succeeds.
    fn unchanged_mirrors(&self) -> Vec<Reason> {
        let prefixed = |prefix: &str, error: &Reason| Reason {
            problem: format!("{prefix}: {}", error.problem),
            ..error.clone()
        };
        let rejected = self.state.mirrors.rejected.iter();
        let rejected = rejected.map(|error| prefixed("a mirror was not restored", error));
        let unread = self.planner().gitlab_error();
        let unread = unread.map(|error| prefixed("the mirrors were not checked", &error));
        let unchanged: Vec<Reason> = rejected.chain(unread).collect();
        for error in &unchanged {
            warn!(error, "mirrors are left as they are");
        }
        unchanged
    }

    pub fn planner(&self) -> Planner<'_> {
        Planner::new(self.spec, self.context, &self.state)
    }

    /// Whether the thing of this name may have been created just before the request.
    pub fn may_be_new(&self, name: &str) -> bool {
        self.state.request.previous.new_names.contains(name)
    }

    async fn execute(&mut self, step: Step) -> Result<(), DeliveryError> {
        match step {
            Step::Request(step) => self.apply_request_step(step).await,
            Step::Credential(step) => self.apply_credential_step(step).await,
            Step::Secret(step) => Ok(self.apply_secret_step(step).await?),
            Step::Mirror(step) => self.apply_or_note_rejected(step).await,
        }
    }
}

impl Reconcile for Applier<'_> {
    type Step = Step;
    type Done = ();
    type Error = DeliveryError;

    /// Reads only the clock. The steps read the rest. Fails if the time for the replacement of an
    /// inactive credential is over.
    async fn observe(&mut self) -> Result<(), DeliveryError> {
        let now = self.clients.clock.now();
        self.state.now = now;
        let is_over = self.replace_until.is_some_and(|until| now >= until);
        if is_over && self.planner().may_have_only_inactive_to_replace() {
            let reason = out_of_time(self.progress, "it takes too long");
            return Err(DeliveryError::transient(reason));
        }
        Ok(())
    }

    fn plan(&self) -> NextStep {
        plan::next(self.spec, self.context, &self.state)
    }

    fn describe(&self, step: &Step) -> String {
        step.describe(self.spec)
    }

    async fn apply(&mut self, step: Step) -> Result<(), DeliveryError> {
        if step.is_change() {
            // It found nothing that was there before.
            let sender = &mut self.state.request.sender;
            sender.get_or_insert(Sender::Plausible);
        }
        if !matches!(step, Step::Request(_)) {
            self.progress.changing();
            self.state.request.has_begun = true;
        }
        let (clients, spec) = (self.clients, self.spec);
        let Some(intent) = self.planner().intent_to_close(&step) else {
            return Box::pin(self.execute(step)).await;
        };
        let tags = [intent.tag()];
        let tagging = calls::tag_user(&clients.aws, &spec.user_name, &tags);
        let (tagged, result) = tokio::join!(tagging, Box::pin(self.execute(step)));
        match tagged {
            Ok(()) => self.state.user.issue_intent = Some(intent),
            // The intent stays open, and is closed at the end.
            Err(error) => info!(error.reason(), "the issue intent is not closed yet"),
        }
        result
    }
}

fn out_of_time(progress: &Progress, what: &str) -> Reason {
    let problem = format!("{}: {what}", progress.last());
    Reason::new(Code::OutOfTime, problem, "Repeat the stack operation")
}

fn secret_state(
    read: Result<Option<Secret>, CallError>,
    user: &User,
    failed: &mut Option<DeliveryError>,
) -> SecretState {
    match read {
        // The denied look-up of the user is the reason to report.
        Err(_) if user.denied.is_some() => SecretState::Unread,
        read => or_failed(read, failed).map_or(SecretState::Unread, SecretState::from),
    }
}

/// The result of a read at the start. `None` if it failed. `failed` keeps the first failure.
fn or_failed<T, E: Into<DeliveryError>>(
    read: Result<T, E>,
    failed: &mut Option<DeliveryError>,
) -> Option<T> {
    read.map_err(|error| failed.get_or_insert(error.into())).ok()
}

/// Reads the secret that this one replaces, with its name. `None` if it replaces none.
async fn read_replaced(
    clients: &Clients,
    previous: &PreviousSpec,
) -> Result<Option<(String, Option<Secret>)>, CallError> {
    let Some(name) = &previous.secret_name else {
        return Ok(None);
    };
    let secret = observe::read_created_secret(clients, name).await?;
    Ok(Some((name.clone(), secret)))
}

/// Notes the `login` of the secret before the request, which the resource keeps or has `replaced`.
fn note_former_login(
    state: &mut State,
    previous: &PreviousSpec,
    replaced: Option<&Secret>,
    login: Option<(String, Option<StoredLogin>)>,
) {
    if previous.secret_name.is_none() {
        state.login.stored.extend(login);
    } else if let (Some(_), Some((_, Some(login)))) = (replaced, login) {
        state.mirrors.replaced = login.mirrors;
    }
    let logins = replaced.into_iter().flat_map(Secret::logins);
    let credentials = logins.map(|login| login.credential_id.clone());
    state.login.other_resource_credentials = credentials.collect();
}

/// Reads the login of the secret before the request, with the ID of its version: an Update that
/// keeps the secret verifies it, and its records have the numbers of projects. `None` if it cannot
/// be read: the step that needs it reports the error.
async fn read_kept_login(
    aws: &Aws,
    spec: &Spec,
    context: &RequestContext,
    previous: &PreviousSpec,
) -> Option<(String, Option<StoredLogin>)> {
    let is_moved_or_rotated = previous.secret_name.is_some() || context.rotation.is_some();
    if context.is_create
        || spec.repositories().is_empty()
        || is_moved_or_rotated && spec.mirrors.is_empty()
    {
        return None;
    }
    let name = previous.secret_name.as_ref().unwrap_or(&spec.secret_name);
    let read = calls::read_current_login(aws, name).await;
    read.ok().flatten()
}

/// Reads GitLab's token, if there are mirrors. The clients keep the error for the step that needs
/// it.
async fn open_gitlab(gitlab_clients: &mut GitLabClients<'_>, spec: &Spec, new: &BTreeSet<String>) {
    if let Some(access) = spec.gitlab.as_ref().filter(|_| !spec.mirrors.is_empty()) {
        let is_token_new = new.contains(&access.token_secret_id);
        let opened = retrying_absence(is_token_new, gitlab_clients.at(&access.url));
        opened.await.ok();
    }
}
