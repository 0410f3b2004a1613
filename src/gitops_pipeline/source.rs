//! Reads the repository that a pipeline takes its code from.
//!
//! In another account, the function assumes the role that the pipeline's source action uses there.
//! A session policy limits the session to reading the repository and its branches. If the role does
//! not trust the function, the function cannot read the repository. The pipeline does not need
//! these reads, so the function creates it anyway.

use aws_sdk_codecommit::Client;
use aws_sdk_codecommit::config::Credentials;

use super::names::ResourceNames;
use super::spec::{CrossAccount, RepositoryRef};
use crate::clients::aws::{Aws, CallError, required, retrying_absence, without_retrying_denials};
use crate::clients::codecommit;
use crate::clients::codecommit::{BranchTip, Repository};
use crate::common::reason_codes::Code;

/// A source repository and its client. It has no `Debug`, because a client holds credentials.
#[derive(Clone)]
pub struct Source {
    name: String,
    reader: Reader,
    retry: Retry,
    /// The child stack does not create it.
    is_given: bool,
}

#[derive(Clone)]
enum Reader {
    /// The function, in its own account.
    Own(Client),
    /// The role in the repository's account.
    Assumed(Client),
    /// None: the function may not assume the role.
    NotAdmitted(CallError),
}

/// The result of a read that another account may deny.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    Found(T),
    Denied(CallError),
}

impl<T> Lookup<T> {
    /// The denial. `None` if the read succeeded.
    pub fn denied(self) -> Option<CallError> {
        match self {
            Lookup::Found(_) => None,
            Lookup::Denied(why) => Some(why),
        }
    }
}

/// Whether the function retries that the repository does not exist, and a denial of the other
/// account, while AWS may be propagating. A denial fails no request: the function creates or
/// updates the pipeline without the lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The repository, the role or its policy may have been created just before.
    Yes,
    /// The function has looked up the source before. A repository that a person has deleted, or a
    /// role that never trusts the function, would delay every request.
    No,
}

impl Retry {
    async fn run<F: Future>(self, read: F) -> F::Output {
        match self {
            Retry::Yes => read.await,
            Retry::No => without_retrying_denials(read).await,
        }
    }
}

impl Source {
    /// Opens the repository `existing`, or the one that the child stack of `names` creates.
    pub async fn open(
        aws: &Aws,
        names: &ResourceNames,
        existing: Option<&RepositoryRef>,
        retry: Retry,
    ) -> Result<Self, CallError> {
        let name = existing.map_or_else(|| names.repository(), |existing| existing.name.clone());
        let reader = match existing.and_then(|existing| existing.cross_account.as_ref()) {
            None => Reader::Own(aws.codecommit.clone()),
            Some(cross_account) => {
                let session = Box::pin(assume(aws, names, cross_account));
                match retry.run(session).await {
                    Ok(client) => Reader::Assumed(client),
                    Err(error) if error.is_transient() => return Err(error),
                    // AWS STS also denies the access if the role does not exist.
                    Err(error) => Reader::NotAdmitted(error),
                }
            }
        };
        Ok(Source {
            name,
            reader,
            retry,
            is_given: existing.is_some(),
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is in the function's own account.
    pub fn is_own(&self) -> bool {
        matches!(self.reader, Reader::Own(_))
    }

    /// Why the function may not assume the role. `None` if it may, or if it needs no role.
    pub fn denial(&self) -> Option<&CallError> {
        match &self.reader {
            Reader::NotAdmitted(why) => Some(why),
            Reader::Own(_) | Reader::Assumed(_) => None,
        }
    }

    /// Reads the repository, which is given or was created. `None` if it does not exist.
    pub async fn look_up(&self) -> Result<Lookup<Option<Repository>>, CallError> {
        let read = self.read(async |client| codecommit::look_up(client, &self.name).await);
        retrying_absence(self.retry == Retry::Yes, Box::pin(read)).await
    }

    pub async fn tip(&self, branch: &str) -> Result<Lookup<BranchTip>, CallError> {
        let is_new = self.is_given && self.retry == Retry::Yes;
        let read = self.read(async |client| codecommit::tip(client, &self.name, branch).await);
        retrying_absence(is_new, Box::pin(read)).await
    }

    /// Another account, or the key of its repository, may deny a read without failing the request.
    /// In the function's own account, a denial is an error.
    async fn read<T>(
        &self,
        read: impl AsyncFnOnce(&Client) -> Result<T, CallError>,
    ) -> Result<Lookup<T>, CallError> {
        let found = match &self.reader {
            Reader::Own(client) => return read(client).await.map(Lookup::Found),
            Reader::Assumed(client) => self.retry.run(read(client)).await,
            Reader::NotAdmitted(why) => return Ok(Lookup::Denied(why.clone())),
        };
        match found {
            Ok(found) => Ok(Lookup::Found(found)),
            Err(error) if error.is_transient() => Err(error),
            Err(error) => Ok(Lookup::Denied(error)),
        }
    }
}

/// The permissions of the session: to read the repository and its branches. CodeCommit decrypts
/// with the repository's key on behalf of the caller, so the session also needs KMS.
const SESSION_POLICY: &str = include_str!("session_policy.json");

async fn assume(
    aws: &Aws,
    names: &ResourceNames,
    cross_account: &CrossAccount,
) -> Result<Client, CallError> {
    let policy = SESSION_POLICY.replace("${RepositoryArn}", &cross_account.repository_arn);
    let role_arn = &cross_account.role_arn;
    let doing = || format!("assuming role {role_arn}");
    let call = aws
        .sts
        .assume_role()
        .role_arn(role_arn)
        // The CloudTrail of the other account then contains the pipeline's name.
        .role_session_name(format!("cfn-{}", names.stack()))
        .policy(policy);
    let output = required(call.send().await, doing)?;
    let Some(given) = output.credentials else {
        let cause = "STS gave no credentials";
        return Err(CallError::local(Code::AwsUnavailable, doing(), cause));
    };
    // They expire after an hour. Each invocation opens the source again, and ends long before.
    let credentials = Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        None,
        "AssumeRole",
    );
    let own = aws.codecommit.config().to_builder();
    let config = own.credentials_provider(credentials).build();
    Ok(Client::from_conf(config))
}
