use super::*;
use serde_json::{Value, json};

fn tag(decision: Decision) -> ApprovalTag {
    ApprovalTag {
        decision,
        names: ResourceNames::new("dev", "shop").expect("names"),
        key: "0123456789abcdef".to_owned(),
        number: 1,
    }
}

#[test]
fn name_is_parsed_only_as_it_is_written() {
    for decision in [Decision::Deploy, Decision::Reject] {
        for number in [1, 2, 10, MAX_NUMBER] {
            let tag = ApprovalTag {
                number,
                ..tag(decision)
            };
            assert_eq!(ApprovalTag::parse(&tag.name()), Some(tag));
        }
    }
    let others = [
        "deploy/dev/shop/0123456789abcde",
        "deploy/dev/shop/0123456789abcdeF",
        "deploy/dev/shop/0123456789abcdef/",
        "deploy/dev/shop/0123456789abcdef/2",
        "deploy/dev/shop/0123456789abcdef-",
        "deploy/dev/shop/0123456789abcdef-1",
        "deploy/dev/shop/0123456789abcdef-02",
        "deploy/dev/shop/0123456789abcdef-+2",
        "deploy/dev/shop/0123456789abcdef-2-2",
        "deploy/dev/shop/0123456789abcdef-1000",
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
    let parse = |kind: &str, name: &str| {
        let event = "referenceCreated";
        ApprovalTag::parse_event(
            &json!({"event": event, "referenceType": kind, "referenceName": name}),
        )
    };
    let name = tag(Decision::Deploy).name();
    assert_eq!(parse("tag", &name), Some(tag(Decision::Deploy)));
    assert_eq!(parse("branch", &name), None);
    assert_eq!(parse("tag", "v1.0.0"), None);
}

/// A project in which these patterns of tags have these entries, in JSON.
fn protection(rules: &[(&str, &str)]) -> TagProtection {
    let rule = |(name, entries): &(&str, &str)| {
        let entries: Value = serde_json::from_str(entries).expect("JSON");
        ProtectedTag::parse(&json!({"name": name, "create_access_levels": entries}))
    };
    TagProtection {
        project: ProjectDetails::parse(&json!({"id": 15})).expect("a project"),
        rules: rules.iter().map(|it| rule(it).expect("a rule")).collect(),
        has_pushing_deploy_key: false,
    }
}

fn checked(rules: &[(&str, &str)]) -> Result<(), Exposure> {
    protection(rules).check(&tag(Decision::Deploy))
}

const MAINTAINERS: &str = r#"[{"access_level": 40}]"#;

#[test]
fn rules_that_admit_maintainers_alone_suffice() {
    let described = r#"[{"id": 1, "access_level": 40, "access_level_description": "Maintainers"}]"#;
    let single = r#"[
        {"access_level": 0, "user_id": null},
        {"access_level": 40, "user_id": 7, "group_id": null, "deploy_key_id": null},
        {"access_level": null, "group_id": 8},
        {"access_level": 60}
    ]"#;
    for pattern in [
        "deploy/*",
        "deploy/dev/shop/*",
        "*",
        "*/shop/*",
        "deploy/dev/shop/0123456789abcdef",
    ] {
        for entries in [described, single, "[]"] {
            assert_eq!(
                checked(&[(pattern, entries)]),
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
        let checked = checked(&[(pattern, MAINTAINERS)]);
        let is_exposed = matches!(checked, Err(Exposure::Unprotected(..)));
        assert!(is_exposed, "{pattern} {checked:?}");
    }
}

#[test]
fn one_wider_entry_of_any_rule_exposes_the_tag() {
    for entry in [
        r#"{"access_level": 30}"#,
        r#"{"access_level": null}"#,
        r#"{"access_level": 45}"#,
        r#"{"access_level": "40"}"#,
        "{}",
        r#"{"access_level": 40, "deploy_key_id": 3}"#,
        r#"{"access_level": 40, "member_role_id": 3}"#,
    ] {
        let wide = format!(r#"[{{"access_level": 40}}, {entry}]"#);
        let checked = checked(&[("deploy/*", MAINTAINERS), ("*", &wide)]);
        let is_exposed = matches!(checked, Err(Exposure::Admits(..)));
        assert!(is_exposed, "{entry} {checked:?}");
    }
}

#[test]
fn both_kinds_of_tags_and_the_project_are_checked() {
    let names = tag(Decision::Deploy).names;
    let both = || protection(&[("deploy/*", MAINTAINERS), ("reject/*", MAINTAINERS)]);
    assert_eq!(both().check_all(&names, 15), Ok(()));
    let one = protection(&[("deploy/*", MAINTAINERS)]).check_all(&names, 15);
    assert!(matches!(one, Err(Exposure::Unprotected(..))), "{one:?}");
    let mut pulled = both();
    pulled.project.is_pull_mirror = true;
    assert_eq!(pulled.check_all(&names, 15), Err(Exposure::PullMirror));
    let mut pushed = both();
    pushed.has_pushing_deploy_key = true;
    assert_eq!(
        pushed.check_all(&names, 15),
        Err(Exposure::PushingDeployKey)
    );
    for shown in [json!(true), json!("yes"), json!(false), json!(null)] {
        let mut jobs = both();
        let member = "ci_push_repository_for_job_token_allowed";
        let project = ProjectDetails::parse(&json!({"id": 15, member: shown}));
        jobs.project = project.expect("a project");
        let is_exposed = jobs.check_all(&names, 15) == Err(Exposure::PushingJobs);
        assert_eq!(is_exposed, shown == true || shown == "yes", "{shown}");
    }
    assert_eq!(both().check_all(&names, 16), Err(Exposure::OtherProject));
}
