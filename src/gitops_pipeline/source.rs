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
use super::patience::Patience;
use super::properties::{Elsewhere, Existing};
use crate::aws::{Aws, CallError};
use crate::codecommit::{self, Repository};

/// A source repository, and what reads it. Without `Debug`: a client holds a session's key.
#[derive(Clone)]
pub struct Source {
    name: String,
    reader: Reader,
}

#[derive(Clone)]
enum Reader {
    /// The function itself, in its own account.
    Own(Client),
    /// The role in the repository's account.
    Assumed(Client),
    /// Nobody: the role does not admit the function, and this is what was said.
    NotAdmitted(CallError),
}

/// What was found, when it could be looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// This.
    Shown(T),
    /// The other account does not show it.
    Hidden(CallError),
}

impl<T> Seen<T> {
    /// Why it is not shown, if it is not.
    pub fn hidden(self) -> Option<CallError> {
        match self {
            Seen::Shown(_) => None,
            Seen::Hidden(why) => Some(why),
        }
    }
}

/// How long a role that does not admit the function is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// Some seconds: what allows it may have been made just before, and IAM is late.
    Patiently,
    /// Not at all.
    Once,
}

impl Source {
    /// The repository that `existing` names, or the one that the child stack of `names` makes.
    pub async fn open(
        aws: &Aws,
        names: &Names,
        existing: Option<&Existing>,
        asking: Asking,
    ) -> Result<Self, CallError> {
        let name = existing.map_or_else(|| names.repository(), |existing| existing.name.clone());
        let reader = match existing.and_then(|existing| existing.elsewhere.as_ref()) {
            None => Reader::Own(aws.codecommit.clone()),
            Some(elsewhere) => assume(aws, names, elsewhere, asking).await?,
        };
        Ok(Source { name, reader })
    }

    /// The repository's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is in the function's own account.
    pub fn is_own(&self) -> bool {
        matches!(self.reader, Reader::Own(_))
    }

    /// Why the role does not admit the function, if it does not.
    pub fn refusal(&self) -> Option<&CallError> {
        match &self.reader {
            Reader::NotAdmitted(why) => Some(why),
            Reader::Own(_) | Reader::Assumed(_) => None,
        }
    }

    /// The repository; `None` when there is none.
    pub async fn look_up(&self) -> Result<Seen<Option<Repository>>, CallError> {
        match &self.reader {
            Reader::Own(client) | Reader::Assumed(client) => {
                self.seen(codecommit::look_up(client, &self.name).await)
            }
            Reader::NotAdmitted(why) => Ok(Seen::Hidden(why.clone())),
        }
    }

    /// The newest commit of a branch; `None` when the branch or its repository is not there.
    pub async fn branch_tip(&self, branch: &str) -> Result<Seen<Option<String>>, CallError> {
        match &self.reader {
            Reader::Own(client) | Reader::Assumed(client) => {
                self.seen(codecommit::branch_tip(client, &self.name, branch).await)
            }
            Reader::NotAdmitted(why) => Ok(Seen::Hidden(why.clone())),
        }
    }

    /// Another account decides for itself what its role shows (and which key its repository is
    /// read with); this one's refusals are faults.
    fn seen<T>(&self, answer: Result<T, CallError>) -> Result<Seen<T>, CallError> {
        match (answer, &self.reader) {
            (Ok(found), _) => Ok(Seen::Shown(found)),
            (Err(error), Reader::Assumed(_)) if !error.may_pass() => Ok(Seen::Hidden(error)),
            (Err(error), _) => Err(error),
        }
    }
}

async fn assume(
    aws: &Aws,
    names: &Names,
    elsewhere: &Elsewhere,
    asking: Asking,
) -> Result<Reader, CallError> {
    let policy = session_policy(elsewhere);
    let mut patience = Patience::default();
    loop {
        let error = match open_session(aws, names, elsewhere, &policy).await {
            Ok(reader) => return Ok(reader),
            Err(error) if error.may_pass() => return Err(error),
            Err(error) => error,
        };
        // A role that is not there is "not authorized", too.
        if asking == Asking::Once {
            return Ok(Reader::NotAdmitted(error));
        }
        if let Err(error) = patience.bear_refusal(None, error) {
            return Ok(Reader::NotAdmitted(error));
        }
        patience.pause().await;
    }
}

/// What the session may do: look. CodeCommit reads with the key of the repository in the caller's
/// name, so the session must not lack that.
fn session_policy(elsewhere: &Elsewhere) -> String {
    let statements = json!([
        {
            "Effect": "Allow",
            "Action": ["codecommit:GetRepository", "codecommit:GetBranch"],
            "Resource": elsewhere.repository_arn,
        },
        {
            "Effect": "Allow",
            "Action": ["kms:Decrypt", "kms:DescribeKey"],
            "Resource": "*",
            "Condition": {"StringLike": {"kms:ViaService": "codecommit.*"}},
        },
    ]);
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

async fn open_session(
    aws: &Aws,
    names: &Names,
    elsewhere: &Elsewhere,
    policy: &str,
) -> Result<Reader, CallError> {
    let role_arn = &elsewhere.role_arn;
    let doing = || format!("assuming role {role_arn}");
    let call = aws
        .sts
        .assume_role()
        .role_arn(role_arn)
        // So that the other account's trail says which pipeline asked.
        .role_session_name(format!("cfn-{}", names.stack()))
        .policy(policy);
    let output = call.send().await;
    let output = output.map_err(|error| CallError::new(doing(), &error))?;
    let Some(given) = output.credentials else {
        return Err(CallError {
            doing: doing(),
            code: None,
            status: None,
            cause: "STS gave no credentials".to_owned(),
        });
    };
    // Without their end, an hour from now: the source is opened anew in each invocation, which ends
    // long before.
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
