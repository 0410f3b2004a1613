//! The invariants at every instant and at rest.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::fixture::{SECRET, TOKEN, TOMBSTONE};
use fake_aws::AwsState;
use fake_aws::FakeAws;
use fake_aws::gitlab::{ANOTHER_PERSON, HOST, Mirror};
use fake_aws::iam::Credential;
use fake_aws::secrets::{CURRENT, PENDING};

/// A project and the repository that it is mirrored to.
pub type Pair = (String, String);

/// The mirrors of the properties.
pub fn pairs(properties: &Value) -> Vec<Pair> {
    let mirrors = properties["Mirrors"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    mirrors
        .map(|one| (text(&one["GitLabProject"]), text(&one["RepositoryName"])))
        .collect()
}

/// The user of the properties.
pub fn user(properties: &Value) -> &str {
    properties["UserName"].as_str().expect("a user")
}

/// The name of the secret of the properties, which is the ID of the resource.
pub fn secret(properties: &Value) -> String {
    match properties["SecretName"].as_str() {
        Some(name) => name.to_owned(),
        None => format!("codecommit-mirror/{}", user(properties)),
    }
}

/// The credentials of all users.
fn credentials(aws: &AwsState) -> impl Iterator<Item = Credential> {
    let users = aws.iam.latest().users.keys();
    users.flat_map(move |user| aws.credentials(user))
}

/// The credentials that the product issued.
pub fn ours(aws: &AwsState) -> Vec<Credential> {
    let own = credentials(aws).filter(|credential| credential.issued_by != ANOTHER_PERSON);
    own.collect()
}

/// The value of the usual secret at AWSCURRENT.
pub fn value(aws: &AwsState) -> Option<Value> {
    value_of(aws, SECRET)
}

fn value_of(aws: &AwsState, secret: &str) -> Option<Value> {
    serde_json::from_str(aws.current(secret)?).ok()
}

/// The login in the secret works.
pub fn login_works(aws: &AwsState, secret: &str) -> Result<(), String> {
    let value = value_of(aws, secret).ok_or("the secret holds no value")?;
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    if aws.login_works(text("username"), text("password")) {
        Ok(())
    } else {
        Err("the login in the secret does not work".to_owned())
    }
}

/// At every instant from the first SUCCESS to the Delete: the stored login works, and pushes
/// to GitLab arrive, for the pairs that are in both the former and the present properties.
pub fn works(aws: &AwsState, secret: &str, pairs: &[Pair]) -> Result<(), String> {
    login_works(aws, secret)?;
    for (project, repository) in pairs {
        aws.mirrors_work(project, repository)?;
    }
    Ok(())
}

/// At rest: one live credential, the secret's; one mirror for each pair, enabled and recorded, and
/// nothing else of ours. A rotation leaves the former credential, inactive.
pub fn at_rest(aws: &AwsState, properties: &Value, after_rotation: bool) -> Result<(), String> {
    let secret = secret(properties);
    works(aws, &secret, &pairs(properties))?;
    let value = value_of(aws, &secret).ok_or("the secret holds no value")?;
    let ours = ours(aws);
    let (live, dead): (Vec<_>, Vec<_>) = ours.iter().partition(|credential| credential.active);
    if live.len() != 1 || dead.len() > usize::from(after_rotation) {
        let (live, dead) = (live.len(), dead.len());
        return Err(format!(
            "{live} live and {dead} inactive credentials of ours"
        ));
    }
    if value["serviceSpecificCredentialId"] != live[0].id {
        return Err("the live credential is not the secret's".to_owned());
    }
    if !aws.credentials(user(properties)).contains(live[0]) {
        return Err("the live credential is another user's".to_owned());
    }
    mirrors_match_the_properties(aws, properties, &value)?;
    labels_are_in_order(aws)
}

/// While a rotation is pending: the current login and its mirrors work, both of the user's slots
/// are ours, and no mirror pushes that neither the current login's version nor the pending one
/// names.
pub fn pending(aws: &AwsState, properties: &Value) -> Result<(), String> {
    works(aws, SECRET, &pairs(properties))?;
    let secret = aws.secrets.get(SECRET).ok_or("there is no secret")?;
    let version = secret.at_stage(PENDING).ok_or("no rotation is pending")?;
    let text = &secret.versions[version].value.text;
    let stored: Value = serde_json::from_str(text).unwrap_or_default();
    let current = value(aws).ok_or("the secret holds no value")?;
    let values = [&stored, &current].into_iter();
    let named = values.flat_map(|value| value["mirrors"].as_array().into_iter().flatten());
    let named: Vec<&Value> = named.map(|one| &one["mirrorId"]).collect();
    for (project, mirror) in our_mirrors(aws) {
        if mirror.enabled && !named.contains(&&mirror.id.into()) {
            return Err(format!("no version names {project} {mirror:?}"));
        }
    }
    match ours(aws).len() {
        1 | 2 => Ok(()),
        held => Err(format!("{held} credentials of ours")),
    }
}

fn mirrors_match_the_properties(
    aws: &AwsState,
    properties: &Value,
    value: &Value,
) -> Result<(), String> {
    let mirrors = mirrors_to_account_for(aws);
    if let Some((project, mirror)) = mirrors.iter().find(|(_, mirror)| !mirror.enabled) {
        return Err(format!("a mirror that is disabled: {project} {mirror:?}"));
    }
    let pair = |(project, mirror): &(String, Mirror)| {
        let repository = mirror.repository().unwrap_or_default();
        (project.clone(), repository.to_owned())
    };
    let mut held: Vec<Pair> = mirrors.iter().map(pair).collect();
    let mut wanted = pairs(properties);
    held.sort();
    wanted.sort();
    let recorded = value["mirrors"].as_array().cloned().unwrap_or_default();
    let is_recorded = |id: u64| recorded.iter().any(|one| one["mirrorId"] == id);
    let are_recorded = mirrors.iter().all(|(_, mirror)| is_recorded(mirror.id));
    if held != wanted || recorded.len() != wanted.len() || !are_recorded {
        return Err(format!(
            "not {wanted:?}: {mirrors:?}, recorded: {recorded:?}"
        ));
    }
    Ok(())
}

/// All mirrors of ours, with their projects' paths.
pub fn our_mirrors(aws: &AwsState) -> Vec<(String, Mirror)> {
    let projects = aws.gitlab.projects.values();
    projects
        .flat_map(|project| {
            let mirrors = project.mirrors.values().filter(|mirror| mirror.is_ours());
            mirrors.map(|mirror| (project.path.clone(), mirror.clone()))
        })
        .collect()
}

/// All mirrors of ours but those that a kill may leave: no secret named them when their maker was
/// cut off, they are disabled, and they have never pushed. See `docs/project/decisions`, "A killed
/// delivery may leave a disabled mirror". If the usual GitLab accepts no token any more, those with a
/// dead login do not count either: nothing can remove them.
pub fn mirrors_to_account_for(aws: &AwsState) -> Vec<(String, Mirror)> {
    let mut mirrors = our_mirrors(aws);
    mirrors.retain(|(_, mirror)| {
        let is_unnamed = aws.gitlab.unnamed_mirrors.contains(&mirror.id);
        !is_unnamed || mirror.enabled || mirror.started.is_some()
    });
    let accepts = |host: &str| aws.gitlab.tokens.values().any(|token| token.host == host);
    let works = |(name, password): &(String, String)| aws.login_works(name, password);
    let is_left = |mirror: &Mirror| !accepts(HOST) && !mirror.login.as_ref().is_some_and(works);
    mirrors.retain(|(_, mirror)| !is_left(mirror));
    mirrors
}

/// AWSPENDING of each secret is nowhere, or where AWSCURRENT is.
pub fn labels_are_in_order(aws: &AwsState) -> Result<(), String> {
    for secret in aws.secrets.values() {
        match secret.at_stage(PENDING) {
            Some(pending) if secret.at_stage(CURRENT) != Some(pending) => {
                return Err(format!("AWSPENDING is left on {pending}"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Nothing of ours is left: no credential, no secret, no mirror.
pub fn nothing_remains(aws: &AwsState) -> Result<(), String> {
    if !ours(aws).is_empty() {
        return Err(format!("left behind: {:?}", ours(aws)));
    }
    let secrets = aws.secrets.iter();
    let mut secrets = secrets.filter(|(name, held)| *name != TOKEN && held.deletion.is_none());
    if let Some((name, _)) = secrets.next() {
        return Err(format!("left behind: secret {name}"));
    }
    if let Some((project, mirror)) = mirrors_to_account_for(aws).first() {
        return Err(format!("left behind in {project}: {mirror:?}"));
    }
    Ok(())
}

/// No push of ours failed, ever.
pub fn no_push_failed(aws: &AwsState) -> Result<(), String> {
    let mut failed = aws.failed_pushes.iter();
    match failed.find(|push| push.made_by != ANOTHER_PERSON && push.counts) {
        Some(push) => Err(format!("a push failed: {push:?}")),
        None => Ok(()),
    }
}

/// Foreign resources, as text: credentials, mirrors, and the secret with the token.
pub fn foreign(aws: &AwsState) -> Vec<String> {
    let credentials = foreign_credentials(aws).map(|credential| format!("{credential:?}"));
    let projects = aws.gitlab.projects.values();
    let mirrors = projects.flat_map(|project| project.mirrors.values());
    let mirrors = mirrors.filter(|mirror| !mirror.is_ours());
    let mirrors =
        mirrors.map(|one| format!("{} {} {:?} {}", one.id, one.url, one.login, one.enabled));
    let token = aws.secrets.get(TOKEN);
    let token = token.map(|secret| format!("{:?} {:?}", secret.versions, secret.tags));
    let mut all: Vec<String> = credentials.chain(mirrors).chain(token).collect();
    all.sort();
    all
}

pub fn foreign_credentials(aws: &AwsState) -> impl Iterator<Item = Credential> {
    credentials(aws).filter(|credential| credential.issued_by == ANOTHER_PERSON)
}

/// The keys of the records on the user.
pub fn records(aws: &AwsState, user: &str) -> Vec<String> {
    let tags = aws.iam.latest().users[user].tags.keys();
    // Only an attempt in progress needs the open one, and the mark of an earlier Delete may stay.
    let records = tags.filter(|key| {
        key.starts_with("cfn-gitops:") && *key != "cfn-gitops:attempt" && *key != TOMBSTONE
    });
    records.cloned().collect()
}

/// Everything that a request could change. On a user that no resource owns, the Delete of a
/// rejected Create may leave its tombstone.
pub fn state(aws: &AwsState) -> String {
    let mut iam = aws.iam.latest().clone();
    for user in iam.users.values_mut() {
        if !user.tags.contains_key("cfn-gitops:stack-id") {
            user.tags.remove(TOMBSTONE);
        }
    }
    format!("{iam:?} {:?} {:?}", aws.secrets, our_mirrors(aws))
}

/// Everything that a late copy of a request could change. Its mark of a Delete may be newer, and a
/// secret may get records. If IAM shows tags late, it may correct the records of attempts on the
/// user: the requests before it did not see each other's.
pub fn resources(aws: &AwsState, are_tags_late: bool) -> String {
    let secrets = aws.secrets.iter();
    let values: Vec<_> = secrets
        .filter(|(_, secret)| secret.deletion.is_none())
        .map(|(name, _)| (name, aws.current(name)))
        .collect();
    let mirrors = our_mirrors(aws).into_iter();
    let mirrors: Vec<_> = mirrors
        .map(|(project, mirror)| (project, mirror.id, mirror.url, mirror.enabled))
        .collect();
    let users = aws.iam.latest().users.values();
    let tags: Vec<_> = users
        .flat_map(|user| user.tags.iter())
        .filter(|(key, _)| *key != TOMBSTONE && !(are_tags_late && is_attempt(key)))
        .collect();
    format!("{:?} {tags:?} {values:?} {mirrors:?}", ours(aws))
}

/// Whether it is the key of one of the two records of attempts.
fn is_attempt(key: &str) -> bool {
    ["cfn-gitops:attempt", "cfn-gitops:ended-attempt"].contains(&key)
}

/// The attributes of the resource, which are those of the credential in the secret.
pub fn attributes(aws: &AwsState, properties: &Value) -> Value {
    let secret = secret(properties);
    let value = value_of(aws, &secret).unwrap_or_default();
    json!({
        "SecretName": secret,
        "SecretArn": aws.secrets.get(&secret).map(|held| &held.arn),
        "UserName": user(properties),
        "ServiceUserName": value["username"],
        "ServiceSpecificCredentialId": value["serviceSpecificCredentialId"],
    })
}

/// A secret, whose login works, and mirrors that work.
type Working = (String, Vec<Pair>);

/// Works at every instant, as long as it is expected to.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<Option<Working>>>);

impl Watch {
    /// Starts the checks. At first the only expectation is that no push of ours fails.
    pub fn begin(fake: &FakeAws) -> Self {
        let watch = Self::default();
        let seen = watch.clone();
        fake.at_every_instant(move |aws| {
            no_push_failed(aws)?;
            match &*seen.0.lock().expect("no panic under this lock") {
                Some((secret, pairs)) => works(aws, secret, pairs),
                None => Ok(()),
            }
        });
        watch
    }

    /// From now on the usual login and these mirrors have to work.
    pub fn expect(&self, pairs: Vec<Pair>) {
        self.expect_of(SECRET, pairs);
    }

    /// The same with the login in another secret.
    pub fn expect_of(&self, secret: &str, pairs: Vec<Pair>) {
        let working = Some((secret.to_owned(), pairs));
        *self.0.lock().expect("no panic under this lock") = working;
    }

    /// From now on nothing needs to.
    pub fn expect_nothing(&self) {
        *self.0.lock().expect("no panic under this lock") = None;
    }
}
