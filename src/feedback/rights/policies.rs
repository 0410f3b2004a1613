//! The actions that a role's policies allow, as far as actions alone show it.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::clients::aws::{Aws, CallError, required};
use crate::common::iam_wildcard::NamePattern;

/// The statements of a role's policies, inline and attached.
#[derive(Debug)]
pub struct Policies(Vec<Value>);

impl Policies {
    /// Reads the policies of a role.
    pub async fn read(aws: &Aws, role: &str) -> Result<Self, CallError> {
        let (iam, doing) = (&aws.iam, || format!("reading the policies of role {role}"));
        let mut documents = vec![];
        let names = iam
            .list_role_policies()
            .role_name(role)
            .into_paginator()
            .items();
        let names: Result<Vec<String>, _> = names.send().collect().await;
        for name in required(names, doing)? {
            let policy = iam.get_role_policy().role_name(role).policy_name(name);
            documents.push(required(policy.send().await, doing)?.policy_document);
        }
        let attached = iam
            .list_attached_role_policies()
            .role_name(role)
            .into_paginator();
        let attached: Result<Vec<_>, _> = attached.items().send().collect().await;
        for arn in required(attached, doing)?
            .into_iter()
            .filter_map(|it| it.policy_arn)
        {
            let policy = required(iam.get_policy().policy_arn(&arn).send().await, doing)?.policy;
            let version = policy.and_then(|it| it.default_version_id);
            let version = iam
                .get_policy_version()
                .policy_arn(arn)
                .set_version_id(version);
            let version = required(version.send().await, doing)?.policy_version;
            documents.push(version.and_then(|it| it.document).unwrap_or_default());
        }
        Ok(Self::parse(documents.iter().map(String::as_str)))
    }

    /// Parses documents, which IAM returns percent-encoded. One that cannot be parsed may allow
    /// everything. <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyVersion.html>
    pub fn parse<'a>(documents: impl Iterator<Item = &'a str>) -> Self {
        let statements = documents.flat_map(|document| {
            let text = percent_decode_str(document).decode_utf8_lossy();
            let mut document: Value = serde_json::from_str(&text).unwrap_or_default();
            match document["Statement"].take() {
                Value::Array(statements) => statements,
                Value::Null => vec![json!({"Effect": "Allow", "Action": "*"})],
                statement => vec![statement],
            }
        });
        Policies(statements.collect())
    }

    /// Whether the role may have the right to perform `action` on some resource, under some
    /// condition.
    pub fn may_allow(&self, action: &str) -> bool {
        let is_total = |deny: &Value| {
            deny["Condition"].is_null() && texts(&deny["Resource"]).any(|it| it == "*")
        };
        let of = |effect: &'static str| {
            let statements = self.0.iter().filter(move |it| it["Effect"] == effect);
            statements.filter(|it| has_action(it, action))
        };
        of("Allow").next().is_some() && !of("Deny").any(is_total)
    }
}

fn has_action(statement: &Value, action: &str) -> bool {
    let is_match = |pattern: &str| {
        // IAM ignores the case of actions.
        let pattern = NamePattern::new(&pattern.to_ascii_lowercase());
        pattern.is_ok_and(|pattern| pattern.matches(&action.to_ascii_lowercase()))
    };
    match &statement["NotAction"] {
        Value::Null => texts(&statement["Action"]).any(is_match),
        others => !texts(others).any(is_match),
    }
}

/// A text, or those of a list.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let list = value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter().filter_map(Value::as_str)
}
