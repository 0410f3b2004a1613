use super::*;
use serde_json::{Value, json};

fn tag(decision: Decision) -> ApprovalTag {
    ApprovalTag {
        decision,
        names: ResourceNames::new("dev", "shop").expect("names"),
        key: "0123456789abcdef".to_owned(),
    }
}

#[test]
fn name_is_parsed_only_as_it_is_written() {
    for decision in [Decision::Deploy, Decision::Reject] {
        assert_eq!(
            ApprovalTag::parse(&tag(decision).name()),
            Some(tag(decision))
        );
    }
    let others = [
        "deploy/dev/shop/0123456789abcde",
        "deploy/dev/shop/0123456789abcdeF",
        "deploy/dev/shop/0123456789abcdef/",
        "deploy/dev/0123456789abcdef",
        "release/dev/shop/0123456789abcdef",
        "deploy/de v/shop/0123456789abcdef",
        "refs/tags/deploy/dev/shop/0123456789abcdef",
    ];
    for name in others {
        assert_eq!(ApprovalTag::parse(name), None, "{name}");
    }
}

#[test]
fn event_of_a_tag_is_read_and_no_other() {
    let event = |source: &str, kind: &str, name: &str| {
        let detail =
            json!({"event": "referenceCreated", "referenceType": kind, "referenceName": name});
        json!({"source": source, "detail": detail}).to_string()
    };
    let name = tag(Decision::Deploy).name();
    let read = ApprovalTag::parse_event(&event("aws.codecommit", "tag", &name));
    assert_eq!(read, Some(tag(Decision::Deploy)));
    let others = [
        event("aws.codecommit", "branch", &name),
        event("aws.codepipeline", "tag", &name),
        event("aws.codecommit", "tag", "v1.0.0"),
    ];
    for event in others {
        assert_eq!(ApprovalTag::parse_event(&event), None, "{event}");
    }
}

/// A project of which `rules` are about tags.
fn protection(rules: &Value) -> TagProtection {
    let rules = rules.as_array().expect("rules").iter();
    TagProtection {
        project: ProjectDetails::parse(&json!({"id": 15})),
        rules: rules
            .map(|rule| ProtectedTag::parse(rule).expect("a rule"))
            .collect(),
        has_pushing_deploy_key: false,
    }
}

fn rule(name: &str, entries: &Value) -> Value {
    json!({"name": name, "create_access_levels": entries})
}

#[test]
fn rules_that_admit_maintainers_alone_suffice() {
    let maintainers =
        json!([{"id": 1, "access_level": 40, "access_level_description": "Maintainers"}]);
    let single = json!([
        {"access_level": 0, "user_id": null},
        {"access_level": 40, "user_id": 7, "group_id": null, "deploy_key_id": null},
        {"access_level": null, "group_id": 8},
        {"access_level": 60},
    ]);
    for pattern in [
        "deploy/*",
        "deploy/dev/shop/*",
        "*",
        "*/shop/*",
        "deploy/dev/shop/0123456789abcdef",
    ] {
        for entries in [&maintainers, &single, &json!([])] {
            let protection = protection(&json!([rule(pattern, entries)]));
            assert_eq!(
                protection.check(&tag(Decision::Deploy)),
                Ok(()),
                "{pattern} {entries}"
            );
        }
    }
}

#[test]
fn tag_without_a_rule_is_exposed() {
    for pattern in [
        "deploy",
        "deploy/",
        "deploy/prd/*",
        "reject/*",
        "deploy/dev/shop/?123456789abcdef",
    ] {
        let rules = json!([rule(pattern, &json!([{"access_level": 40}]))]);
        let checked = protection(&rules).check(&tag(Decision::Deploy));
        assert!(
            matches!(checked, Err(Exposure::Unprotected(..))),
            "{pattern} {checked:?}"
        );
    }
}

#[test]
fn one_wider_entry_of_any_rule_exposes_the_tag() {
    let entries = [
        json!({"access_level": 30}),
        json!({"access_level": null}),
        json!({}),
        json!({"access_level": 40, "deploy_key_id": 3}),
        json!({"access_level": 40, "member_role_id": 3}),
    ];
    for entry in entries {
        let narrow = rule("deploy/*", &json!([{"access_level": 40}]));
        let wide = rule("*", &json!([{"access_level": 40}, entry]));
        let checked = protection(&json!([narrow, wide])).check(&tag(Decision::Deploy));
        assert!(
            matches!(checked, Err(Exposure::Admits(..))),
            "{entry} {checked:?}"
        );
    }
}

#[test]
fn both_kinds_of_tags_and_the_project_are_checked() {
    let maintainers = json!([{"access_level": 40}]);
    let names = tag(Decision::Deploy).names;
    let both = json!([
        rule("deploy/*", &maintainers),
        rule("reject/*", &maintainers)
    ]);
    assert_eq!(protection(&both).check_all(&names), Ok(15));
    let one = protection(&json!([rule("deploy/*", &maintainers)])).check_all(&names);
    assert!(matches!(one, Err(Exposure::Unprotected(..))), "{one:?}");
    let mut pulled = protection(&both);
    pulled.project.is_pull_mirror = true;
    assert_eq!(pulled.check_all(&names), Err(Exposure::PullMirror));
    let mut pushed = protection(&both);
    pushed.has_pushing_deploy_key = true;
    assert_eq!(pushed.check_all(&names), Err(Exposure::PushingDeployKey));
    for (shown, expected) in [
        (json!(true), false),
        (json!("yes"), false),
        (json!(false), true),
        (json!(null), true),
    ] {
        let mut jobs = protection(&both);
        jobs.project = ProjectDetails::parse(&json!({
            "id": 15, "ci_push_repository_for_job_token_allowed": shown}));
        let checked = jobs.check_all(&names);
        assert_eq!(
            checked != Err(Exposure::PushingJobs),
            expected,
            "{checked:?}"
        );
    }
    let mut unknown = protection(&both);
    unknown.project.id = None;
    assert_eq!(unknown.check_all(&names), Err(Exposure::OtherProject));
}
