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
    services::codecommit::{self, CodeCommit, Repository},
    world::{ApiResponse, ApiResult, AwsError, Call, World, rejected},
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
pub(crate) fn assume_role(other: &mut OtherAccount, world: &mut World, call: &Call) -> ApiResult {
    if call.operation != "AssumeRole" {
        return Err(world.unknown_operation("sts", &call.operation));
    }
    let (role, name) = (call.needed("RoleArn"), call.needed("RoleSessionName"));
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_=,.@-".contains(c);
    if !(2..=64).contains(&name.len()) || !name.chars().all(is_allowed) {
        let message = "Value at 'roleSessionName' failed to satisfy constraint";
        return Err(rejected("ValidationError", message));
    }
    let policy = serde_json::from_str(call.text("Policy").unwrap_or("{}"));
    let Ok(policy) = policy else {
        let message = "Syntax errors in policy.";
        return Err(rejected("MalformedPolicyDocument", message));
    };
    // The response for a missing role is the same.
    let admits = other.admits && other.admits_from <= world.now;
    if role != SOURCE_ROLE || !admits {
        let message = format!(
            "User: arn:aws:sts::123456789012:assumed-role/cfn-gitops/cfn-gitops is not authorized \
             to perform: sts:AssumeRole on resource: {role}"
        );
        return Err(AwsError::new(403, "AccessDenied", message));
    }
    let number = other.sessions.len();
    let key = format!("ASIAELSEWHERE{number:07}");
    let (secret, token) = (
        world.next_id(),
        format!("session-token/{}", world.next_id()),
    );
    world.remember_secret(&secret);
    world.remember_secret(&token);
    let session = Session {
        token: token.clone(),
        policy,
    };
    other.sessions.insert(key.clone(), session);
    let expiration = World::date(world.now + Duration::from_secs(3600));
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
fn session<'a>(other: &'a OtherAccount, call: &Call) -> Option<&'a Session> {
    let authorization = call.header("authorization")?;
    let credential = authorization.split("Credential=").nth(1)?;
    other.sessions.get(credential.split('/').next()?)
}

/// Whether a session of this account's role signed `call`.
pub(crate) fn has_session(other: &OtherAccount, call: &Call) -> bool {
    session(other, call).is_some()
}

/// CodeCommit, of the account that the caller's access key belongs to.
pub fn codecommit(
    codecommit: &mut CodeCommit,
    other: &mut OtherAccount,
    world: &mut World,
    call: &Call,
) -> ApiResult {
    let Some(session) = session(other, call).cloned() else {
        return codecommit::answer(codecommit, world, call);
    };
    if call.header("x-amz-security-token") != Some(&session.token) {
        let message = "The security token included in the request is invalid.";
        return Err(rejected("UnrecognizedClientException", message));
    }
    let operation = call.operation.as_str();
    let resource = repository_arn(call.needed("repositoryName"));
    if !other.shows.contains(operation) || !session.allows(operation, &resource) {
        let message = format!(
            "User: arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/role-dev-codecommit-source/s is not \
             authorized to perform: codecommit:{operation} on resource: {resource}"
        );
        return Err(rejected("AccessDeniedException", message));
    }
    std::mem::swap(&mut codecommit.repositories, &mut other.repositories);
    let answer = codecommit::answer(codecommit, world, call);
    std::mem::swap(&mut codecommit.repositories, &mut other.repositories);
    answer
}

impl Session {
    fn allows(&self, operation: &str, resource: &str) -> bool {
        let action = format!("codecommit:{operation}");
        let statements = self.policy["Statement"].as_array();
        statements.into_iter().flatten().any(|statement| {
            let mut actions = statement["Action"].as_array().into_iter().flatten();
            statement["Effect"] == "Allow"
                && statement["Resource"] == resource
                && actions.any(|allowed| *allowed == action)
        })
    }
}
