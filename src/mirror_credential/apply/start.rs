//! The first look of a delivery: everything that is needed to decide, most of it side by side.

use std::collections::BTreeSet;

use super::Delivery;
use super::error::DeliveryError;
use crate::aws::CallError;
use crate::gitlab::Access;
use crate::mirror_credential::MirrorCredential;
use crate::mirror_credential::mirrors::gitlab_clients::GitLabs;
use crate::mirror_credential::observe;
use crate::mirror_credential::observe::Secret;
use crate::mirror_credential::plan::{Me, Observed, SecretState};
use crate::mirror_credential::spec::Spec;
use cfn_custom_resource::Progress;

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
        desired: &'a Spec,
        me: &'a Me,
        progress: &'a Progress,
        replaced: Option<&str>,
        former: Former,
    ) -> Result<Delivery<'a>, DeliveryError> {
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
            observe::read_user(aws, &desired.user_name),
            secret,
            elsewhere,
            resource.clone_urls(desired.repositories()),
        );
        let elsewhere = elsewhere?;
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
                clone_urls: clone_urls?,
                patience: resource.clock.until(progress.until()).mul_f64(0.5),
                ..Observed::begin(began, user?, secret?)
            },
            resource,
            desired,
            me,
            progress,
            own: Vec::new(),
            stored: None,
            storing: None,
            is_overtaken: false,
            is_login_shared: false,
            was_refused: false,
            resets: 0,
            busy: 0,
            looks: 0,
            doubts: 0,
            slots_refused: 0,
            name_refused_at: None,
        };
        delivery.known.had_secret = delivery.secret_is_read();
        if !desired.mirrors.is_empty() {
            progress.doing("looking at the projects in GitLab");
            delivery.read_projects().await?;
        }
        Ok(delivery)
    }
}

pub(super) async fn read_state(
    resource: &MirrorCredential,
    desired: &Spec,
) -> Result<SecretState, CallError> {
    let secret = observe::read_secret(&resource.aws, &desired.secret_name).await?;
    Ok(match secret {
        Some(secret) => SecretState::Present(Box::new(secret)),
        None => SecretState::Absent,
    })
}
