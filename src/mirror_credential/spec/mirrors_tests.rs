use serde_json::json;

use crate::mirror_credential::spec::mirrors::*;

fn decoded(properties: &Value) -> Result<(Option<Access>, Vec<WantedMirror>), String> {
    static TABLE: [Property; 2] = [GITLAB, MIRRORS];
    let mut errors = ValidationErrors::default();
    let properties = Object::decode(&TABLE, properties, "", &mut errors);
    let gitlab = Access::decode(properties.object("GitLab"));
    let mirrors = decode_mirrors(&properties, &mut errors);
    if errors.0.is_empty() {
        Ok((gitlab, mirrors))
    } else {
        Err(errors.to_string())
    }
}

#[test]
fn missing_properties_have_the_documented_default() {
    let (gitlab, mirrors) = decoded(&json!({
        "GitLab": {"TokenSecretId": "gitlab-token"},
        "Mirrors": [{"GitLabProject": "platform/infra", "RepositoryName": "r"},
            {"GitLabProject": 42, "RepositoryName": "r", "OnlyProtectedBranches": "false"}],
    }))
    .expect("valid");
    let gitlab = gitlab.expect("a GitLab");
    assert_eq!(gitlab.url, "https://gitlab.com");
    assert_eq!(gitlab.token_secret_key, "token");
    assert!(mirrors[0].settings.only_protected_branches);
    assert!(mirrors[0].waits_for_sync);
    assert!(!mirrors[1].settings.only_protected_branches);
    assert_eq!(mirrors[1].project, "42");
}

#[test]
fn every_fault_of_a_mirror_is_named_at_once() {
    let errors = decoded(&json!({
        "GitLab": {"TokenSecretId": "t", "Token": "t"},
        "Mirrors": [
            {"GitLabProject": "a/infra", "RepositoryName": "b", "BranchRegex": "^x$",
                "RequiredBranches": ["y", "no branch"]},
            7,
            {"GitLabProject": "a/b", "RepositoryName": "r"},
            {"GitLabProject": "a/b", "RepositoryName": "r"},
        ],
    }))
    .expect_err("errors");
    // `tests/schemas` has one error for each property.
    for path in [
        "GitLab.Token: is not a property",
        "Mirrors[0].BranchRegex: is not a property",
        "Mirrors[0].RequiredBranches[1]: must be",
        "Mirrors[1]: must be an object",
        "Mirrors[3]: is given twice",
    ] {
        assert!(errors.contains(path), "{path} in {errors}");
    }
}
