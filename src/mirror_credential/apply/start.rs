//! Starts a delivery: reads everything concurrently that does not depend on another read.

use crate::clients::gitlab::Access;
use crate::mirror_credential::apply::applier::{Applier, CreatedResources, RetryBudget};
use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::calls::gitlab::GitLabClients;
use crate::mirror_credential::clients::Clients;
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::{Secret, SecretState, State};
use crate::mirror_credential::{calls, observe};
use cfn_custom_resource::Progress;

/// Parts of the previous spec that the new one may not have.
#[derive(Debug, Default)]
pub struct PreviousSpec {
    pub gitlab: Option<Access>,
    /// The keys of its tags.
    pub tags: Vec<String>,
    /// Its secret, if the new spec has another one.
    pub secret_name: Option<String>,
}

impl<'a> Applier<'a> {
    /// A delivery that has read nothing but `state`.
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
            gitlab_clients: GitLabClients::new(&clients.aws, &clients.http, accesses),
            warnings: Vec::new(),
            created: CreatedResources::default(),
            retries: RetryBudget::default(),
        }
    }

    /// Reads the input of the first plan.
    pub async fn start(
        clients: &'a Clients,
        spec: &'a Spec,
        context: &'a RequestContext,
        progress: &'a Progress,
        previous: PreviousSpec,
    ) -> Result<Applier<'a>, ApplyError> {
        let started_at = clients.clock.now();
        progress.doing(format!("reading user {}", spec.user_name));
        let aws = &clients.aws;
        let replaced = async {
            match &previous.secret_name {
                Some(name) => observe::read_secret(aws, name).await,
                None => Ok(None),
            }
        };
        // An Update that keeps the secret verifies its login.
        let is_update = !context.is_create && context.rotation.is_none();
        let verifies = is_update && !spec.repositories().is_empty();
        let login = async {
            match previous.secret_name {
                // If it cannot be read, the step that needs it reports the error.
                None if verifies => calls::read_current_login(aws, &spec.secret_name).await.ok(),
                _ => None,
            }
        };
        let accesses = spec.gitlab.iter().cloned().collect();
        let mut gitlab_clients = GitLabClients::new(aws, &clients.http, accesses);
        gitlab_clients.add(previous.gitlab);
        let (user, secret, replaced, clone_urls, login, ()) = tokio::join!(
            observe::read_user(aws, &spec.user_name),
            observe::read_secret(aws, &spec.secret_name),
            replaced,
            calls::clone_urls(aws, spec.repositories()),
            login,
            open_gitlab(&mut gitlab_clients, spec),
        );
        let replaced = replaced?.filter(|secret| context.owns(secret));
        let user = user?;
        let secret = match secret {
            // The denied look-up of the user is the reason to report.
            Err(_) if user.denied.is_some() => SecretState::Unread,
            secret => SecretState::from(secret?),
        };
        let mut state = State::new(started_at, user, secret);
        state.secret_seen = state.secret.present().is_some();
        state.previous_tags = previous.tags;
        state.clone_urls = clone_urls?;
        state.log.peer_timeout = clients.clock.until(progress.until()).mul_f64(0.5);
        let other_logins = replaced.iter().flat_map(Secret::logins);
        state.login.other_resource_credentials = other_logins
            .map(|login| login.credential_id.clone())
            .collect();
        state.login.stored.extend(login.flatten());
        let mut applier = Applier {
            gitlab_clients,
            ..Applier::new(clients, spec, context, progress, state)
        };
        if !spec.mirrors.is_empty() {
            progress.doing("reading the projects in GitLab");
            applier.read_projects().await?;
        }
        Ok(applier)
    }
}

/// Reads GitLab's token, if there are mirrors. The clients keep the error for the step that needs it.
async fn open_gitlab(gitlab_clients: &mut GitLabClients<'_>, spec: &Spec) {
    if let Some(access) = spec.gitlab.as_ref().filter(|_| !spec.mirrors.is_empty()) {
        gitlab_clients.at(&access.url).await.ok();
    }
}
