//! Looking at the repository that a pipeline takes its code from, wherever it is.
//!
//! Another account's is looked at through the role that the pipeline's source action has there. The
//! session that the function opens of it can ask for the repository and its branches, and for
//! nothing else that the role may do. Where the role does not admit the function, nothing is
//! known, and the pipeline, which needs nothing of this, is made all the same.

use aws_sdk_codecommit::Client;
use aws_sdk_codecommit::config::Credentials;
use serde_json::json;

use super::names::Names;
use super::properties::{Elsewhere, Existing};
use crate::aws::{Aws, CallError};
use crate::codecommit::{self, Repository};

/// A source repository, and what reads it.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    reader: Reader,
}

#[derive(Clone, Debug)]
enum Reader {
    /// The function itself, in its own account.
    Own(Client),
    /// The role in the repository's account.
    Assumed(Client),
    /// Nobody: the role does not admit the function, and this is what it said.
    Nobody(CallError),
}

/// What was found, when it could be looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// This.
    It(T),
    /// The other account does not show it.
    Hidden(CallError),
}

impl Source {
    /// The repository that `existing` names, or the one that the child stack of `names` makes.
    pub async fn open(
        aws: &Aws,
        names: &Names,
        existing: Option<&Existing>,
    ) -> Result<Self, CallError> {
        let name = existing.map_or_else(|| names.repository(), |existing| existing.name.clone());
        let reader = match existing.and_then(|existing| existing.elsewhere.as_ref()) {
            None => Reader::Own(aws.codecommit.clone()),
            Some(elsewhere) => assume(aws, names, elsewhere).await?,
        };
        Ok(Source { name, reader })
    }

    /// The repository; `None` when there is none.
    pub async fn look_up(&self) -> Result<Seen<Option<Repository>>, CallError> {
        match &self.reader {
            Reader::Own(client) | Reader::Assumed(client) => {
                self.seen(codecommit::look_up(client, &self.name).await)
            }
            Reader::Nobody(why) => Ok(Seen::Hidden(why.clone())),
        }
    }

    /// The newest commit of a branch; `None` when the branch or its repository is not there.
    pub async fn branch_tip(&self, branch: &str) -> Result<Seen<Option<String>>, CallError> {
        match &self.reader {
            Reader::Own(client) | Reader::Assumed(client) => {
                self.seen(codecommit::branch_tip(client, &self.name, branch).await)
            }
            Reader::Nobody(why) => Ok(Seen::Hidden(why.clone())),
        }
    }

    /// Another account decides for itself what its role shows; this one's refusals are faults.
    fn seen<T>(&self, answer: Result<T, CallError>) -> Result<Seen<T>, CallError> {
        match (answer, &self.reader) {
            (Ok(found), _) => Ok(Seen::It(found)),
            (Err(error), Reader::Assumed(_)) if error.is_denied() => Ok(Seen::Hidden(error)),
            (Err(error), _) => Err(error),
        }
    }
}

async fn assume(aws: &Aws, names: &Names, elsewhere: &Elsewhere) -> Result<Reader, CallError> {
    let role_arn = &elsewhere.role_arn;
    let doing = || format!("assuming role {role_arn}");
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": ["codecommit:GetRepository", "codecommit:GetBranch"],
            "Resource": elsewhere.repository_arn,
        }],
    });
    let call = aws
        .sts
        .assume_role()
        .role_arn(role_arn)
        // So that the other account's trail says which pipeline asked.
        .role_session_name(format!("cfn-{}", names.stack()))
        .policy(policy.to_string());
    let output = match call.send().await {
        Ok(output) => output,
        Err(error) => {
            let error = CallError::new(doing(), &error);
            // A role that is not there is "not authorized", too.
            return if error.may_pass() {
                Err(error)
            } else {
                Ok(Reader::Nobody(error))
            };
        }
    };
    let Some(given) = output.credentials else {
        return Err(CallError {
            doing: doing(),
            code: None,
            status: None,
            cause: "STS gave no credentials".to_owned(),
        });
    };
    // Without their end, an hour from now: they outlive every invocation.
    let credentials = Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        None,
        "AssumeRole",
    );
    let own = aws.codecommit.config().to_builder();
    let config = own.credentials_provider(credentials).build();
    Ok(Reader::Assumed(Client::from_conf(config)))
}
