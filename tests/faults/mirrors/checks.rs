//! The invariants at every instant and at rest.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::fixture::{SECRET, TOKEN, USER};
use fake_aws::AwsState;
use fake_aws::FakeAws;
use fake_aws::gitlab::{ANOTHER_PERSON, Mirror};
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

/// The user's credentials that the product issued.
pub fn ours(aws: &AwsState) -> Vec<Credential> {
    let mut all = aws.credentials(USER);
    all.retain(|credential| credential.issued_by != ANOTHER_PERSON);
    all
}

/// The value of the secret at AWSCURRENT.
pub fn value(aws: &AwsState) -> Option<Value> {
    serde_json::from_str(aws.current(SECRET)?).ok()
}

/// The stored login works.
pub fn login_works(aws: &AwsState) -> Result<(), String> {
    let value = value(aws).ok_or("the secret holds no value")?;
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    if aws.login_works(text("username"), text("password")) {
        Ok(())
    } else {
        Err("the login in the secret does not work".to_owned())
    }
}

/// At every instant from the first SUCCESS to the Delete: the stored login works, and pushes
/// to GitLab arrive, for the pairs that are in both the former and the present properties.
pub fn works(aws: &AwsState, pairs: &[Pair]) -> Result<(), String> {
    login_works(aws)?;
    for (project, repository) in pairs {
        aws.mirrors_work(project, repository)?;
    }
    Ok(())
}

/// At rest: one live credential, the secret's; one mirror for each pair, enabled and recorded, and
/// nothing else of ours. A rotation leaves the former credential, inactive.
pub fn at_rest(aws: &AwsState, properties: &Value, after_rotation: bool) -> Result<(), String> {
    works(aws, &pairs(properties))?;
    let value = value(aws).ok_or("the secret holds no value")?;
    let ours = ours(aws);
    let (live, dead): (Vec<_>, Vec<_>) = ours.iter().partition(|credential| credential.active);
    if live.len() != 1 || dead.len() > usize::from(after_rotation) {
        return Err(format!(
            "{} live and {} inactive credentials of ours",
            live.len(),
            dead.len()
        ));
    }
    if value["serviceSpecificCredentialId"] != live[0].id {
        return Err("the live credential is not the secret's".to_owned());
    }
    mirrors_match_the_properties(aws, properties, &value)?;
    labels_are_in_order(aws)
}

/// While a rotation is pending: the current login and its mirrors work, both of the user's slots
/// are ours, and no mirror pushes that neither the current login's version nor the pending one
/// names.
pub fn pending(aws: &AwsState, properties: &Value) -> Result<(), String> {
    works(aws, &pairs(properties))?;
    let secret = aws.secrets.get(SECRET).ok_or("there is no secret")?;
    let version = secret.at_stage(PENDING).ok_or("no rotation is pending")?;
    let stored: Value =
        serde_json::from_str(&secret.versions[version].value.text).unwrap_or_default();
    let current = value(aws).ok_or("the secret holds no value")?;
    let values = [&stored, &current];
    let named = values
        .iter()
        .flat_map(|value| value["mirrors"].as_array().into_iter().flatten())
        .map(|one| one["mirrorId"].clone());
    let named: Vec<Value> = named.collect();
    for (project, mirror) in our_mirrors(aws) {
        if mirror.enabled && !named.contains(&mirror.id.into()) {
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
    let mut wanted = pairs(properties);
    let recorded = value["mirrors"].as_array().cloned().unwrap_or_default();
    for (project, mirror) in mirrors_to_account_for(aws) {
        let repository = mirror.repository().unwrap_or_default();
        let pair = (project.clone(), repository.to_owned());
        let Some(at) = wanted.iter().position(|wanted| *wanted == pair) else {
            return Err(format!("an unwanted mirror: {project} {mirror:?}"));
        };
        wanted.remove(at);
        if !mirror.enabled {
            return Err(format!("a mirror that is disabled: {project} {mirror:?}"));
        }
        if !recorded.iter().any(|one| one["mirrorId"] == mirror.id) {
            return Err(format!(
                "mirror {} of {project} is not recorded: {recorded:?}",
                mirror.id
            ));
        }
    }
    if !wanted.is_empty() || recorded.len() != pairs(properties).len() {
        return Err(format!("no mirror for {wanted:?}, recorded: {recorded:?}"));
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
/// delivery may leave a disabled mirror".
fn mirrors_to_account_for(aws: &AwsState) -> Vec<(String, Mirror)> {
    let mut mirrors = our_mirrors(aws);
    mirrors.retain(|(_, mirror)| {
        let is_unnamed = aws.gitlab.unnamed_mirrors.contains(&mirror.id);
        !is_unnamed || mirror.enabled || mirror.started.is_some()
    });
    mirrors
}

/// AWSPENDING is nowhere, or where AWSCURRENT is.
pub fn labels_are_in_order(aws: &AwsState) -> Result<(), String> {
    let secret = aws.secrets.get(SECRET).ok_or("there is no secret")?;
    match secret.at_stage(PENDING) {
        Some(pending) if secret.at_stage(CURRENT) != Some(pending) => {
            Err(format!("AWSPENDING is left on {pending}"))
        }
        _ => Ok(()),
    }
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

/// Foreign resources: credentials, mirrors, and the secret with the token.
pub fn foreign(aws: &AwsState) -> String {
    let mut credentials = aws.credentials(USER);
    credentials.retain(|credential| credential.issued_by == ANOTHER_PERSON);
    let projects = aws.gitlab.projects.values();
    let mirrors: Vec<_> = projects
        .flat_map(|project| project.mirrors.values().filter(|mirror| !mirror.is_ours()))
        .map(|mirror| {
            (
                mirror.id,
                mirror.url.clone(),
                mirror.login.clone(),
                mirror.enabled,
            )
        })
        .collect();
    let token = aws.secrets.get(TOKEN);
    let token = token.map(|secret| (&secret.versions, &secret.tags));
    format!("{credentials:?} {mirrors:?} {token:?}")
}

/// Works at every instant, as long as it is expected to.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<Option<Vec<Pair>>>>);

impl Watch {
    /// Starts the checks. At first the only expectation is that no push of ours fails.
    pub fn begin(fake: &FakeAws) -> Self {
        let watch = Self::default();
        let seen = watch.clone();
        fake.at_every_instant(move |aws| {
            no_push_failed(aws)?;
            let pairs = seen.0.lock().expect("no panic under this lock").clone();
            pairs.map_or(Ok(()), |pairs| works(aws, &pairs))
        });
        watch
    }

    /// From now on this is to work.
    pub fn expect(&self, pairs: Vec<Pair>) {
        *self.0.lock().expect("no panic under this lock") = Some(pairs);
    }

    /// From now on nothing needs to.
    pub fn expect_nothing(&self) {
        *self.0.lock().expect("no panic under this lock") = None;
    }
}
