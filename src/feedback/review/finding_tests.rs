use super::*;

pub(in crate::feedback::review) fn settings() -> ReviewSettings {
    ReviewSettings {
        branches: "review/*".to_owned(),
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
fn parameter_without_a_value_names_the_file() {
    let declared = ["Default", "Computed", "Key", "New", "Stale"];
    let declared = declared.map(|name| (name.to_owned(), name == "Default"));
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
