//! Reading what exists: the user's tags and credentials, and the secret.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;

use super::intent_log;
use super::intent_log::{Attempt, Deletion, Login, Owner};
use super::mirrors::journal::{JOURNAL_LABEL, Properties};
use crate::aws::{Aws, CallError};

/// The service whose credentials these are.
pub const CODECOMMIT: &str = "codecommit.amazonaws.com";

/// One service-specific credential of a user, without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// `ServiceSpecificCredentialId`.
    pub id: String,
    /// `ServiceUserName`: the login's name.
    pub service_user_name: String,
    /// Whether its status is `Active`.
    pub active: bool,
    /// When IAM made it.
    pub created: SystemTime,
}

/// An IAM user, as far as it concerns us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Whether it is there.
    pub exists: bool,
    /// Who holds its slots.
    pub owner: Option<Owner>,
    /// The secret that holds its login.
    pub secret_name: Option<String>,
    /// The latest attempt to issue.
    pub attempt: Option<Attempt>,
    /// The latest deletion.
    pub deletion: Option<Deletion>,
    /// Its CodeCommit credentials, as IAM lists them: perhaps late.
    pub credentials: Vec<Credential>,
    /// Why it could not be read, when the function may not.
    pub denied: Option<CallError>,
}

impl User {
    fn from_tags(name: &str, tags: &BTreeMap<String, String>) -> Self {
        let tag = |key: &str| tags.get(key).filter(|value| !value.is_empty());
        User {
            name: name.to_owned(),
            exists: true,
            owner: owner(tags),
            secret_name: tag(intent_log::SECRET_NAME).cloned(),
            attempt: tag(intent_log::ATTEMPT).and_then(|text| Attempt::read(text)),
            deletion: tag(intent_log::DELETION).and_then(|text| Deletion::read(text)),
            credentials: Vec::new(),
            denied: None,
        }
    }

    /// A user that is not there, or cannot be seen.
    pub fn absent(name: &str, denied: Option<CallError>) -> Self {
        User {
            exists: false,
            denied,
            ..User::from_tags(name, &BTreeMap::new())
        }
    }

    /// The owner, unless the latest deletion released the user.
    pub fn held_by(&self) -> Option<&Owner> {
        let owner = self.owner.as_ref()?;
        let released = self
            .deletion
            .as_ref()
            .is_some_and(|d| d.owner_key == owner.key());
        (!released).then_some(owner)
    }

    /// The credential `id`, if IAM lists it.
    pub fn credential(&self, id: &str) -> Option<&Credential> {
        self.credentials
            .iter()
            .find(|credential| credential.id == id)
    }
}

/// A secret, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Its ARN, which ends differently each time that the name is used anew.
    pub arn: String,
    /// Who made it; `None` when it is not one of ours.
    pub owner: Option<Owner>,
    /// The user whose login it holds.
    pub user_name: Option<String>,
    /// When the latest request that changed it was signed.
    pub as_of: Option<SystemTime>,
    /// The key of the request that created it.
    pub created_by: Option<String>,
    /// Which delivery of that request created it.
    pub claimant: Option<String>,
    /// Not given for the account's default key.
    pub kms_key_id: Option<String>,
    /// The tags that are not our records.
    pub tags: BTreeMap<String, String>,
    /// The login under `AWSCURRENT`, when we wrote it.
    pub current: Option<Login>,
    /// Other versions that still carry the label of a login, and those labels.
    pub superseded: Vec<Login>,
    /// `AWSCURRENT` is a value that we did not write.
    pub changed_by_hand: bool,
    /// Secrets Manager rotates it.
    pub rotates: bool,
    /// The version under `AWSPENDING`.
    pub pending: Option<String>,
    /// What the template asked for, and earlier entries of that kind.
    pub properties: Vec<Properties>,
    /// A number that was found taken although nothing shows it: its version has no label any more.
    pub taken: u64,
    /// The number of the latest claim; 0 stands for the creation of the secret itself.
    pub claim: u64,
    /// The version of the latest claim, when its journal has to be read.
    pub journal: Option<String>,
    /// When it was last changed, as Secrets Manager has it.
    pub last_changed: Option<SystemTime>,
    /// It is scheduled for deletion.
    pub deleted_at: Option<SystemTime>,
}

impl Secret {
    /// A secret that was just created without a value.
    pub fn created(arn: String, owner: Owner, user_name: String) -> Self {
        Secret {
            arn,
            owner: Some(owner),
            user_name: Some(user_name),
            as_of: None,
            created_by: None,
            claimant: None,
            kms_key_id: None,
            tags: BTreeMap::new(),
            current: None,
            superseded: Vec::new(),
            changed_by_hand: false,
            rotates: false,
            pending: None,
            properties: Vec::new(),
            taken: 0,
            claim: 0,
            journal: None,
            last_changed: None,
            deleted_at: None,
        }
    }

    fn read(output: &DescribeSecretOutput) -> Self {
        let all_tags: BTreeMap<String, String> = output
            .tags()
            .iter()
            .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
            .collect();
        let tag = |key: &str| all_tags.get(key).filter(|value| !value.is_empty());
        let mut secret = Secret {
            owner: owner(&all_tags),
            user_name: tag(intent_log::USER_NAME).cloned(),
            as_of: tag(intent_log::AS_OF).and_then(|text| intent_log::read_time(text)),
            created_by: tag(intent_log::CREATED_BY).cloned(),
            claimant: tag(intent_log::CLAIMANT).cloned(),
            kms_key_id: output.kms_key_id().map(ToOwned::to_owned),
            tags: all_tags
                .iter()
                .filter(|(key, _)| !key.starts_with(crate::tags::OWN))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            rotates: output.rotation_enabled().unwrap_or_default(),
            last_changed: output
                .last_changed_date()
                .and_then(|time| (*time).try_into().ok()),
            deleted_at: output
                .deleted_date()
                .and_then(|time| (*time).try_into().ok()),
            ..Secret::created(
                output.arn().unwrap_or_default().to_owned(),
                Owner {
                    stack_id: String::new(),
                    logical_id: String::new(),
                },
                String::new(),
            )
        };
        for (version_id, labels) in output.version_ids_to_stages().into_iter().flatten() {
            secret.note_version(version_id, labels);
        }
        secret.superseded.sort_by_key(|login| login.entry);
        secret.properties.sort_by_key(|properties| properties.entry);
        secret
    }

    fn note_version(&mut self, version_id: &str, labels: &[String]) {
        let has = |wanted: &str| labels.iter().any(|label| label == wanted);
        let is_current = has("AWSCURRENT");
        let is_claim = has(intent_log::CLAIM_LABEL);
        if is_claim {
            self.claim = intent_log::entry_number(version_id).unwrap_or_default();
            self.journal = has(JOURNAL_LABEL).then(|| version_id.to_owned());
        }
        if has("AWSPENDING") {
            self.pending = Some(version_id.to_owned());
        }
        let properties = labels.iter().filter_map(|label| Properties::read(label));
        self.properties.extend(properties);
        let logins = labels
            .iter()
            .filter_map(|label| Login::read(label, version_id));
        let mut logins: Vec<Login> = logins.collect();
        logins.sort_by_key(|login| login.entry);
        if is_current {
            // The first version of a secret becomes AWSCURRENT unasked, be it a claim.
            self.changed_by_hand = logins.is_empty() && !is_claim;
            self.current = logins.pop();
        }
        self.superseded.extend(logins);
    }

    /// Every login that a version of the secret names, the current one first.
    pub fn logins(&self) -> impl Iterator<Item = &Login> {
        self.current.iter().chain(&self.superseded)
    }

    /// The number of the latest entry that holds a login.
    pub fn latest_login(&self) -> Option<u64> {
        self.logins().map(|login| login.entry).max()
    }

    /// The version under `AWSPENDING` that is not current: a rotation is under way, or was. On the
    /// current one the label does no harm.
    pub fn open_rotation(&self) -> Option<&String> {
        let current = self.current.as_ref().map(|login| &login.version_id);
        self.pending
            .as_ref()
            .filter(|version| Some(*version) != current)
    }

    /// A rotation may be at work, or begin at any moment.
    pub fn may_rotate(&self) -> bool {
        self.rotates || self.open_rotation().is_some()
    }

    /// The login that the rotation to `version_id` has prepared.
    pub fn prepared(&self, version_id: &str) -> Option<&Login> {
        let mut logins = self.superseded.iter();
        logins.find(|login| login.version_id == version_id)
    }

    /// The login that a rotation has prepared and may make the current one.
    pub fn rotating(&self) -> Option<&Login> {
        let current = self.current.as_ref()?;
        self.superseded.iter().find(|login| {
            login.entry > current.entry && intent_log::entry_number(&login.version_id).is_none()
        })
    }

    /// Whether the secret holds, or is about to hold, the login of the user `name`. The current
    /// login decides, because an attempt that was not finished may have changed the tag. Without a
    /// login, the tag decides. `true` if the secret has neither.
    pub fn is_for_user(&self, name: &str) -> bool {
        match (&self.current, &self.user_name) {
            (Some(login), _) => login.user_key == intent_log::key(name),
            (None, Some(user_name)) => user_name == name,
            (None, None) => true,
        }
    }

    /// The number of the latest entry that concludes what came before: a login that is or was
    /// current, or the properties.
    fn latest_concluded(&self) -> Option<u64> {
        let rotating = self.rotating().map(|login| login.entry);
        let logins = self.logins().map(|login| login.entry);
        let logins = logins.filter(|entry| Some(*entry) != rotating).max();
        let properties = self.properties.last().map(|properties| properties.entry);
        logins.max(properties)
    }

    /// Whether somebody claimed the log, and nobody has concluded that since.
    pub fn is_unfinished(&self) -> bool {
        let concluded = self.latest_concluded();
        self.latest_login().is_none() || concluded.is_none_or(|entry| self.claim > entry)
    }

    /// Whether a claim came before the latest one, and ended in nothing.
    pub fn was_taken_over(&self) -> bool {
        match self.latest_concluded() {
            Some(entry) => self.claim > entry + 1,
            None => self.claim > 0,
        }
    }

    /// Whether the log shows the entry `number`, or a later one.
    pub fn shows(&self, number: u64) -> bool {
        let properties = self.properties.last().map(|properties| properties.entry);
        let latest = self.latest_login().max(properties).unwrap_or_default();
        self.claim.max(latest) >= number
    }

    /// The number of the next entry. Writing it excludes everybody else who saw the same.
    pub fn next_entry(&self) -> u64 {
        let properties = self.properties.last().map(|properties| properties.entry);
        let latest = self.latest_login().max(properties).unwrap_or_default();
        self.claim.max(latest).max(self.taken) + 1
    }

    /// Whether `attempt` was made for this secret and may have issued what nobody stored.
    pub fn awaits(&self, attempt: &Attempt) -> bool {
        attempt.secret_key == intent_log::key(&self.arn)
            && self
                .latest_login()
                .is_none_or(|entry| attempt.claim >= entry)
    }
}

fn owner(tags: &BTreeMap<String, String>) -> Option<Owner> {
    Some(Owner {
        stack_id: tags.get(intent_log::STACK_ID)?.clone(),
        logical_id: tags.get(intent_log::LOGICAL_ID)?.clone(),
    })
}

/// Reads the user's tags and credentials, side by side.
///
/// # Errors
/// When IAM fails. That the user is not there, or must not be read, is part of the answer.
pub async fn read_user(aws: &Aws, name: &str) -> Result<User, CallError> {
    let (tags, credentials) = tokio::join!(read_tags(aws, name), list_credentials(aws, name));
    let tags = match tags {
        Ok(Some(tags)) => tags,
        Ok(None) => return Ok(User::absent(name, None)),
        Err(error) if error.is_denied() => return Ok(User::absent(name, Some(error))),
        Err(error) => return Err(error),
    };
    match credentials {
        Ok(Some(credentials)) => Ok(User {
            credentials,
            ..User::from_tags(name, &tags)
        }),
        Ok(None) => Ok(User::absent(name, None)),
        Err(error) if error.is_denied() => Ok(User::absent(name, Some(error))),
        Err(error) => Err(error),
    }
}

async fn read_tags(aws: &Aws, name: &str) -> Result<Option<BTreeMap<String, String>>, CallError> {
    let mut tags = BTreeMap::new();
    let mut marker = None;
    loop {
        let call = aws.iam.list_user_tags().user_name(name).set_marker(marker);
        let page = match call.send().await {
            Ok(page) => page,
            Err(error) => {
                let missing = error
                    .as_service_error()
                    .is_some_and(aws_sdk_iam::operation::list_user_tags::ListUserTagsError::is_no_such_entity_exception);
                if missing {
                    return Ok(None);
                }
                return Err(CallError::new(
                    format!("reading the tags of user {name}"),
                    &error,
                ));
            }
        };
        for tag in page.tags() {
            tags.insert(tag.key().to_owned(), tag.value().to_owned());
        }
        if !page.is_truncated() {
            return Ok(Some(tags));
        }
        marker = page.marker().map(ToOwned::to_owned);
    }
}

async fn list_credentials(aws: &Aws, name: &str) -> Result<Option<Vec<Credential>>, CallError> {
    let mut credentials = Vec::new();
    let mut marker = None;
    loop {
        let call = aws
            .iam
            .list_service_specific_credentials()
            .user_name(name)
            .service_name(CODECOMMIT)
            .set_marker(marker);
        let page = match call.send().await {
            Ok(page) => page,
            Err(error) => {
                let missing = error
                    .as_service_error()
                    .is_some_and(aws_sdk_iam::operation::list_service_specific_credentials::ListServiceSpecificCredentialsError::is_no_such_entity_exception);
                if missing {
                    return Ok(None);
                }
                let doing = format!("listing the service-specific credentials of user {name}");
                return Err(CallError::new(doing, &error));
            }
        };
        for metadata in page.service_specific_credentials() {
            credentials.push(Credential {
                id: metadata.service_specific_credential_id().to_owned(),
                service_user_name: metadata.service_user_name().to_owned(),
                active: metadata.status().as_str() == "Active",
                created: (*metadata.create_date())
                    .try_into()
                    .unwrap_or(SystemTime::UNIX_EPOCH),
            });
        }
        if !page.is_truncated() {
            return Ok(Some(credentials));
        }
        marker = page.marker().map(ToOwned::to_owned);
    }
}

/// Reads the secret `name`, or `None` when there is none.
///
/// # Errors
/// When Secrets Manager fails.
pub async fn read_secret(aws: &Aws, name: &str) -> Result<Option<Secret>, CallError> {
    match aws.secrets.describe_secret().secret_id(name).send().await {
        Ok(output) => Ok(Some(Secret::read(&output))),
        Err(error) => {
            let missing = error
                .as_service_error()
                .is_some_and(aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretError::is_resource_not_found_exception);
            if missing {
                return Ok(None);
            }
            Err(CallError::new(format!("reading secret {name}"), &error))
        }
    }
}
