//! IAM's users, their tags and their service-specific credentials: the state
//! and the rules that change it. The texts of errors are recorded responses of
//! AWS unless a comment states otherwise.

use fastrand::Rng;
use std::{collections::BTreeMap, time::Duration};

use crate::world::{AwsError, Shared, Tags, rejected, tags};

/// IAM's XML.
mod api;
pub mod role_policies;

pub(crate) use api::answer;

pub(crate) const ACCOUNT: &str = "123456789012";
pub const CODECOMMIT: &str = "codecommit.amazonaws.com";
/// The services for which IAM issues credentials (among others).
const SERVICES: [&str; 2] = [CODECOMMIT, "cassandra.amazonaws.com"];
/// API reference, `CreateServiceSpecificCredential`: "You can have a maximum of
/// two sets of service-specific credentials for each supported service per user."
pub(crate) const MOST_CREDENTIALS: usize = 2;

#[derive(Clone, Debug, Default)]
pub struct Iam {
    pub users: BTreeMap<String, Shared<User>>,
    /// Those of the deploy role.
    pub role_policies: role_policies::RolePolicies,
    pub(crate) plain_passwords: bool,
}

#[derive(Clone, Debug, Default)]
pub struct User {
    pub id: String,
    /// Empty for `/`.
    pub path: String,
    pub created: Duration,
    pub tags: Tags,
    pub credentials: Vec<Credential>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub id: String,
    pub service: String,
    pub service_user_name: String,
    pub password: String,
    pub active: bool,
    pub created: Duration,
    /// Which caller had it issued; not AWS's knowledge but the tests'.
    pub issued_by: String,
}

impl Iam {
    pub fn user(&self, name: &str) -> Result<&User, AwsError> {
        let user = self.users.get(name).map(|user| &**user);
        user.ok_or_else(|| no_such_user(name))
    }

    fn user_mut(&mut self, name: &str) -> Result<&mut User, AwsError> {
        let user = self.users.get_mut(name).map(|user| &mut **user);
        user.ok_or_else(|| no_such_user(name))
    }

    /// The user of this login, if it is a login and active.
    pub fn login(&self, service_user_name: &str, password: &str) -> Option<&str> {
        let matches = |credential: &Credential| {
            credential.active
                && credential.service == CODECOMMIT
                && credential.service_user_name == service_user_name
                && credential.password == password
        };
        let holder = |(_, user): &(&String, &Shared<User>)| user.credentials.iter().any(matches);
        let found = self.users.iter().find(holder);
        found.map(|(name, _)| name.as_str())
    }

    pub fn credentials(
        &self,
        user: &str,
        service: Option<&str>,
    ) -> Result<Vec<&Credential>, AwsError> {
        let user = self.user(user)?;
        if let Some(service) = service {
            supported(service)?;
        }
        let wanted =
            |credential: &&Credential| service.is_none_or(|name| credential.service == name);
        Ok(user.credentials.iter().filter(wanted).collect())
    }

    /// Issues a credential. Its name is `<user>-at-<account>`, that of a second
    /// one `<user>+1-at-<account>`.
    pub fn issue(
        &mut self,
        user_name: &str,
        service: &str,
        issued_by: &str,
        now: Duration,
        random: &mut Rng,
    ) -> Result<Credential, AwsError> {
        let plain = self.plain_passwords;
        let user = self.user_mut(user_name)?;
        supported(service)?;
        let held = user.credentials.iter();
        let same_service = held.filter(|held| held.service == service);
        if same_service.count() >= MOST_CREDENTIALS {
            let message = format!(
                "Cannot exceed quota for ServiceSpecificCredentialsPerUser: {MOST_CREDENTIALS}"
            );
            return Err(AwsError::new(409, "LimitExceeded", message));
        }
        let name = |number: usize| match number {
            0 => format!("{user_name}-at-{ACCOUNT}"),
            _ => format!("{user_name}+{number}-at-{ACCOUNT}"),
        };
        // Which name a third one gets after the first is deleted is recorded
        // nowhere; the lowest that is free keeps names unique.
        let taken =
            |name: &String| user.credentials.iter().any(|held| held.service_user_name == *name);
        let service_user_name = (0..=user.credentials.len()).map(name).find(|name| !taken(name));
        let credential = Credential {
            id: format!(
                "ACCA{}",
                characters(random, 17, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
            ),
            service: service.to_owned(),
            service_user_name: service_user_name.expect("more names than credentials"),
            password: password(random, plain),
            active: true,
            created: now,
            issued_by: issued_by.to_owned(),
        };
        user.credentials.push(credential.clone());
        Ok(credential)
    }

    /// A new password; id, user name and status stay, also of an inactive one.
    pub fn reset(
        &mut self,
        user: &str,
        id: &str,
        random: &mut Rng,
    ) -> Result<Credential, AwsError> {
        let plain = self.plain_passwords;
        let credential = self.credential_mut(user, id)?;
        credential.password = password(random, plain);
        Ok(credential.clone())
    }

    pub fn set_active(&mut self, user: &str, id: &str, status: &str) -> Result<(), AwsError> {
        let credential = self.credential_mut(user, id)?;
        credential.active = match status {
            "Active" => true,
            "Inactive" => false,
            _ => {
                return Err(rejected("ValidationError", "status: Active or Inactive"));
            }
        };
        Ok(())
    }

    pub fn withdraw(&mut self, user: &str, id: &str) -> Result<(), AwsError> {
        self.credential_mut(user, id)?;
        let credentials = &mut self.user_mut(user)?.credentials;
        credentials.retain(|credential| credential.id != id);
        Ok(())
    }

    fn credential_mut(&mut self, user: &str, id: &str) -> Result<&mut Credential, AwsError> {
        if id.is_empty() || !id.chars().all(|c| c.is_alphanumeric() || c == '_') {
            let message = "1 validation error detected: Value at 'serviceSpecificCredentialId' failed \
                           to satisfy constraint: Member must satisfy regular expression pattern: [\\w]+";
            return Err(rejected("ValidationError", message));
        }
        let credentials = &mut self.user_mut(user)?.credentials;
        let found = credentials.iter_mut().find(|one| one.id == id);
        found.ok_or_else(|| {
            let message = format!("No such credential {id} exists");
            AwsError::new(404, "NoSuchEntity", message)
        })
    }

    /// Sets tags, all or none.
    pub fn tag(&mut self, user: &str, added: &[(&str, &str)]) -> Result<(), AwsError> {
        let user = self.user_mut(user)?;
        for (key, value) in added {
            if let Some(refusal) = tags::refusal(key, value) {
                return Err(rejected("ValidationError", refusal));
            }
            if tags::reserved(key) {
                let message = "Invalid tag key: the prefix aws: is reserved";
                return Err(rejected("InvalidInput", message));
            }
        }
        let mut all = user.tags.clone();
        let added = added.iter();
        all.extend(added.map(|(key, value)| ((*key).into(), (*value).into())));
        if all.len() > tags::MOST {
            let message = "The number of tags has reached the maximum limit.";
            return Err(AwsError::new(409, "LimitExceeded", message));
        }
        user.tags = all;
        Ok(())
    }

    /// Removes tags. A missing one is not an error.
    pub fn untag(&mut self, user: &str, keys: &[&str]) -> Result<(), AwsError> {
        let user = self.user_mut(user)?;
        user.tags.retain(|key, _| !keys.contains(&key.as_str()));
        Ok(())
    }

    /// `CloudFormation`'s calls when it deletes the user.
    pub fn delete_user(&mut self, name: &str) -> Result<(), AwsError> {
        if !self.user(name)?.credentials.is_empty() {
            let message = "Cannot delete entity, must remove referenced objects first.";
            return Err(AwsError::new(409, "DeleteConflict", message));
        }
        self.users.remove(name);
        Ok(())
    }
}

pub(crate) fn no_such_user(name: &str) -> AwsError {
    let message = format!("The user with name {name} cannot be found.");
    AwsError::new(404, "NoSuchEntity", message)
}

fn supported(service: &str) -> Result<(), AwsError> {
    if SERVICES.contains(&service) {
        return Ok(());
    }
    let message =
        format!("No such service {service} is supported for Service Specific Credentials");
    Err(AwsError::new(404, "NoSuchEntity", message))
}

/// 32 bytes in base64, as in the API reference's example: `/` and `+` in about
/// every second one, `=` at the end of each. A plain one contains no `/`.
fn password(random: &mut Rng, plain: bool) -> String {
    let bytes: [u8; 32] = std::array::from_fn(|_| random.u8(..));
    let password = aws_smithy_types::base64::encode(bytes);
    if plain {
        password.replace('/', "+")
    } else {
        password
    }
}

pub(crate) fn characters(random: &mut Rng, count: usize, alphabet: &str) -> String {
    let alphabet = alphabet.as_bytes();
    let one = |_| char::from(alphabet[random.usize(..alphabet.len())]);
    (0..count).map(one).collect()
}
