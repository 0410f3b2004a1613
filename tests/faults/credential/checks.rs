//! The six invariants. The fifth and the sixth are those of every custom resource.

use serde_json::Value;

use fake_aws::{AwsState, iam::Credential};

/// The issuer of foreign credentials.
pub const ANOTHER_PERSON: &str = "another person";

/// The credentials of all users that the product issued.
pub fn ours(aws: &AwsState) -> Vec<(String, Credential)> {
    let users = aws.iam.latest().users.keys();
    users
        .flat_map(|user| {
            let credentials = aws.credentials(user).into_iter();
            credentials.map(move |credential| (user.clone(), credential))
        })
        .filter(|(_, credential)| credential.issued_by != ANOTHER_PERSON)
        .collect()
}

/// The login that a secret holds, if it holds one.
pub fn login(aws: &AwsState, secret: &str) -> Option<(String, String, String)> {
    let value: Value = serde_json::from_str(aws.current(secret)?).ok()?;
    let text = |name: &str| value[name].as_str().map(ToOwned::to_owned);
    Some((
        text("username")?,
        text("password")?,
        text("serviceSpecificCredentialId")?,
    ))
}

/// 1: exactly one live credential of ours, and the secret's AWSCURRENT is it.
pub fn one_live_login(aws: &AwsState, secret: &str, user: &str) -> Result<(), String> {
    let ours = ours(aws);
    let [(holder, credential)] = ours.as_slice() else {
        return Err(format!("{} credentials of ours instead of one", ours.len()));
    };
    if holder != user || !credential.active {
        return Err(format!(
            "the credential of {holder} is not the live one of {user}"
        ));
    }
    let Some((name, password, id)) = login(aws, secret) else {
        return Err("the secret holds no login".to_owned());
    };
    if id != credential.id || !aws.login_works(&name, &password) {
        return Err("the secret's login does not work".to_owned());
    }
    Ok(())
}

/// 2: no credential or secret of ours without a record.
pub fn nothing_remains(aws: &AwsState) -> Result<(), String> {
    let ours = ours(aws);
    if !ours.is_empty() {
        return Err(format!("left behind: {ours:?}"));
    }
    let secrets: Vec<&String> = aws
        .secrets
        .iter()
        .filter(|(_, secret)| secret.deletion.is_none())
        .map(|(name, _)| name)
        .collect();
    if !secrets.is_empty() {
        return Err(format!("left behind: {secrets:?}"));
    }
    Ok(())
}

/// 4: the login in a secret works, at every instant.
pub fn stored_login_works(aws: &AwsState, secret: &str) -> Result<(), String> {
    match login(aws, secret) {
        Some((name, password, _)) if aws.login_works(&name, &password) => Ok(()),
        Some(_) => Err(format!("the login in {secret} does not work")),
        None => Err(format!("{secret} holds no login")),
    }
}
