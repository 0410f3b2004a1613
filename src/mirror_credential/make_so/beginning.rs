//! The first look of a delivery: everything that is needed to decide, most of it side by side.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::MirrorCredential;
use super::super::gitlabs::GitLabs;
use super::super::observe::{self, Secret, User};
use super::super::plan::{Me, Observed, PAUSE, SecretState};
use super::super::properties::Desired;
use super::super::steps::explained;
use super::Delivery;
use crate::aws::CallError;
use crate::cfn::{Failure, Progress};
use crate::gitlab::Access;

/// A new role is known everywhere by then. (AWS says "eventually"; seconds are what is seen.)
const ROLE_SPREADS: Duration = Duration::from_secs(10);

/// What the template said before.
#[derive(Debug, Default)]
pub struct Former {
    /// Its GitLab.
    pub gitlab: Option<Access>,
    /// The keys of its tags.
    pub tags: Vec<String>,
}

impl<'a> Delivery<'a> {
    /// Reads what a first look needs, most of it side by side. `former` is what the template said
    /// before: its GitLab and the keys of its tags.
    pub async fn begin(
        resource: &'a MirrorCredential,
        desired: &'a Desired,
        me: &'a Me,
        progress: &'a Progress,
        replaced: Option<&str>,
        former: Former,
    ) -> Result<Delivery<'a>, Failure> {
        let began = resource.clock.now();
        progress.doing(format!("reading user {}", desired.user_name));
        let aws = &resource.aws;
        let elsewhere = async {
            match replaced {
                Some(name) => observe::read_secret(aws, name).await,
                None => Ok(None),
            }
        };
        let secret = async {
            if me.is_create {
                return Ok(SecretState::Unread);
            }
            read_state(resource, desired).await
        };
        let (user, secret, elsewhere, clone_urls) = tokio::join!(
            read_user_patiently(resource, desired, me, progress),
            secret,
            elsewhere,
            resource.clone_urls(desired.repositories()),
        );
        let in_words = |error: CallError| Failure(explained(error).to_string());
        let elsewhere = elsewhere.map_err(in_words)?;
        let elsewhere = elsewhere.filter(|secret| secret.owner.as_ref() == Some(&me.owner));
        let elsewhere = elsewhere.iter().flat_map(Secret::logins);
        let accesses = desired.gitlab.iter().cloned().chain(former.gitlab);
        let mut delivery = Delivery {
            gitlabs: GitLabs::new(aws, &resource.http, accesses.collect()),
            made_here: BTreeSet::new(),
            notes: Vec::new(),
            known: Observed {
                elsewhere: elsewhere.map(|login| login.credential_id.clone()).collect(),
                former_tags: former.tags,
                clone_urls: clone_urls.map_err(in_words)?,
                patience: resource.clock.until(progress.until()).mul_f64(0.5),
                ..Observed::begin(began, user.map_err(in_words)?, secret.map_err(in_words)?)
            },
            resource,
            desired,
            me,
            progress,
            own: Vec::new(),
            stored: None,
            storing: None,
            is_overtaken: false,
            was_refused: false,
            resets: 0,
            busy: 0,
            looks: 0,
            doubts: 0,
            slots_refused: 0,
            name_refused_at: None,
        };
        delivery.known.had_secret = delivery.secret_is_read();
        delivery.read_formers().await.map_err(in_words)?;
        if !desired.mirrors.is_empty() {
            progress.doing("looking at the projects in GitLab");
            delivery.read_projects().await?;
        }
        Ok(delivery)
    }
}

/// Reads the user for the first time. The role of a function that was created a moment ago is not
/// known everywhere yet, so the first Create of a stack that also makes the function may be denied
/// what it is allowed.
async fn read_user_patiently(
    resource: &MirrorCredential,
    desired: &Desired,
    me: &Me,
    progress: &Progress,
) -> Result<User, CallError> {
    let left = resource.clock.until(progress.until());
    let give_up = resource.clock.now() + ROLE_SPREADS.min(left / 4);
    loop {
        let user = observe::read_user(&resource.aws, &desired.user_name).await?;
        if user.denied.is_none() || !me.is_create || resource.clock.now() >= give_up {
            return Ok(user);
        }
        tokio::time::sleep(PAUSE * 2).await;
    }
}

pub(super) async fn read_state(
    resource: &MirrorCredential,
    desired: &Desired,
) -> Result<SecretState, CallError> {
    let secret = observe::read_secret(&resource.aws, &desired.secret_name).await?;
    Ok(match secret {
        Some(secret) => SecretState::Present(Box::new(secret)),
        None => SecretState::Absent,
    })
}
