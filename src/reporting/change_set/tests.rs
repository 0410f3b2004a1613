//! The note about a change set.

use super::*;
use crate::gitlab::Access;

fn settings() -> ReportSettings {
    ReportSettings {
        access: Access {
            url: "https://gitlab.example.com".to_owned(),
            token_secret_id: "gitlab/infra".to_owned(),
            token_secret_key: "token".to_owned(),
            ca_certificate: None,
        },
        project: "platform/infra".to_owned(),
        commit_status: true,
        deployments: true,
        change_set_comment: None,
        environment_name: "prd".to_owned(),
        environment_url_output: None,
        stack_name: "cfnstack-prd-shop".to_owned(),
        change_set_name: Some("changeset-prd-shop".to_owned()),
    }
}

fn note(mut changes: Vec<Change>) -> String {
    changes.sort();
    let names = ResourceNames::new("prd", "shop").expect("valid names");
    render(
        &changes,
        &names,
        &settings(),
        "c0ffee00c0ffee00",
        "https://console/x",
    )
}

fn change(effect: Effect, logical_id: &str, resource_type: &str) -> Change {
    Change {
        effect,
        logical_id: logical_id.to_owned(),
        resource_type: resource_type.to_owned(),
    }
}

#[test]
fn replacements_and_removals_come_first() {
    let text = note(vec![
        change(Effect::Add, "Queue", "AWS::SQS::Queue"),
        change(Effect::Modify, "Role", "AWS::IAM::Role"),
        change(Effect::Remove, "Topic", "AWS::SNS::Topic"),
        change(Effect::Replace, "Table", "AWS::DynamoDB::Table"),
    ]);
    assert_eq!(
        text,
        "<!-- cfn-gitops change set prd/shop -->\n\
         **Changes to `prd` wait for an approval**: [execution](https://console/x)\n\n\
         Commit `c0ffee00`, stack `cfnstack-prd-shop`: 1 **replaced**, 1 **removed**, 1 modified, \
         1 added\n\n\
         | Resource | Type | Change |\n|---|---|---|\n\
         | `Table` | `AWS::DynamoDB::Table` | **replaced** |\n\
         | `Topic` | `AWS::SNS::Topic` | **removed** |\n\
         | `Role` | `AWS::IAM::Role` | modified |\n\
         | `Queue` | `AWS::SQS::Queue` | added |\n"
    );
}

#[test]
fn at_most_100_resources_are_listed() {
    let changes = (0..130).map(|n| change(Effect::Add, &format!("R{n:03}"), "AWS::SNS::Topic"));
    let text = note(changes.collect());
    assert_eq!(text.matches("| added |").count(), MAX_RESOURCES);
    assert!(text.contains("30 more are in the [console](https://console/x)."));
    assert!(text.contains("130 added"));
}

#[test]
fn markup_in_a_type_is_not_interpreted() {
    let text = note(vec![change(Effect::Add, "A", "Custom::`|\n<b>")]);
    assert!(text.contains("| `Custom::<b>` | added |"), "{text}");
}

#[test]
fn nested_stacks_are_named_as_not_listed() {
    let text = note(vec![change(
        Effect::Modify,
        "Net",
        "AWS::CloudFormation::Stack",
    )]);
    assert!(text.ends_with("Changes inside nested stacks are not listed.\n"));
}

#[test]
fn empty_change_set_has_no_table() {
    let text = note(vec![]);
    assert!(text.contains("no resource changes") && !text.contains("|---|"));
}
