//! Changes in a note.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::builders::ResourceChangeBuilder;
use aws_sdk_cloudformation::types::{
    self as sdk, ChangeAction, ChangeSetStatus, EvaluationType, ExecutionStatus, PolicyAction,
    Replacement, RequiresRecreation, ResourceAttribute, ResourceChange, ResourceChangeDetail,
    ResourceTargetDefinition, StackResourceDriftStatus,
};
use expect_test::expect;

use super::change_set::{Recreation, is_partial, read_creation};
use super::markdown::MAX_RESOURCES;
use super::*;
use crate::feedback::reporting::note::NoteOf;
use crate::gitops_pipeline::observe::pipeline_settings::tests::settings;

fn note(mut changes: Vec<Change>) -> String {
    changes.sort();
    let of = NoteOf {
        pipeline: &settings(false),
        environment: "dev",
        commit: "c0ffee00c0ffee00",
        url: "https://console/x",
    };
    of.waiting(&changes)
}

pub(in crate::feedback) fn change(effect: Effect, logical_id: &str, resource_type: &str) -> Change {
    Change {
        effect,
        logical_id: logical_id.to_owned(),
        resource_type: resource_type.to_owned(),
        is_updated: false,
        is_deleted: false,
        drift: None,
        properties: BTreeMap::new(),
    }
}

/// Markup in a type is not interpreted, and nested stacks are named as not listed.
#[test]
fn replacements_and_removals_come_first() {
    let text = note(vec![
        change(Effect::Add, "Queue", "AWS::SQS::Queue"),
        change(Effect::Modify, "Role", "AWS::IAM::Role"),
        change(Effect::Remove, "Topic", "AWS::SNS::Topic"),
        change(Effect::Replace, "Table", "AWS::DynamoDB::Table"),
        change(Effect::Modify, "Nested", "AWS::CloudFormation::Stack"),
        change(Effect::Add, "Markup", "Custom::`|\n<b>"),
    ]);
    expect![[r#"
        <!-- cfn-gitops deployment dev/shop c0ffee00c0ffee00 123456789012/eu-central-1 -->
        **Changes to `dev` wait for an approval**: [execution](https://console/x) of project shop

        <!-- change set -->
        Commit `c0ffee00`, stack `cfnstack-dev-shop`: 1 **replaced**, 1 **removed**, 2 modified, 2 added

        | Resource | Type | Change |
        |---|---|---|
        | `Table` | `AWS::DynamoDB::Table` | **replaced** |
        | `Topic` | `AWS::SNS::Topic` | **removed** |
        | `Nested` | `AWS::CloudFormation::Stack` | modified |
        | `Role` | `AWS::IAM::Role` | modified |
        | `Markup` | `Custom:: <b>` | added |
        | `Queue` | `AWS::SQS::Queue` | added |

        Changes inside nested stacks are not listed.
    "#]].assert_eq(&text);
}

/// The cell that describes the change of a resource with these properties.
fn shown(effect: Effect, properties: &[(&str, Recreation)]) -> String {
    let properties = properties.iter().map(|(name, it)| ((*name).to_owned(), *it));
    let text = note(vec![Change {
        properties: properties.collect(),
        ..change(effect, "R", "AWS::SQS::Queue")
    }]);
    let (_, cell) = text.split_once("| `R` | `AWS::SQS::Queue` | ").expect("a line");
    cell.lines().next().expect("a cell").trim_end_matches(" |").to_owned()
}

const PROPERTIES: [(&str, Recreation); 3] = [
    ("DelaySeconds", Recreation::Never),
    ("Fifo", Recreation::Possible),
    ("QueueName", Recreation::Always),
];

/// One test for each row: the effect of these changed properties, and the cell.
macro_rules! cells {
    ($($name:ident: $effect:ident, $properties:expr => $cell:literal;)*) => {
        $(
            #[test]
            fn $name() {
                assert_eq!(shown(Effect::$effect, $properties), $cell);
            }
        )*
    };
}

cells! {
    replacement_names_its_cause_first: Replace, &PROPERTIES
        => "**replaced** because of `QueueName`; also `DelaySeconds`, `Fifo`";
    possible_replacement_names_its_cause_first: MayReplace, &PROPERTIES[..2]
        => "**possibly replaced** because of `Fifo`; also `DelaySeconds`";
    replacement_names_its_only_cause: Replace, &PROPERTIES[2..]
        => "**replaced** because of `QueueName`";
    // Its deletion by hand, for example.
    replacement_without_a_cause_names_the_change: Replace, &PROPERTIES[..1]
        => "**replaced**: `DelaySeconds`";
    modification_names_its_properties: Modify, &PROPERTIES[..2]
        => "modified: `DelaySeconds`, `Fifo`";
    addition_names_no_property: Add, &[] => "added";
}

/// The properties of a custom resource have no limits.
#[test]
fn long_and_many_names_of_properties_are_shortened() {
    let names: Vec<String> =
        (0..13).map(|n| format!("{}{n:02}\n/close", "x".repeat(200))).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), Recreation::Never)).collect();
    let shown = shown(Effect::Modify, &many);
    assert!(
        shown.ends_with("and 3 more") && !shown.contains("/close"),
        "{shown}"
    );
    assert!(shown.len() < 1_200, "{shown}");
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
fn code_has_no_line_breaks() {
    let text = "a\n/b\r/c\u{85}/d\u{2028}/e\u{2029}/f";
    assert_eq!(code(text), "`a /b /c /d /e /f`");
}

#[test]
fn empty_change_set_has_no_table() {
    expect![[r#"
        <!-- cfn-gitops deployment dev/shop c0ffee00c0ffee00 123456789012/eu-central-1 -->
        **Changes to `dev` wait for an approval**: [execution](https://console/x) of project shop

        <!-- change set -->
        Commit `c0ffee00`, stack `cfnstack-dev-shop`: no resource changes
    "#]]
    .assert_eq(&note(vec![]));
}

#[test]
fn change_set_is_empty_only_if_every_member_agrees() {
    const NONE: &str =
        "The submitted information didn't contain changes. Submit different information";
    let read = |status, execution: Option<ExecutionStatus>, reason: &str, changes| {
        let described = DescribeChangeSetOutput::builder().status(status);
        let described = described.set_execution_status(execution).status_reason(reason);
        read_creation(&described.build(), changes)
    };
    let (failed, unavailable) = (ChangeSetStatus::Failed, Some(ExecutionStatus::Unavailable));
    let others = [
        (failed.clone(), unavailable.clone(), NONE, 1),
        (failed.clone(), Some(ExecutionStatus::Available), NONE, 0),
        (failed.clone(), None, NONE, 0),
        (failed.clone(), unavailable.clone(), "Template error", 0),
        (
            ChangeSetStatus::CreateComplete,
            unavailable.clone(),
            NONE,
            0,
        ),
    ];
    for (status, execution, reason, changes) in others {
        let creation = read(status, execution, reason, changes);
        assert_ne!(creation, Creation::Empty);
    }
    for reason in [NONE, "No updates are to be performed."] {
        let creation = read(failed.clone(), unavailable.clone(), reason, 0);
        assert_eq!(creation, Creation::Empty);
    }
}

/// A change in a change set, as the product reads it.
fn read(resource: ResourceChangeBuilder) -> Option<Change> {
    let listed = sdk::Change::builder().resource_change(resource.build());
    Change::read(&listed.build())
}

/// A value that the SDK does not have, and each that means no certain effect.
#[test]
fn change_that_is_not_determined_is_shown_as_such() {
    let of = |action: Option<&str>, replacement: Option<&str>| {
        let resource = ResourceChange::builder()
            .set_action(action.map(ChangeAction::from))
            .set_replacement(replacement.map(Replacement::from))
            .logical_resource_id("Orders")
            .resource_type("AWS::SQS::Queue")
            .resource_drift_status(StackResourceDriftStatus::Modified);
        read(resource)
    };
    for (action, replacement, label) in [
        (Some("Modify"), Some("False"), Some("modified")),
        (
            Some("Modify"),
            Some("Conditional"),
            Some("**possibly replaced**"),
        ),
        (
            Some("Modify"),
            Some("FUTURE_VALUE"),
            Some("**cannot be determined**"),
        ),
        (Some("Dynamic"), None, Some("**cannot be determined**")),
        (
            Some("Dynamic"),
            Some("False"),
            Some("**cannot be determined**"),
        ),
        (Some("FUTURE_VALUE"), None, Some("**cannot be determined**")),
        (None, None, Some("**cannot be determined**")),
        (Some("SyncWithActual"), None, None),
    ] {
        let change = of(action, replacement);
        let shown = change.as_ref().map(|change| change.effect.label());
        assert_eq!(shown, label, "{action:?} {replacement:?}");
    }
}

#[test]
fn new_kind_of_change_counts_as_undetermined() {
    let listed = sdk::Change::builder().r#type("FUTURE_VALUE".into());
    let change = Change::read(&listed.build()).expect("a change");
    assert_eq!(change.effect, Effect::Undetermined);
    assert_eq!(counts(&[change]), "1 **cannot be determined**");
}

#[test]
fn drift_of_an_unknown_status_counts_as_not_compared() {
    let resource = ResourceChange::builder()
        .action(ChangeAction::Modify)
        .resource_drift_status("FUTURE_VALUE".into());
    let change = read(resource).expect("a change");
    assert_eq!(change.drift, Some(DriftStatus::NotCompared));
    for (status, expected) in [
        ("FUTURE_VALUE", true),
        ("UNKNOWN", true),
        ("DRIFTED", false),
        ("IN_SYNC", false),
    ] {
        assert_eq!(is_partial(Some(&status.into())), expected, "{status}");
    }
    assert!(!is_partial(None));
}

#[test]
fn change_set_of_an_unknown_status_cannot_be_executed() {
    for status in ["FUTURE_VALUE", "DELETE_PENDING", "FAILED"] {
        let described = DescribeChangeSetOutput::builder().status(status.into());
        let described = described.execution_status("FUTURE_VALUE".into());
        let described = described.status_reason("No updates are to be performed.");
        let creation = read_creation(&described.build(), 0);
        assert!(matches!(creation, Creation::Failed(_)), "{creation:?}");
    }
}

#[test]
fn only_certain_changes_of_a_property_update_a_resource() {
    use EvaluationType::{Dynamic, Static};
    use ResourceAttribute::{Metadata, Properties, Tags};
    let changed = |attribute, evaluation, policy: Option<PolicyAction>| {
        let target = ResourceTargetDefinition::builder().attribute(attribute);
        let detail = ResourceChangeDetail::builder().target(target.build());
        let change = ResourceChange::builder()
            .action(ChangeAction::Modify)
            .logical_resource_id("Orders")
            .resource_type("AWS::SQS::Queue")
            .set_policy_action(policy)
            .details(detail.evaluation(evaluation).build());
        let change = read(change).expect("a change");
        (change.is_updated, change.is_deleted)
    };
    let deleting = Some(PolicyAction::ReplaceAndDelete);
    let retaining = Some(PolicyAction::ReplaceAndRetain);
    for (attribute, evaluation, policy, expected) in [
        (Properties, Static, None, (true, false)),
        (Tags, Static, deleting, (true, true)),
        (Properties, Dynamic, retaining, (false, false)),
        (Metadata, Static, Some(PolicyAction::Retain), (false, false)),
    ] {
        assert_eq!(changed(attribute, evaluation, policy), expected);
    }
}

/// CloudFormation lists a cause of its own for each.
#[test]
fn property_has_its_most_likely_effect() {
    use RequiresRecreation::{Always, Never};
    for causes in [[Always, Never], [Never, Always]] {
        let details = causes.into_iter().map(|recreation| {
            let target = ResourceTargetDefinition::builder()
                .attribute(ResourceAttribute::Properties)
                .name("QueueName")
                .requires_recreation(recreation);
            let detail = ResourceChangeDetail::builder().evaluation(EvaluationType::Static);
            detail.target(target.build()).build()
        });
        let change = ResourceChange::builder().action(ChangeAction::Modify);
        let change = read(change.set_details(Some(details.collect()))).expect("a change");
        assert_eq!(change.properties["QueueName"], Recreation::Always);
    }
}
