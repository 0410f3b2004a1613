//! Starts a delivery: reads the user, the secret and GitLab's projects concurrently.

use crate::aws::CallError;
use crate::gitlab::Access;
use crate::mirror_credential::apply::applier::{Applier, Created, RetryBudget};
use crate::mirror_credential::apply::error::ApplyError;
use crate::mirror_credential::clients::Clients;
use crate::mirror_credential::mirrors::gitlab_clients::GitLabClients;
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::{Secret, SecretState, State};
use crate::mirror_credential::{calls, observe};
use cfn_custom_resource::Progress;

/// Parts of the previous spec that the new one may not have.
#[derive(Debug, Default)]
pub struct PreviousSpec {
    /// Its GitLab.
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
            created: Created::default(),
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
        let secret = async {
            if context.is_create {
                return Ok(SecretState::Unread);
            }
            let secret = observe::read_secret(aws, &spec.secret_name).await?;
            Ok::<_, CallError>(SecretState::from(secret))
        };
        let replaced = async {
            match &previous.secret_name {
                Some(name) => observe::read_secret(aws, name).await,
                None => Ok(None),
            }
        };
        let (user, secret, replaced, clone_urls) = tokio::join!(
            observe::read_user(aws, &spec.user_name),
            secret,
            replaced,
            calls::clone_urls(aws, spec.repositories()),
        );
        let replaced = replaced?.filter(|secret| context.owns(secret));
        let mut state = State::new(started_at, user?, secret?);
        state.secret_seen = state.secret.present().is_some();
        state.previous_tags = previous.tags;
        state.clone_urls = clone_urls?;
        state.log.peer_timeout = clients.clock.until(progress.until()).mul_f64(0.5);
        let other_logins = replaced.iter().flat_map(Secret::logins);
        state.login.other_resource_credentials = other_logins
            .map(|login| login.credential_id.clone())
            .collect();
        let mut applier = Applier::new(clients, spec, context, progress, state);
        applier.gitlab_clients.add(previous.gitlab);
        if !spec.mirrors.is_empty() {
            progress.doing("looking at the projects in GitLab");
            applier.read_projects().await?;
        }
        Ok(applier)
    }
}
