//! The resource type: dispatches CloudFormation's requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::clients::Clients;
use crate::common::reason_codes::invalid_properties;
use crate::common::tags;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::delete::left::left_mirrors;
use crate::mirror_credential::delete::{
    CreateResponse, DeletionScope, DeletionTarget, Left, delete,
};
use crate::mirror_credential::intent_log::Owner;
use crate::mirror_credential::intent_log::mirrors::claimant;
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::{DeliveryError, PreviousSpec, Secret};
use crate::mirror_credential::{intent_log, observe, spec};
use crate::reconcile::sender;
use cfn_custom_resource::{Failure, Outcome, Progress, Reason, Request, RequestType, Resource};

/// The prefix of the physical ID of a Create that failed before it changed anything. The ID that
/// the resource would have had follows, and the key of the request, for example
/// `rejected:codecommit-mirror/mirror:0123456789abcdef`. No secret's name contains a colon.
///
/// If a later Create of the resource succeeded, CloudFormation still deletes the rejected one. The
/// key distinguishes the two.
const REJECTED: &str = "rejected:";

/// The [`intent_log::key`] of a request, equal for all its deliveries. CloudFormation may reuse an
/// ID when a stack operation is retried, but it signs the request again.
fn request_key(request: &Request) -> String {
    let signed = request.response_url.signed_at().map(intent_log::write_time);
    let (id, signed) = (&request.request_id, signed.unwrap_or_default());
    intent_log::key(&format!("{id} {signed}"))
}

/// The resource type.
#[derive(Debug)]
pub struct MirrorCredential {
    pub(super) clients: Clients,
}

impl MirrorCredential {
    /// The resource type, which works with `clients`.
    pub fn new(clients: Clients) -> Self {
        MirrorCredential { clients }
    }

    async fn create_or_update(
        &self,
        request: &Request,
        spec: &Spec,
        context: &RequestContext,
        progress: &Progress,
    ) -> Result<Outcome, Failure> {
        let previous = previous_spec(request, spec);
        let applier = Applier::start(&self.clients, spec, context, progress, previous);
        Box::pin(Box::pin(applier).await.apply_spec()).await
    }

    async fn delete(
        &self,
        request: &Request,
        context: &RequestContext,
        progress: &Progress,
    ) -> Result<Option<Reason>, DeliveryError> {
        let properties = request.properties.as_ref().unwrap_or(&Value::Null);
        let id = request.physical_resource_id.as_deref();
        let rejected = id.and_then(|id| id.strip_prefix(REJECTED));
        let rejected = rejected.map(|rest| rest.rsplit_once(':').unwrap_or((rest, "")));
        let id = rejected.map(|(id, _)| id).or(id);
        let by_properties = spec::secret_name_in(properties);
        let is_own_id = id.is_some() && id == by_properties.as_deref();
        let has_response = rejected.is_none() && !request.has_generated_id();
        let Some(secret_name) = self
            .secret_to_delete(id, by_properties.as_ref(), has_response, context, progress)
            .await?
        else {
            // Neither the ID nor the properties name a secret, so no request can have created one.
            return Ok(None);
        };
        let is_by_properties = by_properties.as_ref() == Some(&secret_name);
        let create = if let Some((_, key)) = rejected {
            CreateResponse::Rejected(key.to_owned())
        } else if !is_own_id && (is_by_properties || !has_response) {
            CreateResponse::None
        } else {
            CreateResponse::Id
        };
        // The mirrors of a rejected Create would be those of others.
        let names_mirrors = is_by_properties && rejected.is_none();
        let target = DeletionTarget {
            secret_name,
            user_name: spec::user_name_in(properties).filter(|_| is_by_properties),
            gitlab: spec::gitlab_in(properties),
            mirrors: if names_mirrors {
                spec::mirrors_in(properties)
            } else {
                Vec::new()
            },
            tags: tags::tags_in(properties, &request.stack_id),
            deletes_foreign: spec::deletes_foreign(properties),
            scope: DeletionScope::Delete { create },
        };
        let left = Box::pin(delete(&self.clients, &target, context, progress)).await?;
        let Left {
            mirrors,
            credentials,
        } = left;
        for left in &mirrors {
            tracing::warn!(left, "a mirror was not removed");
        }
        let mirrors = (!mirrors.is_empty()).then(|| left_mirrors(&mirrors.join("; ")));
        Ok(Reason::join(mirrors.into_iter().chain(credentials)))
    }

    /// The secret that a Delete of `id` is for. The properties may have changed since
    /// CloudFormation stored the ID, or CloudFormation generated the ID. Only an existing secret
    /// shows which. If `id` is that of a response, one that was created a moment ago is looked for,
    /// and a denied look-up is an error.
    async fn secret_to_delete(
        &self,
        id: Option<&str>,
        by_properties: Option<&String>,
        has_response: bool,
        context: &RequestContext,
        progress: &Progress,
    ) -> Result<Option<String>, DeliveryError> {
        let id =
            id.filter(|id| by_properties.is_none_or(|name| name != id) && spec::is_secret_name(id));
        let (Some(id), Some(by_properties)) = (id, by_properties) else {
            return Ok(id.map(ToOwned::to_owned).or(by_properties.cloned()));
        };
        progress.doing(format!("looking for secret {id}"));
        let created_at = has_response.then(|| self.clients.clock.now());
        // A secret without an owner's tags may have been this resource's if a response named it.
        let may_be_ours = |secret: &Secret| {
            let is_untagged = secret.origin.owner.is_none();
            context.owns(secret) || (has_response && is_untagged)
        };
        let is_ours = match observe::read_secret_created_at(&self.clients, id, created_at).await {
            Ok(secret) => secret.as_ref().is_some_and(may_be_ours),
            Err(error) if error.is_denied() && !has_response => false,
            Err(error) => return Err(error.into()),
        };
        let name = if is_ours { id } else { by_properties };
        Ok(Some(name.to_owned()))
    }
}

impl Resource for MirrorCredential {
    fn physical_id(&self, request: &Request) -> String {
        if let Some(id) = &request.physical_resource_id {
            return id.clone();
        }
        let properties = request.properties.as_ref().unwrap_or(&Value::Null);
        spec::secret_name_in(properties)
            // Properties without a secret's name are rejected. The Delete that follows finds
            // nothing.
            .unwrap_or_else(|| "codecommit-mirror".to_owned())
    }

    fn rejected_id(&self, request: &Request) -> String {
        let (id, key) = (self.physical_id(request), request_key(request));
        format!("{REJECTED}{id}:{key}")
    }

    async fn handle(
        self: Arc<Self>,
        request: Request,
        progress: Progress,
    ) -> Result<Outcome, Failure> {
        let is_create = request.request_type == Some(RequestType::Create);
        let context = RequestContext {
            owner: Owner::of(&request),
            signed_at: request.signed_at,
            compared_at: request.compared_at(),
            request_key: request_key(&request),
            claimant: claimant(None),
            is_create,
            is_local: sender::is_local(&request),
            rotation: None,
        };
        if request.request_type == Some(RequestType::Delete) {
            let note = self.delete(&request, &context, &progress).await?;
            return Ok(Outcome {
                physical_resource_id: self.physical_id(&request),
                attributes: BTreeMap::new(),
                note,
            });
        }
        let properties = request
            .properties
            .as_ref()
            .map_err(|error| invalid_properties(&format!("reading ResourceProperties: {error}")))?;
        let mut spec = spec::decode(properties).map_err(|errors| invalid_properties(&errors))?;
        tags::add_created_by(&mut spec.tags, &request.stack_id);
        Box::pin(self.create_or_update(&request, &spec, &context, &progress)).await
    }
}

fn previous_spec(request: &Request, spec: &Spec) -> PreviousSpec {
    let old = &request.old_properties;
    let id = request.physical_resource_id.as_ref();
    let keeps_secret = id == Some(&spec.secret_name);
    let user_name = spec::user_name_in(old);
    // Properties that were not decoded may name another user.
    let has_other_user =
        old.is_null() || user_name.as_ref().is_some_and(|it| *it != spec.user_name);
    let changes_user_name = keeps_secret && has_other_user;
    // If such a request passes, it rolls another one back.
    let names = spec.names().into_iter().filter(|_| !changes_user_name);
    let unknown = spec::secret_name_in(old);
    PreviousSpec {
        gitlab: spec::gitlab_in(old),
        mirrors: spec::mirrors_in(old),
        user_name,
        tag_keys: tags::tags_in(old, &request.stack_id).into_keys().collect(),
        new_names: names.filter(|name| request.introduces(name)).map(ToOwned::to_owned).collect(),
        keeps_secret,
        needs_record: !keeps_secret || spec::document(old) != spec.document,
        secret_name: (id.cloned()).filter(|id| !keeps_secret && !id.starts_with(REJECTED)),
        changes_user_name,
        unknown_replacement: unknown.filter(|it| id != Some(it) && *it != spec.secret_name),
    }
}
