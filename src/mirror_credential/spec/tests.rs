use serde_json::json;

use crate::mirror_credential::spec::*;

#[test]
fn user_name_with_a_comma_is_rejected_with_the_reason() {
    let errors = decode(&json!({"UserName": "user-dev,m"})).expect_err("an error");
    let text = errors.to_string();
    assert!(text.starts_with("UserName: must be the name of an IAM user"));
    assert!(
        text.contains("A name with a comma is not supported"),
        "{text}"
    );
}

#[test]
fn mirrors_need_a_user_name_that_begins_a_login() {
    let with_mirrors = |name: &str| {
        json!({
            "UserName": name,
            "GitLab": {"TokenSecretId": "gitlab/mirrors"},
            "Mirrors": [{"GitLabProject": "7", "RepositoryName": "infra"}],
        })
    };
    for name in ["_user", "+user", "=user", ".user", "@user", "-user"] {
        assert!(decode(&json!({"UserName": name})).is_ok(), "{name}");
        let errors = decode(&with_mirrors(name)).expect_err(name).to_string();
        let text = "UserName: must begin with a letter or digit with Mirrors: ";
        assert!(errors.starts_with(text), "{errors}");
    }
    for name in ["user", "U_+=.@-", "7"] {
        assert!(decode(&with_mirrors(name)).is_ok(), "{name}");
    }
}

#[test]
fn every_fault_is_named_at_once() {
    let errors = decode(&json!({
        "UserName": "no spaces",
        "SecretName": "a:colon",
        "KmsKeyId": "a key",
        "RepositoryNames": ["fine", "not/fine", {}],
        "ForeignCredentials": "Keep",
        "Tags": [{"Key": "aws:x", "Value": "v"}, {"Key": "k"}, {"Key": "é#", "Value": "v"}, 7],
        "GitLab": 7,
        "Mirrors": [{}],
        "Username": "typo",
    }))
    .expect_err("errors");
    let paths: Vec<_> = errors.0.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(
        paths.join(" "),
        "UserName SecretName KmsKeyId RepositoryNames[1] RepositoryNames[2] ForeignCredentials \
         Tags[0].Key Tags[1].Value Tags[2].Key Tags[3] GitLab Mirrors[0].GitLabProject \
         Mirrors[0].RepositoryName Username"
    );
}

#[test]
fn names_that_aws_reserves_are_rejected() {
    let errors = |name: &str, value: serde_json::Value| {
        let mut properties = json!({"UserName": "u"});
        properties[name] = value;
        let decoded = decode(&properties);
        decoded.map_or_else(|errors| errors.to_string(), |_| String::new())
    };
    for of in ["", "arn:aws:kms:eu-central-1:123456789012:"] {
        for key in "alias/aws/secretsmanager alias/awsome alias/a/aws/s3 mrk-1".split(' ') {
            assert_eq!(errors("KmsKeyId", json!(format!("{of}{key}"))), "");
        }
        for key in ["alias/aws/s3", "alias/aws/"] {
            let error = errors("KmsKeyId", json!(format!("{of}{key}")));
            assert!(error.starts_with("KmsKeyId: must be"), "{key}: {error}");
        }
    }
    let error = errors("RepositoryNames", json!(["a.git"]));
    assert!(error.starts_with("RepositoryNames[0]: must be"), "{error}");
    assert_eq!(errors("RepositoryNames", json!(["a.git.b", "git"])), "");
    for key in ["AWS:x", "aWs:x", "cfn-GitOps:x"] {
        assert_ne!(errors("Tags", json!([{"Key": key, "Value": "v"}])), "");
    }
    let tags = json!([{"Key": "部\u{3000}門", "Value": ""}]);
    assert_eq!(errors("Tags", tags), "");
}

#[test]
fn names_are_found_in_properties_that_are_otherwise_broken() {
    let broken = json!({"UserName": "u", "Tags": 7, "ForeignCredentials": "Delete"});
    assert_eq!(
        secret_name_in(&broken).expect("a name"),
        "codecommit-mirror/u"
    );
    assert!(deletes_foreign(&broken));
    for nameless in [json!({"UserName": "u", "SecretName": []}), json!(null)] {
        assert_eq!(secret_name_in(&nameless), None);
    }
}
