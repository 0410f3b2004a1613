//! The mark that a Delete leaves, for a Create that comes after it.
//!
//! A Create can be delivered after its own Delete: CloudFormation cancels, Lambda queues and
//! repeats. It must then make nothing, and of the child stack nothing is left that could tell.
//! So Delete leaves a secret without a value and schedules its deletion at once. Secrets Manager's
//! reads are consistent, nobody pays for such a secret, and after seven days it is gone.

use aws_sdk_secretsmanager::types::Tag;

use super::names::Names;
use crate::aws::{Aws, CallError};
use crate::records::Owner;

/// On the mark: when CloudFormation signed the Delete, in seconds since 1970.
const SIGNED: &str = "cfn-gitops:deletion";

/// The fewest days that Secrets Manager keeps what is scheduled for deletion.
const DAYS: i64 = 7;

struct Mark {
    /// The latest Delete that left it.
    signed: u64,
    is_scheduled: bool,
}

/// Marks that a Delete signed at `signed` has been here.
pub async fn mark(aws: &Aws, names: &Names, owner: &Owner, signed: u64) -> Result<(), CallError> {
    let name = secret_name(names, owner);
    let doing = || doing(names);
    match look_up(aws, names, owner).await? {
        Some(mark) if mark.signed >= signed => {
            if mark.is_scheduled {
                return Ok(());
            }
        }
        Some(mark) => {
            if mark.is_scheduled {
                let call = aws.secrets.restore_secret().secret_id(&name);
                call.send()
                    .await
                    .map_err(|error| CallError::new(doing(), &error))?;
            }
            let call = aws
                .secrets
                .tag_resource()
                .secret_id(&name)
                .tags(tag(signed));
            call.send()
                .await
                .map_err(|error| CallError::new(doing(), &error))?;
        }
        None => {
            let call = aws
                .secrets
                .create_secret()
                .name(&name)
                .description(
                    "A deletion that late requests of Custom::GitOpsPipeline must not undo",
                )
                .tags(tag(signed));
            if let Err(error) = call.send().await {
                let exists = error.as_service_error().is_some_and(|error| {
                    error.is_resource_exists_exception() || error.is_invalid_request_exception()
                });
                // A repetition of a call whose answer was lost, or another copy of this request.
                if !exists {
                    return Err(CallError::new(doing(), &error));
                }
            }
        }
    }
    let call = aws
        .secrets
        .delete_secret()
        .secret_id(&name)
        .recovery_window_in_days(DAYS);
    match call.send().await {
        Ok(_) => Ok(()),
        // Another copy of this request has scheduled it.
        Err(error)
            if error.as_service_error().is_some_and(|error| {
                error.is_invalid_request_exception() || error.is_resource_not_found_exception()
            }) =>
        {
            Ok(())
        }
        Err(error) => Err(CallError::new(doing(), &error)),
    }
}

/// Whether a Delete that was signed at `signed` or later has been here.
pub async fn has_overtaken(
    aws: &Aws,
    names: &Names,
    owner: &Owner,
    signed: u64,
) -> Result<bool, CallError> {
    match look_up(aws, names, owner).await {
        Ok(mark) => Ok(mark.is_some_and(|mark| mark.signed >= signed)),
        Err(error) if error.is_uncertain() => Err(error),
        // Who may not look may not have left one either.
        Err(error) => {
            tracing::error!(%error, "taken for no mark");
            Ok(false)
        }
    }
}

async fn look_up(aws: &Aws, names: &Names, owner: &Owner) -> Result<Option<Mark>, CallError> {
    let name = secret_name(names, owner);
    let call = aws.secrets.describe_secret().secret_id(&name);
    match call.send().await {
        Ok(output) => {
            let tags = output.tags.unwrap_or_default();
            let tag = tags.iter().find(|tag| tag.key() == Some(SIGNED));
            let signed = tag.and_then(Tag::value).and_then(|text| text.parse().ok());
            Ok(Some(Mark {
                signed: signed.unwrap_or(0),
                is_scheduled: output.deleted_date.is_some(),
            }))
        }
        Err(error) => {
            let is_absent = error
                .as_service_error()
                .is_some_and(|error| error.is_resource_not_found_exception());
            let error = CallError::new(doing(names), &error);
            if is_absent { Ok(None) } else { Err(error) }
        }
    }
}

fn doing(names: &Names) -> String {
    format!("marking the deletion of {}", names.stack())
}

fn secret_name(names: &Names, owner: &Owner) -> String {
    let (env, project) = (&names.env_id, &names.project_id);
    format!("cfn-gitops-{env}/deletions/{project}-{}", owner.key())
}

fn tag(signed: u64) -> Tag {
    Tag::builder().key(SIGNED).value(signed.to_string()).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_one_project_and_one_owner() {
        let names = Names::of("dev", "shop").expect("names");
        let owner = |stack_id: &str| Owner {
            stack_id: stack_id.to_owned(),
            logical_id: "Project".to_owned(),
        };
        let name = secret_name(&names, &owner("one"));
        assert!(name.starts_with("cfn-gitops-dev/deletions/shop-"));
        assert_ne!(name, secret_name(&names, &owner("another")));
        // Secrets Manager takes a hyphen and six characters at the end for its own.
        assert!(name.len() - name.rfind('-').expect("a hyphen") > 7);
    }
}
