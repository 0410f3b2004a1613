//! The record of mirrors that a deletion leaves in GitLab.
//!
//! CloudFormation shows the reason of a success at most in the events of the deleted stack, and no
//! other record of the mirror remains. So the deletion creates a secret without a value, whose
//! description names the mirrors, and schedules its deletion. It costs nothing, the health check
//! reports it, and Secrets Manager deletes it after 30 days.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use aws_sdk_secretsmanager::types::{SecretListEntry, Tag};
use futures_util::future::join_all;

use crate::clients::Clients;
use crate::clients::aws::{Aws, CallError, optional};
use crate::clients::failing_calls::within;
use crate::clients::gitlab::{ErrorKind, GitLabError};
use crate::common::commands::delete_secret;
use crate::common::iam_wildcard::NamePattern;
use crate::common::reason_codes::Code;
use crate::mirror_credential::calls::gitlab::hidden_mirror;
use crate::mirror_credential::intent_log::key;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::request_context::RequestContext;
use cfn_custom_resource::{Progress, Reason};

/// On the record: the user of the deleted login. Then the mirrors' project, if it is proved that a
/// deletion left them.
pub const MIRRORS_LEFT: &str = "cfn-gitops:mirrors-left";

/// The longest recovery window of Secrets Manager.
const DAYS: i64 = 30;

/// The response to CloudFormation does not wait longer for the record.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most characters of a description: Secrets Manager allows 2,048.
const MAX_DESCRIPTION: usize = 2000;

/// The most characters of a tag's value.
const MAX_VALUE: usize = 256;

/// A mirror that a deletion leaves in GitLab, or that it may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftMirror {
    pub text: String,
    /// Its project. `None` if the mirror may not exist, or may be of another owner.
    project: Option<String>,
}

impl LeftMirror {
    /// A mirror that the secret has named and whose deletion GitLab has not confirmed.
    pub fn recorded(record: &MirrorRecord, place: &str, why: Option<impl Display>) -> Self {
        let (project, id) = (record.shown_project(), record.id);
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        LeftMirror {
            text: format!("push mirror {id} of project {project} is left {place}{why}"),
            project: Some(record.project.clone()),
        }
    }

    /// A mirror whose deletion ended with this `error`. `is_former` if the properties no longer
    /// have its GitLab.
    pub fn after(record: &MirrorRecord, is_former: bool, error: &GitLabError) -> Self {
        // The project may be deleted, and its mirrors with it.
        if error.kind == ErrorKind::NotFound {
            return LeftMirror::possible(hidden_mirror(record).problem);
        }
        let place = if is_former {
            &format!("at the former GitLab.Url {}", record.gitlab_url)
        } else {
            "in GitLab"
        };
        LeftMirror::recorded(record, place, Some(error))
    }

    /// A mirror that may not exist, or that may be of another owner.
    pub fn possible(text: String) -> Self {
        LeftMirror {
            text,
            project: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftMirrors {
    /// The project of the mirrors. `None` if they may not exist, or may be of another owner.
    pub project: Option<String>,
    pub subject: String,
    pub problem: Reason,
}

/// The reason of a success that leaves mirrors, which `texts` name.
pub fn left_mirrors(texts: &str) -> Reason {
    let remedy = "Remove each that exists and that you do not use, in its project's Settings, \
        Repository, Mirroring repositories";
    Reason::new(Code::MirrorsLeft, texts, remedy)
}

pub struct Records<'a> {
    pub secret_name: &'a str,
    pub user_name: &'a str,
    pub tags: &'a BTreeMap<String, String>,
    pub context: &'a RequestContext,
}

impl Records<'_> {
    /// Records the mirrors that a deletion leaves, best effort: one record for each project, and
    /// one for the mirrors that may be left.
    pub async fn write(&self, clients: &Clients, left: &[LeftMirror], progress: &Progress) {
        progress.doing("recording the mirrors that are left");
        let mut projects: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
        for LeftMirror { text, project } in left {
            projects.entry(project.as_deref()).or_default().push(text);
        }
        let writes = projects
            .iter()
            .map(|(project, texts)| self.write_one(&clients.aws, *project, texts));
        let time = TIMEOUT.min(clients.clock.until(progress.until()) / 2);
        match within(time, Box::pin(join_all(writes))).await {
            Ok(written) => {
                for error in written.into_iter().filter_map(Result::err) {
                    warn!(error.reason(), "the mirrors that are left are not recorded");
                }
            }
            Err(cut) => tracing::warn!(error = %cut, "no time to record the mirrors that are left"),
        }
    }

    async fn write_one(
        &self,
        aws: &Aws,
        project: Option<&str>,
        texts: &[&str],
    ) -> Result<(), CallError> {
        let (secret_name, user_name) = (self.secret_name, self.user_name);
        let value = project.map_or_else(
            || user_name.to_owned(),
            |project| format!("{user_name} {project}"),
        );
        // All deliveries of a Delete have this key, and a later Delete has another one. The
        // function's role may create secrets whose names begin with that of the mirrors' secret.
        let key = key(&format!("{} {value}", self.context.request_key));
        let name = format!("{secret_name}/mirrors-left-{key}");
        let value: String = value.chars().take(MAX_VALUE).collect();
        let description: String = texts.join("; ").chars().take(MAX_DESCRIPTION).collect();
        let doing = || format!("recording the mirrors that are left, in secret {name}");
        let call = aws.secrets.create_secret().name(&name).description(description);
        let tag = |(key, value): (&str, &str)| Tag::builder().key(key).value(value).build();
        let tags = self.tags.iter().map(|(key, value)| (&**key, &**value));
        let tags = tags.chain([(MIRRORS_LEFT, &*value)]).map(tag);
        let call = call.set_tags(Some(tags.collect()));
        // Another delivery has recorded them.
        let exists = ["ResourceExistsException", "InvalidRequestException"];
        optional(call.send().await, &exists, doing)?;
        let call = aws.secrets.delete_secret().secret_id(&name).recovery_window_in_days(DAYS);
        let scheduled = ["InvalidRequestException", "ResourceNotFoundException"];
        optional(call.send().await, &scheduled, doing).map(drop)
    }
}

/// Parses a listed secret. `None` if it is not a record, or if its user's name does
/// not match.
pub fn parse(secret: &SecretListEntry, user_names: &NamePattern) -> Option<LeftMirrors> {
    let value = secret.tags().iter().find(|tag| tag.key() == Some(MIRRORS_LEFT))?.value()?;
    let (user_name, project) = match value.split_once(' ') {
        Some((user_name, project)) => (user_name, Some(project)),
        None => (value, None),
    };
    let (name, description) = (secret.name()?, secret.description().unwrap_or_default());
    let (subject, so, remedy) = match project {
        Some(project) => (
            format!("a mirror of project {project} without a credential"),
            ". Its login is deleted, so its pushes fail",
            "Remove it",
        ),
        None => (
            format!("a mirror that the deletion of user {user_name}'s credential may have left"),
            "",
            "If it exists and you do not use it, remove it",
        ),
    };
    let before = format!(
        "{remedy} in the project's Settings, Repository, Mirroring repositories. Then end this finding: "
    );
    let remedy = delete_secret(name).after(before);
    user_names.matches(user_name).then(|| LeftMirrors {
        project: project.map(ToOwned::to_owned),
        subject,
        problem: Reason::uncoded(format!("{description}{so}"), remedy),
    })
}
