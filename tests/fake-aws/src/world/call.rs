//! A call, as the service understands it: service, operation and parameters.

use serde_json::{Map, Value};
use std::fmt;

/// Who answers at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    Iam,
    SecretsManager,
    CodeBuild,
    CodeCommit,
    CodePipeline,
    Events,
    CloudFormation,
    CloudWatchLogs,
    Lambda,
    S3,
    Sts,
    /// `CodeCommit`'s git address.
    Git,
    /// The bucket that `CloudFormation`'s `ResponseURL` points at.
    ResponseBucket,
    /// GitLab's REST API, which is not AWS's.
    GitLab,
}

impl Service {
    /// Whether its requests and responses are JSON, with the operation in a header.
    pub(crate) fn speaks_json(self) -> bool {
        matches!(
            self,
            Self::SecretsManager
                | Self::CodeBuild
                | Self::CodeCommit
                | Self::CodePipeline
                | Self::Events
                | Self::CloudWatchLogs
        )
    }

    /// Whether IAM's policies decide who may call it.
    pub fn has_policies(self) -> bool {
        !matches!(self, Self::Git | Self::ResponseBucket | Self::GitLab)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Iam => "iam",
            Self::SecretsManager => "secretsmanager",
            Self::CodeBuild => "codebuild",
            Self::CodeCommit => "codecommit",
            Self::CodePipeline => "codepipeline",
            Self::Events => "events",
            Self::CloudFormation => "cloudformation",
            Self::CloudWatchLogs => "logs",
            Self::Lambda => "lambda",
            Self::S3 => "s3",
            Self::Sts => "sts",
            Self::Git => "git",
            Self::ResponseBucket => "response-bucket",
            Self::GitLab => "gitlab",
        })
    }
}

/// Whether a call of `operation` only reads.
pub fn reads(service: Service, operation: &str) -> bool {
    let operation = operation.strip_prefix("GitLab.").unwrap_or(operation);
    let mut verbs = ["Get", "List", "Describe", "BatchGet"].into_iter();
    matches!(service, Service::Git) || verbs.any(|verb| operation.starts_with(verb))
}

/// One call, as the service understands it.
#[derive(Clone, Debug)]
pub struct Call {
    pub service: Service,
    /// The API's operation; `GitPush` for the push check, `PutResponse` for the
    /// response to `CloudFormation` and `GitLab.CreateMirror` and so on for
    /// GitLab, which have no operation's name.
    pub operation: String,
    pub params: Map<String, Value>,
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Call {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name).and_then(Value::as_str)
    }

    /// A parameter that a service needs; empty when it is missing, which no
    /// rule accepts.
    pub fn needed(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.params.get(name).and_then(Value::as_bool) == Some(true)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// The members of a list in the query protocol: `Tags.member.1.Key` and on.
    pub fn members(&self, list: &str, field: &str) -> Vec<&str> {
        (1..)
            .map_while(|index| self.text(&format!("{list}.member.{index}{field}")))
            .collect()
    }

    /// The strings of a JSON list.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let items = self.params.get(name).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).collect()
    }

    /// Whether it only reads.
    pub fn reads(&self) -> bool {
        reads(self.service, &self.operation)
    }

    /// The parameters that a journal may show.
    pub fn shown(&self) -> Map<String, Value> {
        let mut params = self.params.clone();
        params.retain(|name, _| !matches!(name.as_str(), "SecretString" | "SecretBinary"));
        params.remove("Version");
        // As long as all the rest together.
        params.remove("TemplateBody");
        if self.service == Service::ResponseBucket {
            params.insert("path".into(), self.path().into());
        }
        if self.service == Service::GitLab {
            // It holds a login.
            params.remove("url");
        }
        params
    }

    pub fn host(&self) -> &str {
        let rest = self.url.strip_prefix("https://").unwrap_or_default();
        rest.split(['/', '?']).next().unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &str {
        let start = self.url.find("//").map_or(0, |found| found + 2);
        let rest = &self.url[start..];
        let rest = rest.find('/').map_or("", |found| &rest[found..]);
        rest.split('?').next().unwrap_or_default()
    }
}

pub(crate) fn find_header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// Decodes `application/x-www-form-urlencoded`. A name that ends in `[]` has a list, as in Rack.
pub fn form(encoded: &str) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, value) in encoded.split('&').filter_map(|pair| pair.split_once('=')) {
        let (name, value) = (unescaped(name), Value::from(unescaped(value)));
        match name.strip_suffix("[]") {
            None => members.insert(name, value),
            Some(list) => {
                let held = members.remove(list);
                let mut all = held.and_then(|held| held.as_array().cloned());
                let mut all = all.take().unwrap_or_default();
                all.push(value);
                members.insert(list.to_owned(), all.into())
            }
        };
    }
    members
}

pub fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = (first == b'%' && tail.len() >= 2)
            .then(|| std::str::from_utf8(&tail[..2]).ok())
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = if let Some(byte) = hex {
            bytes.push(byte);
            &tail[2..]
        } else {
            bytes.push(if first == b'+' { b' ' } else { first });
            tail
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
