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
use super::spec::{Elsewhere, Existing};
use crate::aws::{Aws, CallError, without_retrying_denials};
use crate::codecommit;
use crate::codecommit::Repository;
use crate::reason_codes::Code;

/// A source repository, and what reads it. Without `Debug`: a client holds a session's key.
#[derive(Clone)]
pub struct Source {
    name: String,
    reader: Reader,
    asking: Asking,
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

/// Whether a denial of the other account is retried while IAM may be propagating. A denial fails no
/// request: the pipeline is created or updated without that answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// Yes, as the role or its policy may have been created just before.
    Patiently,
    /// No. The source was looked up before, and a role that never admits the function would delay
    /// every request.
    Once,
}

impl Asking {
    async fn ask<F: Future>(self, question: F) -> F::Output {
        match self {
            Asking::Patiently => question.await,
            Asking::Once => without_retrying_denials(question).await,
        }
    }
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
            Some(elsewhere) => asking.ask(Box::pin(assume(aws, names, elsewhere))).await?,
        };
        Ok(Source {
            name,
            reader,
            asking,
        })
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
            Reader::Own(client) => codecommit::look_up(client, &self.name)
                .await
                .map(Seen::Shown),
            Reader::Assumed(client) => {
                let question = codecommit::look_up(client, &self.name);
                seen(self.asking.ask(question).await)
            }
            Reader::NotAdmitted(why) => Ok(Seen::Hidden(why.clone())),
        }
    }

    /// The newest commit of a branch; `None` when the branch or its repository is not there.
    pub async fn branch_tip(&self, branch: &str) -> Result<Seen<Option<String>>, CallError> {
        match &self.reader {
            Reader::Own(client) => codecommit::branch_tip(client, &self.name, branch)
                .await
                .map(Seen::Shown),
            Reader::Assumed(client) => {
                let question = codecommit::branch_tip(client, &self.name, branch);
                seen(self.asking.ask(question).await)
            }
            Reader::NotAdmitted(why) => Ok(Seen::Hidden(why.clone())),
        }
    }
}

/// Another account decides for itself what its role shows (and which key its repository is read
/// with). In the function's own account a denial is a failure.
fn seen<T>(answer: Result<T, CallError>) -> Result<Seen<T>, CallError> {
    match answer {
        Ok(found) => Ok(Seen::Shown(found)),
        Err(error) if error.is_transient() => Err(error),
        Err(error) => Ok(Seen::Hidden(error)),
    }
}

async fn assume(aws: &Aws, names: &Names, elsewhere: &Elsewhere) -> Result<Reader, CallError> {
    let policy = session_policy(elsewhere);
    match open_session(aws, names, elsewhere, &policy).await {
        Ok(reader) => Ok(reader),
        Err(error) if error.is_transient() => Err(error),
        // A role that does not exist is "not authorized", too.
        Err(error) => Ok(Reader::NotAdmitted(error)),
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
        let cause = "STS gave no credentials";
        return Err(CallError::local(Code::AwsUnavailable, doing(), cause));
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
