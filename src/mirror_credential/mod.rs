//! `Custom::MirrorCredential`: one live CodeCommit credential of one IAM user, its password in one
//! secret and in GitLab's mirrors that push with it, and nowhere else.
//!
//! properties → observe → plan → steps: [`spec`] decodes what is desired, [`observe`] reads
//! what is, [`plan`] and [`plan`] decide what to do next (purely), and [`calls`] holds the calls
//! that do it. [`intent_log`] is what is written down in AWS so that no crash loses anything, and
//! [`journal`] the part of it that is about mirrors. [`rotation`] goes the same way in four
//! steps; [`health`] only looks.

mod apply;
pub mod attribute_names;
mod calls;
mod credential_class;
pub mod delete;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod health;
mod intent_log;
mod messages;
pub mod mirrors;
mod observe;
mod plan;
pub mod rotation;
pub mod spec;
pub mod state;

use crate::mirror_credential::mirrors::journal;
use crate::reason_codes::invalid_properties;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::aws::{Aws, CallError};
use crate::http::Http;
use crate::mirror_credential::apply::{Delivery, Former, Made};
use crate::mirror_credential::calls::explained;
use crate::mirror_credential::delete::plan::Target;
use crate::mirror_credential::intent_log::Owner;
use crate::mirror_credential::plan::Me;
use crate::mirror_credential::spec::Spec;
use crate::reason_codes::Code;
use crate::tags;
use cfn_custom_resource::{
    Clock, Failure, Outcome, Progress, Reason, Request, RequestType, Resource,
};

/// The resource type.
#[derive(Debug)]
pub struct MirrorCredential {
    aws: Aws,
    http: Http,
    clock: Clock,
}

impl MirrorCredential {
    /// The resource type, calling AWS through `aws` and git servers through `http`.
    pub fn new(aws: Aws, http: Http, clock: Clock) -> Self {
        MirrorCredential { aws, http, clock }
    }

    async fn make(
        &self,
        request: &Request,
        desired: &Spec,
        me: &Me,
        progress: &Progress,
    ) -> Result<Outcome, Failure> {
        let replaced = request.physical_resource_id.as_deref();
        let replaced = replaced.filter(|id| *id != desired.secret_name);
        self.check_user_name(request, desired, me).await?;
        self.remove_left_behind(request, desired, me).await?;
        let former = Former {
            gitlab: spec::gitlab_in(&request.old_properties),
            tags: tag_keys(&request.old_properties),
        };
        let delivery = Delivery::begin(self, desired, me, progress, replaced, former);
        let delivery = Box::pin(delivery).await?;
        Box::pin(delivery.check_move()).await?;
        let made = Box::pin(delivery.finish()).await?;
        Ok(outcome(desired, &made))
    }

    /// Rejects an Update that changes `UserName` and keeps `SecretName`. This comes before every
    /// other check, because the new user may not exist, or its repositories may not. The rollback
    /// of a rejected Update changes `UserName` too. It passes, because it names the user whose login
    /// the secret holds.
    async fn check_user_name(
        &self,
        request: &Request,
        desired: &Spec,
        me: &Me,
    ) -> Result<(), Failure> {
        let old_user_name = spec::user_name_in(&request.old_properties);
        let changes_user = old_user_name.is_some_and(|name| name != desired.user_name);
        let secret_name = &desired.secret_name;
        if !changes_user || request.physical_resource_id.as_ref() != Some(secret_name) {
            return Ok(());
        }
        let read = observe::read_secret(&self.aws, secret_name).await;
        let secret = read.map_err(|error| Failure(explained(error).reason()))?;
        let reason = match secret {
            Some(secret) if secret.owner.as_ref() != Some(&me.owner) => None,
            Some(secret) => messages::user_name_differs(desired, &secret),
            None => {
                // The secret was deleted by hand: the tags on the user show whose login it held.
                let read = observe::read_user(&self.aws, &desired.user_name).await;
                let user = read.map_err(|error| Failure(explained(error).reason()))?;
                let is_held = user.held_by() == Some(&me.owner);
                (!is_held).then(|| messages::user_name_changes(desired))
            }
        };
        reason.map_or(Ok(()), |reason| Err(Failure(reason)))
    }

    /// An Update that is rolled back may have begun a replacement that CloudFormation never heard
    /// of, and will therefore not delete.
    async fn remove_left_behind(
        &self,
        request: &Request,
        desired: &Spec,
        me: &Me,
    ) -> Result<(), Failure> {
        let Some(name) = spec::secret_name_in(&request.old_properties) else {
            return Ok(());
        };
        let is_known = request.physical_resource_id.as_deref() == Some(name.as_str());
        if is_known || name == desired.secret_name {
            return Ok(());
        }
        let target = Target {
            secret_name: name,
            deletes_foreign: false,
            is_unanswered: false,
            leaves_mark: false,
            waits: true,
        };
        let users: Vec<String> = spec::user_name_in(&request.old_properties)
            .into_iter()
            .collect();
        let accesses = spec::gitlab_in(&request.old_properties);
        let accesses = accesses.into_iter().collect();
        let removed = self.remove(&target, me, &users, &[], accesses).await;
        for left in removed.map_err(|error| Failure(explained(error).reason()))? {
            tracing::warn!(left, "not removed");
        }
        Ok(())
    }

    /// Removes everything, and says what it could not.
    async fn delete(
        &self,
        request: &Request,
        me: &Me,
        progress: &Progress,
    ) -> Result<Option<Reason>, Failure> {
        let properties = request.properties.as_ref().unwrap_or(&Value::Null);
        let id = request.physical_resource_id.clone();
        let by_properties = spec::secret_name_in(properties);
        let is_own_id = id.is_some() && id == by_properties;
        let mut name = by_properties.clone();
        if let Some(id) = id.filter(|id| !is_own_id && spec::is_secret_name(id)) {
            // Either the id of a resource whose properties have changed since, or an invention
            // of CloudFormation's. A secret of that name that is ours tells.
            let secret = observe::read_secret(&self.aws, &id).await;
            let is_ours = match secret {
                Ok(secret) => secret.is_some_and(|secret| secret.owner.as_ref() == Some(&me.owner)),
                Err(error) if error.is_denied() => false,
                Err(error) => return Err(Failure(explained(error).reason())),
            };
            if is_ours || name.is_none() {
                name = Some(id);
            }
        }
        let Some(secret_name) = name else {
            // Neither the id nor the properties name anything: nothing can have been made.
            return Ok(None);
        };
        progress.doing(format!(
            "removing secret {secret_name} and the credential that it names"
        ));
        let is_unanswered = !is_own_id && by_properties.as_ref() == Some(&secret_name);
        let users: Vec<String> = spec::user_name_in(properties)
            .filter(|_| by_properties.as_ref() == Some(&secret_name))
            .into_iter()
            .collect();
        let target = Target {
            secret_name,
            deletes_foreign: spec::deletes_foreign(properties),
            is_unanswered,
            leaves_mark: true,
            waits: true,
        };
        let accesses = spec::gitlab_in(properties).into_iter().collect();
        let removed = self.remove(&target, me, &users, &[], accesses).await;
        let left = removed.map_err(|error| Failure(explained(error).reason()))?;
        for left in &left {
            tracing::warn!(left, "not removed");
        }
        Ok((!left.is_empty()).then(|| Reason::new(Code::MirrorsLeft, left.join("; "))))
    }

    async fn clone_urls(
        &self,
        names: BTreeSet<&str>,
    ) -> Result<BTreeMap<String, String>, CallError> {
        let mut urls = BTreeMap::new();
        for name in names {
            urls.insert(name.to_owned(), calls::clone_url(&self.aws, name).await?);
        }
        Ok(urls)
    }
}

impl Resource for MirrorCredential {
    fn physical_id(&self, request: &Request) -> String {
        if let Some(id) = &request.physical_resource_id {
            return id.clone();
        }
        let properties = request.properties.as_ref().unwrap_or(&Value::Null);
        spec::secret_name_in(properties)
            // Properties that name no secret are refused; the Delete that follows finds nothing.
            .unwrap_or_else(|| "codecommit-mirror".to_owned())
    }

    async fn handle(
        self: Arc<Self>,
        request: Request,
        progress: Progress,
    ) -> Result<Outcome, Failure> {
        let is_create = request.request_type == Some(RequestType::Create);
        let me = Me {
            owner: Owner {
                stack_id: request.stack_id.clone(),
                logical_id: request.logical_resource_id.clone(),
            },
            signed_at: request.signed_at,
            request_key: intent_log::key(&request.request_id),
            claimant: journal::claimant(None),
            is_create,
            rotation: None,
        };
        if request.request_type == Some(RequestType::Delete) {
            let note = self.delete(&request, &me, &progress).await?;
            return Ok(Outcome {
                physical_resource_id: self.physical_id(&request),
                attributes: BTreeMap::new(),
                note,
            });
        }
        let properties = match &request.properties {
            Ok(properties) => properties,
            Err(error) => {
                let text = format!("reading ResourceProperties: {error}");
                return Err(invalid_properties(&text));
            }
        };
        let desired = spec::decode(properties).map_err(|errors| invalid_properties(&errors))?;
        Box::pin(self.make(&request, &desired, &me, &progress)).await
    }
}

fn outcome(desired: &Spec, made: &Made) -> Outcome {
    Outcome {
        physical_resource_id: desired.secret_name.clone(),
        attributes: BTreeMap::from([
            ("SecretArn", made.secret.arn.clone()),
            ("SecretName", desired.secret_name.clone()),
            ("UserName", desired.user_name.clone()),
            ("ServiceUserName", made.credential.service_user_name.clone()),
            ("ServiceSpecificCredentialId", made.credential.id.clone()),
            (
                "CreateDate",
                intent_log::write_time(made.credential.created),
            ),
        ]),
        note: Reason::join(made.notes.iter().cloned()),
    }
}

/// The keys of the tags in properties of which nothing else needs to be valid.
fn tag_keys(properties: &Value) -> Vec<String> {
    let tags = properties["Tags"].as_array().into_iter().flatten();
    tags.filter_map(|tag| Some(tag["Key"].as_str()?.to_owned()))
        .filter(|key| !key.starts_with(tags::OWN))
        .collect()
}
