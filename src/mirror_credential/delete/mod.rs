//! Deletes the resources of a `Custom::MirrorCredential`.

mod apply;
pub mod left;
mod mirrors;
mod plan;
mod target;

use crate::clients::Clients;
use crate::clients::aws::CallError;
use crate::mirror_credential::delete::apply::Deleter;
use crate::mirror_credential::delete::left::Records;
pub use crate::mirror_credential::delete::target::{CreateResponse, DeletionScope, DeletionTarget};
use crate::mirror_credential::request_context::RequestContext;
use crate::reconcile::reconcile;
use cfn_custom_resource::{Progress, Reason};

/// The things that a deletion leaves to a person.
pub struct Left {
    /// A text for each mirror that is left in GitLab.
    pub mirrors: Vec<String>,
    /// The credentials of a user whose owner no tags name.
    pub credentials: Option<Reason>,
}

/// Deletes `target` and its mirrors.
///
/// # Errors
/// If AWS fails, or if the function may not read resources that it may have created.
pub async fn delete(
    clients: &Clients,
    target: &DeletionTarget,
    context: &RequestContext,
    progress: &Progress,
) -> Result<Left, CallError> {
    let mut deleter = Deleter::start(clients, target, context, progress).await?;
    reconcile(&mut deleter, progress).await?;
    for denied in deleter.state.denied_reads() {
        error!(
            denied.0.reason(),
            "a resource is not looked up: if it exists, delete it"
        );
    }
    match deleter.user_without_login() {
        Some(user_name) if !deleter.mirrors.left.is_empty() => {
            let secret_name = &target.secret_name;
            let records = Records {
                secret_name,
                user_name,
                tags: &target.tags,
                context,
            };
            records.write(clients, &deleter.mirrors.left, progress).await;
        }
        _ => {}
    }
    let credentials = deleter.credentials_left();
    let left = deleter.mirrors.left.into_iter();
    let mirrors = left.map(|mirror| mirror.text).collect();
    Ok(Left {
        mirrors,
        credentials,
    })
}
