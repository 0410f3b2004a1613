//! The actions that a role's policies allow, as far as actions alone show it.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::clients::aws::{Aws, CallError, required};
use crate::common::iam_wildcard::NamePattern;

/// The statements of a role's policies, inline and attached.
#[derive(Debug)]
pub struct Policies(Vec<Statement>);

/// A statement, as far as actions alone show it. It is read once, because a role can have 130 kB of
/// policies, and each of a hundred actions is compared with all of them.
#[derive(Debug)]
struct Statement {
    effect: StatementEffect,
    /// `Action`, or `NotAction`, in lower case: IAM ignores the case of actions.
    patterns: Vec<NamePattern>,
    is_not_action: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum StatementEffect {
    Allow,
    /// A Deny of every resource, without a condition.
    DenyAll,
    /// Another Deny, which may not apply, or an unknown effect.
    Other,
}

impl Policies {
    pub async fn read(aws: &Aws, role: &str) -> Result<Self, CallError> {
        let (iam, doing) = (&aws.iam, || format!("reading the policies of role {role}"));
        let mut documents = vec![];
        let names = iam.list_role_policies().role_name(role).into_paginator().items();
        let names: Result<Vec<String>, _> = names.send().collect().await;
        for name in required(names, doing)? {
            let policy = iam.get_role_policy().role_name(role).policy_name(name);
            documents.push(required(policy.send().await, doing)?.policy_document);
        }
        let attached = iam.list_attached_role_policies().role_name(role).into_paginator();
        let attached: Result<Vec<_>, _> = attached.items().send().collect().await;
        for arn in required(attached, doing)?.into_iter().filter_map(|it| it.policy_arn) {
            let policy = required(iam.get_policy().policy_arn(&arn).send().await, doing)?.policy;
            let version = policy.and_then(|it| it.default_version_id);
            let version = iam.get_policy_version().policy_arn(arn).set_version_id(version);
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
        Policies(statements.map(|it| Statement::parse(&it)).collect())
    }

    /// Whether the role may have the right to perform `action` on some resource, under some
    /// condition.
    pub fn may_allow(&self, action: &str) -> bool {
        let action = action.to_ascii_lowercase();
        let is = |effect| {
            self.0.iter().filter(|it| it.effect == effect).any(|it| it.has_action(&action))
        };
        is(StatementEffect::Allow) && !is(StatementEffect::DenyAll)
    }
}

impl Statement {
    fn parse(statement: &Value) -> Self {
        let is_total = || {
            statement["Condition"].is_null() && texts(&statement["Resource"]).any(|it| it == "*")
        };
        let is_not_action = !statement["NotAction"].is_null();
        let actions = if is_not_action { "NotAction" } else { "Action" };
        Statement {
            effect: match statement["Effect"].as_str() {
                Some("Allow") => StatementEffect::Allow,
                Some("Deny") if is_total() => StatementEffect::DenyAll,
                _ => StatementEffect::Other,
            },
            patterns: texts(&statement[actions])
                .map(|pattern| NamePattern::new(pattern.to_ascii_lowercase()))
                .collect(),
            is_not_action,
        }
    }

    /// Whether it is about `action`, in lower case.
    fn has_action(&self, action: &str) -> bool {
        self.is_not_action != self.patterns.iter().any(|pattern| pattern.matches(action))
    }
}

/// A text, or those of a list.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter().filter_map(Value::as_str)
}
