//! What the policies of a role allow, as far as actions alone show it.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::clients::aws::{Aws, CallError, required};
use crate::common::iam_wildcard::NamePattern;

/// The policies of a role, inline and attached.
#[derive(Debug)]
pub struct Policies(Vec<Value>);

impl Policies {
    /// Reads the policies of a role.
    pub async fn read(aws: &Aws, role: &str) -> Result<Self, CallError> {
        let doing = || format!("reading the policies of role {role}");
        let iam = &aws.iam;
        let mut documents = vec![];
        let names = iam.list_role_policies().role_name(role).into_paginator();
        let names: Result<Vec<String>, _> = names.items().send().collect().await;
        for name in required(names, doing)? {
            let policy = iam.get_role_policy().role_name(role).policy_name(name);
            documents.push(required(policy.send().await, doing)?.policy_document);
        }
        let attached = iam.list_attached_role_policies().role_name(role);
        let attached: Result<Vec<_>, _> = attached.into_paginator().items().send().collect().await;
        for arn in required(attached, doing)?
            .into_iter()
            .filter_map(|it| it.policy_arn)
        {
            let policy = iam.get_policy().policy_arn(&arn).send().await;
            let version = required(policy, doing)?
                .policy
                .and_then(|it| it.default_version_id);
            let version = iam
                .get_policy_version()
                .policy_arn(arn)
                .set_version_id(version);
            let version = required(version.send().await, doing)?.policy_version;
            documents.push(version.and_then(|it| it.document).unwrap_or_default());
        }
        Ok(Self::parse(documents.iter().map(String::as_str)))
    }

    /// Parses documents, which IAM's read calls return percent-encoded. One that cannot be parsed may allow everything.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyVersion.html>
    pub fn parse<'a>(documents: impl Iterator<Item = &'a str>) -> Self {
        let statements = documents.flat_map(|document| {
            let text = percent_decode_str(document).decode_utf8_lossy();
            let document = serde_json::from_str(&text).unwrap_or(Value::Null);
            match &document["Statement"] {
                Value::Array(statements) => statements.clone(),
                Value::Null => vec![json!({"Effect": "Allow", "Action": "*"})],
                statement => vec![statement.clone()],
            }
        });
        Policies(statements.collect())
    }

    /// Whether the role may have the right to perform `action` on some resource, under some condition.
    pub fn may_allow(&self, action: &str) -> bool {
        let is_of = |statement: &&Value, effect: &str| statement["Effect"] == effect;
        // A condition, or a name, may leave something.
        let is_total = |statement: &&Value| {
            statement["Condition"].is_null() && texts(&statement["Resource"]).any(|it| it == "*")
        };
        let mut allowing = self.0.iter().filter(|it| is_of(it, "Allow"));
        let mut denying = self
            .0
            .iter()
            .filter(|it| is_of(it, "Deny"))
            .filter(is_total);
        allowing.any(|it| has_action(it, action)) && !denying.any(|it| has_action(it, action))
    }
}

fn has_action(statement: &Value, action: &str) -> bool {
    // IAM ignores the case of actions.
    let action = action.to_ascii_lowercase();
    let is_match = |pattern: &str| {
        let pattern = NamePattern::new(&pattern.to_ascii_lowercase());
        pattern.is_ok_and(|pattern| pattern.matches(&action))
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
