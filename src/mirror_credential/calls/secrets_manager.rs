//! Secrets Manager: the versions of the secret, which are the intent log.

use std::time::SystemTime;

use aws_sdk_secretsmanager::operation::get_secret_value::builders::GetSecretValueFluentBuilder;

use crate::clients::aws::{Aws, CallError, optional};
use crate::clients::gitlab::Access;
use crate::common::password::Password;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::mirrors::{
    MIRROR_INTENT_LABEL, MirrorIntent, SavedSpec, read_mirrors, read_spec,
};
use crate::mirror_credential::spec;
use crate::mirror_credential::spec::DEFAULT_KEY;
use crate::mirror_credential::state::{Secret, StoredLogin};

/// Secrets Manager removes versions only if there are more than 100, and only those of an earlier
/// day. <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html>
const DEPLOY_TOMORROW: &str = "Deploy again tomorrow: the secret has reached its quota of versions, because it was changed \
    too often within a day, about 25 times. Secrets Manager removes versions that are older than a day";

/// The result of writing the log's next entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteResult {
    /// This delivery wrote the entry.
    Yes,
    /// A peer wrote that entry first.
    Taken,
    Gone,
}

/// Writes a claim with its mirror intent as the log's entry `number`.
pub async fn write_claim(
    aws: &Aws,
    secret: &Secret,
    number: u64,
    mirror_intent: &MirrorIntent,
) -> Result<WriteResult, CallError> {
    let mut labels = vec![intent_log::CLAIM_LABEL.to_owned()];
    if mirror_intent.must_be_read() {
        labels.push(MIRROR_INTENT_LABEL.to_owned());
    }
    let id = intent_log::version_id(number);
    put(aws, secret, &id, mirror_intent.write(), labels).await
}

/// Writes a version with `labels`, which is an entry of the log or a rotation's version.
pub async fn put(
    aws: &Aws,
    secret: &Secret,
    version_id: &str,
    value: String,
    labels: Vec<String>,
) -> Result<WriteResult, CallError> {
    let call = aws
        .secrets
        .put_secret_value()
        .secret_id(&secret.arn)
        .client_request_token(version_id)
        .secret_string(value)
        .set_version_stages(Some(labels));
    let Err(error) = call.send().await else {
        return Ok(WriteResult::Yes);
    };
    match CallError::new(format!("storing in secret {}", secret.arn), &error) {
        error if error.has_code(&["ResourceExistsException"]) => Ok(WriteResult::Taken),
        error if error.has_code(&["ResourceNotFoundException"]) => Ok(WriteResult::Gone),
        // The secret is scheduled for deletion, or it is a replica, for example.
        error if error.has_code(&["InvalidRequestException"]) => {
            if is_deleted(aws, secret).await? {
                Ok(WriteResult::Gone)
            } else {
                Err(error)
            }
        }
        mut error => {
            // Only the code is kept: a message about the value could quote the password.
            if let (Some(code), false) = (&error.code, error.is_denied()) {
                error.cause.clone_from(code);
            }
            Err(if error.is_quota() {
                error.with_remedy(DEPLOY_TOMORROW)
            } else if error.is_key_error() {
                // AWS's own sentence, which names the key, is left out with its message.
                let key = secret.kms_key_id.as_deref().unwrap_or(DEFAULT_KEY);
                error.with_remedy(format!(
                    "If KMS shows key {key} as disabled, enable it. If its deletion is scheduled, cancel \
                     it. Otherwise set KmsKeyId to another key"
                ))
            } else {
                error
            })
        }
    }
}

/// Whether the secret does not exist, or is scheduled for deletion.
async fn is_deleted(aws: &Aws, secret: &Secret) -> Result<bool, CallError> {
    let call = aws.secrets.describe_secret().secret_id(&secret.arn);
    let doing = || format!("looking up secret {}", secret.arn);
    let shown = optional(call.send().await, &["ResourceNotFoundException"], doing)?;
    Ok(shown.is_none_or(|shown| shown.deleted_date.is_some()))
}

/// Reads the login of a version. `None` if the version holds no login.
pub async fn read_login(
    aws: &Aws,
    secret: &Secret,
    version_id: &str,
) -> Result<Option<StoredLogin>, CallError> {
    let version = read_version(aws, secret, version_id).await?;
    Ok(version.as_ref().and_then(parse_login))
}

/// Reads the version under `AWSCURRENT`: its ID, and the login that it holds. `None` if the secret
/// `name` has none.
pub async fn read_current_login(
    aws: &Aws,
    name: &str,
) -> Result<Option<(String, Option<StoredLogin>)>, CallError> {
    let call = aws.secrets.get_secret_value().secret_id(name);
    let version = get_version(call.version_stage("AWSCURRENT"), name).await?;
    Ok(version.map(|version| (version.id.clone(), parse_login(&version))))
}

fn parse_login(version: &Version) -> Option<StoredLogin> {
    let value = serde_json::from_str::<serde_json::Value>(version.text.expose()).ok()?;
    let text = |name: &str| value[name].as_str().map(ToOwned::to_owned);
    Some(StoredLogin {
        service_user_name: text("username")?,
        password: Password::new(text("password")?),
        mirrors: read_mirrors(&value),
    })
}

/// Reads the mirror intent of a claim. It is empty if the version holds none, or if the key of the
/// secret denies the function. In the second case, the writer that may use the key deletes its
/// mirrors.
pub async fn read_mirror_intent(
    aws: &Aws,
    secret: &Secret,
    version_id: &str,
) -> Result<MirrorIntent, CallError> {
    let version = match read_version(aws, secret, version_id).await {
        Err(error) if error.is_denied() => None,
        version => version?,
    };
    let mirror_intent = version.and_then(|version| {
        let mirror_intent = MirrorIntent::read(version.text.expose())?;
        Some(MirrorIntent {
            written: version.created,
            ..mirror_intent
        })
    });
    Ok(mirror_intent.unwrap_or_default())
}

/// Reads the saved spec. `None` if there is none.
pub async fn read_saved_spec(
    aws: &Aws,
    secret: &Secret,
) -> Result<Option<serde_json::Value>, CallError> {
    match secret.log.saved_specs.last() {
        Some(saved) => read_spec_of(aws, secret, saved).await,
        None => Ok(None),
    }
}

async fn read_spec_of(
    aws: &Aws,
    secret: &Secret,
    saved: &SavedSpec,
) -> Result<Option<serde_json::Value>, CallError> {
    let id = intent_log::version_id(saved.entry);
    let version = read_version(aws, secret, &id).await?;
    Ok(version.and_then(|version| read_spec(version.text.expose())))
}

/// Reads `GitLab` from the saved specs, the latest first. A rollback may have left mirrors in the
/// GitLab of the one before.
pub async fn read_accesses(aws: &Aws, secret: &Secret) -> Result<Vec<Access>, CallError> {
    let mut accesses = vec![];
    for saved in secret.log.saved_specs.iter().rev() {
        let document = read_spec_of(aws, secret, saved).await?;
        accesses.extend(document.as_ref().and_then(spec::gitlab_in));
    }
    Ok(accesses)
}

pub struct Version {
    id: String,
    pub text: Password,
    pub created: Option<SystemTime>,
}

/// Reads a version. `None` if it does not exist or holds no value.
pub async fn read_version(
    aws: &Aws,
    secret: &Secret,
    version_id: &str,
) -> Result<Option<Version>, CallError> {
    let call = aws.secrets.get_secret_value().secret_id(&secret.arn);
    get_version(call.version_id(version_id), &secret.arn).await
}

async fn get_version(
    call: GetSecretValueFluentBuilder,
    secret: &str,
) -> Result<Option<Version>, CallError> {
    let doing = || format!("reading the value of secret {secret}");
    let output = optional(call.send().await, &["ResourceNotFoundException"], doing)?;
    Ok(output.and_then(|output| {
        let created = output.created_date().copied();
        let created = created.and_then(|time| SystemTime::try_from(time).ok());
        Some(Version {
            id: output.version_id?,
            text: Password::new(output.secret_string?),
            created,
        })
    }))
}
