use serde_json::json;

use super::is_reference;
use crate::gitops_pipeline::spec::decode;

// claim: dynamic-reference-is-rejected-in-every-property
#[test]
fn dynamic_reference_is_rejected_in_every_property() {
    let reference = "x{{resolve:secretsmanager:prd/database:SecretString:password}}";
    let errors = decode(&json!({
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
    .expect_err("errors");
    let paths: Vec<_> = errors.0.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(
        paths.join(" "),
        "BranchMap.dev Approval.CustomData Approval.ExternalEntityLink Build.BuildSpec \
         Build.EnvironmentVariables.A Deploy.ParameterOverrides.A Deploy.TemplateConfiguration \
         Deploy.TemplatePath"
    );
    let text = errors.to_string();
    assert!(!text.contains("prd/database"), "{text}");
    assert!(text.contains("env/secrets-manager"), "{text}");
}

#[test]
fn reference_in_json_text_is_rejected_however_it_is_escaped() {
    for text in [
        r#"{"A": "{{resolve:ssm:x}}"}"#,
        r#"{"A": "{\u007bresolve:ssm:x}}"}"#,
        r#"{"A": "\u007b\u007b\u0072esolve:ssm:x}}"}"#,
        r#"[{"Name": "A", "Value": "{\u007bresolve:ssm:x}}"}]"#,
    ] {
        let build = json!({"EnvironmentVariables": text});
        let errors = decode(&json!({"EnvID": "dev", "ProjectID": "p", "Build": build}));
        let errors = errors.expect_err("errors").to_string();
        assert!(errors.starts_with("Build.EnvironmentVariables"), "{errors}");
        assert!(errors.contains("dynamic reference"), "{errors}");
    }
    let build = json!({"EnvironmentVariables": r#"{"A": "resolve:\u007b\u007b"}"#});
    assert!(decode(&json!({"EnvID": "dev", "ProjectID": "p", "Build": build})).is_ok());
}

#[test]
fn reference_is_parsed_and_other_braces_are_text() {
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
