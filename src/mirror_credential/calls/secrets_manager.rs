//! Secrets Manager: the secret, its log of versions, and its tags.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_secretsmanager::operation::get_secret_value::builders::GetSecretValueFluentBuilder;
use serde_json::json;

use crate::clients::aws::{Aws, CallError, optional, required};
use crate::clients::gitlab::Access;
use crate::common::password::Password;
use crate::mirror_credential::calls::CODECOMMIT;
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::mirrors::{
    MIRROR_INTENT_LABEL, MirrorIntent, SavedSpec, read_mirrors, read_spec, write_spec,
};
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec;
use crate::mirror_credential::spec::{DEFAULT_KEY, SecretSettings, Spec};
use crate::mirror_credential::state::{Credential, Secret, StoredLogin};

/// The result of writing the log's next entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteResult {
    /// This delivery wrote the entry.
    Yes,
    /// A peer wrote that entry first.
    Taken,
    /// The secret does not exist.
    Gone,
}

/// The result of creating the secret.
#[derive(Debug)]
pub enum CreateResult {
    /// This delivery created the secret, with this ARN.
    Yes(String),
    /// A secret with that name exists.
    Taken,
    /// The name is not free yet, because Secrets Manager is still deleting a secret with that name.
    Blocked(CallError),
}

/// Creates the secret without a value. If two deliveries try, one succeeds.
pub async fn create_secret(
    aws: &Aws,
    spec: &Spec,
    context: &RequestContext,
) -> Result<CreateResult, CallError> {
    let name = &spec.secret_name;
    let mut call = aws
        .secrets
        .create_secret()
        .name(name)
        .description(format!("CodeCommit login of IAM user {}", spec.user_name))
        .set_kms_key_id(spec.settings.kms_key_id.clone());
    let records = [
        (intent_log::STACK_ID, context.owner.stack_id.clone()),
        (intent_log::LOGICAL_ID, context.owner.logical_id.clone()),
        (intent_log::USER_NAME, spec.user_name.clone()),
        (intent_log::AS_OF, intent_log::write_time(context.signed_at)),
        (intent_log::CREATED_BY, context.request_key.clone()),
        (intent_log::CLAIMANT, context.claimant.clone()),
    ];
    let own = records
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value));
    for (key, value) in own.chain(spec.tags.clone()) {
        call = call.tags(secret_tag(key, value));
    }
    match call.send().await {
        Ok(output) => Ok(CreateResult::Yes(output.arn().unwrap_or(name).to_owned())),
        Err(error) => match CallError::new(format!("creating secret {name}"), &error) {
            error if error.has_code(&["ResourceExistsException"]) => Ok(CreateResult::Taken),
            error if error.has_code(&["InvalidRequestException"]) => {
                Ok(CreateResult::Blocked(error))
            }
            error => Err(error),
        },
    }
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

/// Writes the spec as the log's entry `properties.entry`.
pub async fn save_spec(
    aws: &Aws,
    secret: &Secret,
    properties: &SavedSpec,
    document: &serde_json::Value,
) -> Result<WriteResult, CallError> {
    let value = write_spec(document);
    let id = intent_log::version_id(properties.entry);
    put(aws, secret, &id, value, vec![properties.write()]).await
}

/// Writes `login` into its version under `stage`. Every reader of the secret uses the version under
/// `AWSCURRENT`.
pub async fn write_login(
    aws: &Aws,
    secret: &Secret,
    login: &intent_log::Login,
    stage: &str,
    user_name: &str,
    credential: &Credential,
    value: &StoredLogin,
) -> Result<WriteResult, CallError> {
    let mut json = json!({
        "username": value.service_user_name,
        "password": value.password.expose(),
        "serviceSpecificCredentialId": credential.id,
        "userName": user_name,
        "serviceName": CODECOMMIT,
        "createDate": intent_log::write_time(credential.created),
    });
    if !value.mirrors.is_empty() {
        json["mirrors"] = json!(value.mirrors);
    }
    let labels = vec![stage.to_owned(), login.write()];
    put(aws, secret, &login.version_id, json.to_string(), labels).await
}

/// Copies the value of `login`'s version into the version of `copy`.
pub async fn copy_login(
    aws: &Aws,
    secret: &Secret,
    login: &intent_log::Login,
    copy: &intent_log::Login,
) -> Result<WriteResult, CallError> {
    let Some(version) = read_version(aws, secret, &login.version_id).await? else {
        return Ok(WriteResult::Gone);
    };
    let value = version.text.expose().to_owned();
    put(aws, secret, &copy.version_id, value, vec![copy.write()]).await
}

async fn put(
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
        error if error.has_code(&["ResourceNotFoundException", "InvalidRequestException"]) => {
            Ok(WriteResult::Gone)
        }
        mut error => {
            // Only the code is kept: a message about the value could quote the password.
            if let (Some(code), false) = (&error.code, error.is_denied()) {
                error.cause.clone_from(code);
            }
            Err(error)
        }
    }
}

pub async fn tag_secret(
    aws: &Aws,
    secret: &Secret,
    tags: &BTreeMap<String, String>,
) -> Result<(), CallError> {
    let mut call = aws.secrets.tag_resource().secret_id(&secret.arn);
    for (key, value) in tags {
        call = call.tags(secret_tag(key.clone(), value.clone()));
    }
    let doing = || format!("tagging secret {}", secret.arn);
    required(call.send().await, doing).map(drop)
}

pub async fn untag_secret(aws: &Aws, secret: &Secret, keys: &[String]) -> Result<(), CallError> {
    let call = aws.secrets.untag_resource().secret_id(&secret.arn);
    let call = call.set_tag_keys(Some(keys.to_vec()));
    let doing = || format!("untagging secret {}", secret.arn);
    required(call.send().await, doing).map(drop)
}

pub async fn change_settings(
    aws: &Aws,
    secret: &Secret,
    settings: &SecretSettings,
) -> Result<(), CallError> {
    let key = settings.kms_key_id.as_deref().unwrap_or(DEFAULT_KEY);
    let call = aws.secrets.update_secret().secret_id(&secret.arn);
    let call = call.kms_key_id(key);
    let doing = || format!("changing the settings of secret {}", secret.arn);
    required(call.send().await, doing).map(drop)
}

/// Removes `label` from the version `from`, or moves it to another one. `false` if the label is not
/// on `from`: a peer, or an earlier call whose response was lost, may have moved it.
pub async fn move_label(
    aws: &Aws,
    secret: &Secret,
    label: &str,
    from: &str,
    to: Option<&str>,
) -> Result<bool, CallError> {
    let call = aws.secrets.update_secret_version_stage();
    let call = call.secret_id(&secret.arn).version_stage(label);
    let call = call.remove_from_version_id(from);
    let call = call.set_move_to_version_id(to.map(ToOwned::to_owned));
    let not_there = ["InvalidParameterException", "ResourceNotFoundException"];
    let doing = || format!("moving a label in secret {}", secret.arn);
    let moved = optional(call.send().await, &not_there, doing)?;
    Ok(moved.is_some())
}

/// Removes `AWSPENDING` from a version.
pub async fn drop_pending(aws: &Aws, secret: &Secret, version_id: &str) -> Result<(), CallError> {
    let dropped = move_label(aws, secret, "AWSPENDING", version_id, None).await;
    dropped.map(drop)
}

/// Deletes the secret without a recovery window, so that its name becomes free.
pub async fn delete_secret(aws: &Aws, secret: &Secret) -> Result<(), CallError> {
    let call = aws.secrets.delete_secret().secret_id(&secret.arn);
    let call = call.force_delete_without_recovery(true);
    let doing = || format!("deleting secret {}", secret.arn);
    optional(call.send().await, &["ResourceNotFoundException"], doing).map(drop)
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
    let Some(properties) = secret.log.saved_specs.last() else {
        return Ok(None);
    };
    let id = intent_log::version_id(properties.entry);
    let version = read_version(aws, secret, &id).await?;
    Ok(version.and_then(|version| read_spec(version.text.expose())))
}

/// Reads `GitLab` from the saved spec. `None` if there is no saved spec.
pub async fn read_access(aws: &Aws, secret: &Secret) -> Result<Option<Access>, CallError> {
    let document = read_saved_spec(aws, secret).await?;
    Ok(document.as_ref().and_then(spec::gitlab_in))
}

/// When a version was written. `None` if it does not exist or holds no value.
pub async fn stored_at(
    aws: &Aws,
    secret: &Secret,
    version_id: &str,
) -> Result<Option<SystemTime>, CallError> {
    let version = read_version(aws, secret, version_id).await?;
    Ok(version.and_then(|version| version.created))
}

/// The value of a version of the secret.
struct Version {
    id: String,
    text: Password,
    created: Option<SystemTime>,
}

/// Reads a version. `None` if it does not exist or holds no value.
async fn read_version(
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

fn secret_tag(key: String, value: String) -> aws_sdk_secretsmanager::types::Tag {
    aws_sdk_secretsmanager::types::Tag::builder()
        .key(key)
        .value(value)
        .build()
}
