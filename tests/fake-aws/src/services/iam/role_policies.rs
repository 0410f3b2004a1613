//! The policies of the deploy role, which the function only reads.

use std::fmt::Write as _;

use crate::world::{AwsError, Call, escaped};

/// An inline policy of the deploy role, and the one that is attached to it. A test replaces them.
#[derive(Clone, Debug)]
pub struct RolePolicies {
    pub inline: String,
    pub attached: String,
}

impl Default for RolePolicies {
    /// The role may do everything.
    fn default() -> Self {
        let statement = |effect: &str, action: &str| {
            format!(
                r#"{{"Statement":[{{"Effect":"{effect}","Action":"{action}","Resource":"*"}}]}}"#
            )
        };
        Self {
            inline: statement("Deny", "iam:PutRolePermissionsBoundary"),
            attached: statement("Allow", "*"),
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
    escaped(&text)
}

/// The result of a call about a role's policies. `None` for any other.
pub fn answer(policies: &RolePolicies, call: &Call) -> Option<Result<String, AwsError>> {
    let list = |name: &str, member: &str| {
        format!("<{name}><member>{member}</member></{name}><IsTruncated>false</IsTruncated>")
    };
    Some(match call.operation.as_str() {
        "ListRolePolicies" => Ok(list("PolicyNames", "limits")),
        "ListAttachedRolePolicies" => {
            // The one that template.yaml attaches.
            let name = call.needed("RoleName").replace("role-", "policy-");
            let arn = format!("<PolicyArn>arn:aws:iam::123456789012:policy/{name}</PolicyArn>");
            Ok(list("AttachedPolicies", &arn))
        }
        "GetRolePolicy" => Ok(format!(
            "<RoleName>{}</RoleName><PolicyName>{}</PolicyName>\
             <PolicyDocument>{}</PolicyDocument>",
            call.needed("RoleName"),
            call.needed("PolicyName"),
            encoded(&policies.inline)
        )),
        "GetPolicy" => Ok("<Policy><DefaultVersionId>v2</DefaultVersionId></Policy>".to_owned()),
        "GetPolicyVersion" if call.needed("VersionId") == "v2" => {
            let document = encoded(&policies.attached);
            Ok(format!(
                "<PolicyVersion><Document>{document}</Document></PolicyVersion>"
            ))
        }
        "GetPolicyVersion" => {
            let message = "Policy version does not exist or is not attachable.";
            Err(AwsError::new(404, "NoSuchEntity", message))
        }
        _ => return None,
    })
}
