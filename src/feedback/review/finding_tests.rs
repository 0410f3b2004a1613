use super::*;
use crate::clients::gitlab::StatusState;
use crate::feedback::review::note;

fn settings() -> ReviewSettings {
    ReviewSettings {
        branches: "review/*".to_owned(),
        change_set_comment: None,
        allow_transforms: false,
        template_path: "root-stack-shop.yaml".to_owned(),
        template_configuration: Some("dev.json".to_owned()),
        parameter_overrides: BTreeMap::new(),
    }
}

fn output(scan: Scan) -> BuildOutput {
    BuildOutput {
        template_url: "https://bucket/x".to_owned(),
        scan,
        parameters: vec![],
        tags: vec![],
    }
}

/// A stack with a value for each of these parameters.
fn stack(parameters: &[&str]) -> DeployedStack {
    let value = |name: &&str| ((*name).to_owned(), "x".to_owned());
    DeployedStack {
        exists: true,
        is_busy: false,
        parameters: parameters.iter().map(value).collect(),
    }
}

#[test]
fn blocked_template_gets_a_summary_unless_permitted() {
    let output = output(Scan {
        blockers: [Blocker::Transform].into(),
        ..Scan::default()
    });
    let found = without_change_set(&output, &stack(&[]), &settings());
    assert!(matches!(found, Some(ReviewFinding::Summary(..))));
    let permitting = ReviewSettings {
        allow_transforms: true,
        ..settings()
    };
    assert_eq!(without_change_set(&output, &stack(&[]), &permitting), None);
}

#[test]
fn missing_stack_gets_a_summary() {
    let missing = DeployedStack::default();
    let found = without_change_set(&output(Scan::default()), &missing, &settings());
    let reasons = vec!["the stack does not exist yet".to_owned()];
    let summary = ReviewFinding::Summary(reasons, Scan::default());
    assert_eq!(found, Some(summary));
}

#[test]
fn status_of_an_unreadable_template_fails() {
    let why = "it is not valid YAML (line 1, column 12)";
    let invalid = Unusable::Invalid("stack.yaml".to_owned(), "a template", why.to_owned());
    let (status, text) = note::status(&ReviewFinding::Unusable(invalid));
    assert_eq!(status, StatusState::Failed);
    assert_eq!(text, format!("stack.yaml is not a template: {why}"));
}

/// A value that is sent, and one that CodePipeline computes.
#[test]
fn reason_with_a_parameter_value_is_not_shown() {
    let names = ResourceNames::new("dev", "shop").expect("names");
    let values = ["blue-green", "sha-4711"].map(ToOwned::to_owned);
    for (reason, text) in [
        (
            "Unable to get mapping for M::blue-green::k",
            "Unable to get mapping for M::…::k",
        ),
        ("no image sha-4711", "no image …"),
        (
            "User: arn:aws:iam::123456789012:role/r",
            "User: arn:aws:iam::…:role/r",
        ),
    ] {
        let shown = ReviewFinding::Rejected(text.to_owned());
        assert_eq!(rejected(reason, &[], &values, &names), shown, "{reason}");
    }
}

#[test]
fn parameter_without_a_value_names_the_file() {
    let declared = [
        ("Default", true),
        ("Computed", false),
        ("Key", false),
        ("New", false),
        ("Stale", false),
    ];
    let declared = declared.map(|(name, has_default)| (name.to_owned(), has_default));
    let mut output = output(Scan {
        parameters: declared.into(),
        ..Scan::default()
    });
    output.parameters = ["Computed", "Key", "New"]
        .map(|name| (name.to_owned(), (name == "Key").then(|| "x".to_owned())))
        .into();
    // The stack's value of a parameter that is named nowhere is not kept.
    let found = without_change_set(&output, &stack(&["Computed", "Key", "Stale"]), &settings());
    let missing = |unnamed: &[&str], computed: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Some(ReviewFinding::MissingValues(MissingValues {
            unnamed: owned(unnamed),
            computed: owned(computed),
            configuration: Some("dev.json".to_owned()),
        }))
    };
    assert_eq!(found, missing(&["Stale"], &["New"]));
    let with_new = stack(&["Computed", "New"]);
    let found = without_change_set(&output, &with_new, &settings());
    assert_eq!(found, missing(&["Stale"], &[]));
    output.scan.parameters.remove("Stale");
    assert_eq!(without_change_set(&output, &with_new, &settings()), None);
}
