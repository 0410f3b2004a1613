//! The policies of the deploy role, which the function only reads.

use std::fmt::Write as _;

use crate::{
    request::Call,
    response::{AwsError, escaped},
};

/// Inline policies of the deploy role, and those attached to it. A test replaces them.
#[derive(Clone, Debug)]
pub struct RolePolicies {
    pub inline: Vec<String>,
    pub attached: Vec<String>,
}

impl Default for RolePolicies {
    /// The role may do everything.
    fn default() -> Self {
        let all = |effect: &str, action: &str| {
            format!(
                r#"{{"Statement":[{{"Effect":"{effect}","Action":"{action}","Resource":"*"}}]}}"#
            )
        };
        Self {
            inline: vec![all("Deny", "iam:PutRolePermissionsBoundary")],
            attached: vec![all("Allow", "*")],
        }
    }
}

/// "The resulting response is URL-encoded according to RFC 3986" (API Reference, `GetRolePolicy`).
fn encoded(document: &str) -> String {
    let mut text = String::new();
    for byte in document.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let _ = if is_plain {
            write!(text, "{}", char::from(byte))
        } else {
            write!(text, "%{byte:02X}")
        };
    }
    text
}

/// The result of a call about a role's policies. `None` for any other.
pub fn answer(policies: &RolePolicies, call: &Call) -> Option<Result<String, AwsError>> {
    let arn = |index| format!("arn:aws:iam::123456789012:policy/policy-{index}");
    let document = |all: &[String], given: &str| {
        let index = given.rsplit('-').next()?.parse::<usize>().ok()?;
        all.get(index).map(|document| escaped(&encoded(document)))
    };
    let missing = || {
        let message = "The policy cannot be found.";
        AwsError::new(404, "NoSuchEntity", message)
    };
    let list = |name: &str, members: Vec<String>| {
        let members = members.concat();
        Ok(format!(
            "<{name}>{members}</{name}><IsTruncated>false</IsTruncated>"
        ))
    };
    Some(match call.operation.as_str() {
        "ListRolePolicies" => {
            let names = 0..policies.inline.len();
            let names = names.map(|index| format!("<member>inline-{index}</member>"));
            list("PolicyNames", names.collect())
        }
        "ListAttachedRolePolicies" => {
            let arns = (0..policies.attached.len()).map(|index| {
                format!("<member><PolicyName>policy-{index}</PolicyName><PolicyArn>{}</PolicyArn></member>", arn(index))
            });
            list("AttachedPolicies", arns.collect())
        }
        "GetRolePolicy" => document(&policies.inline, call.needed("PolicyName"))
            .map(|text| format!("<PolicyDocument>{text}</PolicyDocument>"))
            .ok_or_else(missing),
        "GetPolicy" => Ok("<Policy><DefaultVersionId>v2</DefaultVersionId></Policy>".to_owned()),
        "GetPolicyVersion" if call.needed("VersionId") == "v2" => {
            document(&policies.attached, call.needed("PolicyArn"))
                .map(|text| format!("<PolicyVersion><Document>{text}</Document></PolicyVersion>"))
                .ok_or_else(missing)
        }
        "GetPolicyVersion" => Err(missing()),
        _ => return None,
    })
}
