//! Another account: its repositories, a role that may trust this account's function, and STS,
//! which opens sessions of that role.
//!
//! A session may do what both the role's policy and the session's own allow ("The resulting
//! session's permissions are the intersection of the role's identity-based policies and the
//! session policies", STS API Reference, `AssumeRole`).

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    request::Call,
    response::{ApiResponse, AwsError},
    services::codecommit::{self, Repository},
    state::AwsState,
};

pub(crate) const OTHER_ACCOUNT: &str = "210987654321";
pub const SOURCE_ROLE: &str = "arn:aws:iam::210987654321:role/role-dev-codecommit-source";

#[derive(Clone, Debug)]
pub struct OtherAccount {
    pub repositories: BTreeMap<String, Repository>,
    /// Whether the role's trust policy names the function's role.
    pub admits: bool,
    /// The time from which new policies are effective.
    pub admits_from: Duration,
    /// Whether the repository's key allows no caller.
    pub key_is_refused: bool,
    /// The calls of CodeCommit that the role's policy allows.
    pub shows: BTreeSet<&'static str>,
    /// The session policy of each access key.
    sessions: BTreeMap<String, Session>,
}

#[derive(Clone, Debug)]
struct Session {
    token: String,
    policy: Value,
}

impl Default for OtherAccount {
    fn default() -> Self {
        Self {
            repositories: BTreeMap::new(),
            admits: true,
            admits_from: Duration::ZERO,
            key_is_refused: false,
            shows: ["GetRepository", "GetBranch", "GetCommit"].into(),
            sessions: BTreeMap::new(),
        }
    }
}

pub fn repository_arn(name: &str) -> String {
    format!("arn:aws:codecommit:eu-central-1:{OTHER_ACCOUNT}:{name}")
}

/// A repository of the other account.
pub fn repository(name: &str, id: String) -> Repository {
    Repository {
        arn: repository_arn(name),
        ..Repository::new(name, id)
    }
}

/// STS. <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub(crate) fn assume_role(aws: &mut AwsState, call: &Call) -> Result<ApiResponse, AwsError> {
    if call.operation != "AssumeRole" {
        return Err(aws.unknown_operation("sts", &call.operation));
    }
    let (role, name) = (call.needed("RoleArn"), call.needed("RoleSessionName"));
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_=,.@-".contains(c);
    if !(2..=64).contains(&name.len()) || !name.chars().all(is_allowed) {
        let message = "Value at 'roleSessionName' failed to satisfy constraint";
        return Err(AwsError::new(400, "ValidationError", message));
    }
    let policy = serde_json::from_str(call.text("Policy").unwrap_or("{}"));
    let Ok(policy) = policy else {
        let message = "Syntax errors in policy.";
        return Err(AwsError::new(400, "MalformedPolicyDocument", message));
    };
    // The response for a missing role is the same.
    let admits = aws.other_account.admits && aws.other_account.admits_from <= aws.now;
    if role != SOURCE_ROLE || !admits {
        let message = format!(
            "User: arn:aws:sts::123456789012:assumed-role/cfn-gitops/cfn-gitops is not authorized \
             to perform: sts:AssumeRole on resource: {role}"
        );
        return Err(AwsError::new(403, "AccessDenied", message));
    }
    let number = aws.other_account.sessions.len();
    let key = format!("ASIAELSEWHERE{number:07}");
    let (secret, token) = (aws.next_id(), format!("session-token/{}", aws.next_id()));
    aws.remember_secret(&secret);
    aws.remember_secret(&token);
    let session = Session {
        token: token.clone(),
        policy,
    };
    aws.other_account.sessions.insert(key.clone(), session);
    let expiration = AwsState::date(aws.now + Duration::from_secs(3600));
    Ok(ApiResponse::xml(format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
         <SessionToken>{token}</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
         <AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:{name}</AssumedRoleId>\
         <Arn>arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/role-dev-codecommit-source/{name}</Arn>\
         </AssumedRoleUser></AssumeRoleResult><ResponseMetadata>\
         <RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>\
         </AssumeRoleResponse>"
    )))
}

/// The session of this account's role that signed `call`.
fn session<'a>(aws: &'a AwsState, call: &Call) -> Option<&'a Session> {
    let authorization = call.header("authorization")?;
    let key = authorization
        .split("Credential=")
        .nth(1)?
        .split('/')
        .next()?;
    aws.other_account.sessions.get(key)
}

/// Whether a session of this account's role signed `call`.
pub(crate) fn has_session(aws: &AwsState, call: &Call) -> bool {
    session(aws, call).is_some()
}

/// CodeCommit, of the account that the caller's access key belongs to.
pub fn codecommit(aws: &mut AwsState, call: &Call) -> Result<ApiResponse, AwsError> {
    let Some(session) = session(aws, call).cloned() else {
        return codecommit::answer(aws, call);
    };
    if call.header("x-amz-security-token") != Some(&session.token) {
        let message = "The security token included in the request is invalid.";
        return Err(AwsError::new(400, "UnrecognizedClientException", message));
    }
    let operation = call.operation.as_str();
    let resource = repository_arn(call.needed("repositoryName"));
    if !aws.other_account.shows.contains(operation) || !session.allows(operation, &resource) {
        let message = format!(
            "User: arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/role-dev-codecommit-source/s is not \
             authorized to perform: codecommit:{operation} on resource: {resource}"
        );
        return Err(AwsError::new(400, "AccessDeniedException", message));
    }
    if aws.other_account.key_is_refused {
        let code = "EncryptionKeyAccessDeniedException";
        let message = "An encryption key was not available";
        return Err(AwsError::new(400, code, message));
    }
    std::mem::swap(&mut aws.repositories, &mut aws.other_account.repositories);
    let answer = codecommit::answer(aws, call);
    std::mem::swap(&mut aws.repositories, &mut aws.other_account.repositories);
    answer
}

impl Session {
    fn allows(&self, operation: &str, resource: &str) -> bool {
        let action = format!("codecommit:{operation}");
        let statements = self.policy["Statement"].as_array();
        statements.into_iter().flatten().any(|statement| {
            let actions = statement["Action"].as_array();
            statement["Effect"] == "Allow"
                && statement["Resource"] == resource
                && actions
                    .into_iter()
                    .flatten()
                    .any(|allowed| *allowed == action)
        })
    }
}
