//! Dynamic references, which nothing in the properties may hold.
//!
//! CloudFormation resolves those of plain parameters before it calls a custom resource, and leaves
//! those of secrets as they are written. In the child stack's template they would be resolved after
//! all, with the rights of that stack's role and not of the template's author.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html>

use serde_json::Value;

use super::allowed;
use crate::cfn::Faults;

const MUST_NOT: &str = "must not hold a dynamic reference ({{resolve:…}}); a build reads a secret \
     itself, by env/secrets-manager or env/parameter-store in its buildspec";

/// Notes every text in `properties` that holds a dynamic reference, unless it, or what is in it, has
/// a fault already.
pub fn refuse(properties: &Value, faults: &mut Faults) {
    let mut found = Vec::new();
    find(properties, String::new(), &mut found);
    for path in found {
        let is_within = |inner: &str| {
            let rest = inner.strip_prefix(path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        if !faults.0.iter().any(|fault| is_within(&fault.path)) {
            faults.note(path, MUST_NOT);
        }
    }
}

fn find(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::String(text) if is_reference(text) => found.push(path),
        Value::Array(list) => {
            for (n, element) in list.iter().enumerate() {
                find(element, format!("{path}[{n}]"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let name = allowed::shown(name);
                let inner = if path.is_empty() {
                    name
                } else {
                    format!("{path}.{name}")
                };
                find(member, inner, found);
            }
        }
        _ => {}
    }
}

/// Whether there is a dynamic reference in `text`, or what somebody could take for one.
fn is_reference(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut found = text.match_indices("resolve:");
    found.any(|(at, _)| text[..at].trim_end().ends_with("{{"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::decode;
    use super::is_reference;

    // claim: a-secret-that-the-child-stack-would-resolve-is-refused-wherever-it-stands
    #[test]
    fn a_secret_that_the_child_stack_would_resolve_is_refused_wherever_it_stands() {
        let reference = "x{{resolve:secretsmanager:prd/database:SecretString:password}}";
        let faults = decode(&json!({
            "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-dev",
            "EnvID": "dev",
            "ProjectID": "shop",
            "BranchMap": {"dev": reference},
            "Build": {"BuildSpec": reference, "EnvironmentVariables": {"A": reference, "B": "b"}},
            "Approval": {"CustomData": reference, "ExternalEntityLink": format!("https://{reference}")},
            "Deploy": {
                "TemplatePath": reference,
                "TemplateConfiguration": reference,
                "ParameterOverrides": {"A": reference},
            },
        }))
        .expect_err("faults");
        let paths: Vec<_> = faults.0.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "BranchMap.dev",
                "Approval.CustomData",
                "Approval.ExternalEntityLink",
                "Build.BuildSpec",
                "Build.EnvironmentVariables.A",
                "Deploy.ParameterOverrides.A",
                "Deploy.TemplateConfiguration",
                "Deploy.TemplatePath",
            ]
        );
        let told = faults.to_string();
        assert!(!told.contains("prd/database"), "{told}");
        assert!(told.contains("env/secrets-manager"), "{told}");
    }

    #[test]
    fn what_looks_like_a_reference_is_one_and_other_braces_are_none() {
        for text in [
            "{{resolve:ssm:x}}",
            "a{{ Resolve:ssm:x",
            "{{{resolve:ssm:x}}}",
            "{{{{resolve:x",
        ] {
            assert!(is_reference(text), "{text}");
        }
        for text in [
            "resolve:",
            "{resolve:ssm:x}",
            "{{name}}",
            "{{ resolved }}",
            "{{",
            "#{variables.A}",
        ] {
            assert!(!is_reference(text), "{text}");
        }
    }
}
