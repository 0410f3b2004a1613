//! The properties of both resources as JSON Schemas, for validators and editors: `docs/schemas/`.
//!
//! [`generate`] turns the tables of properties, by which the function decodes, into schemas. The
//! modules of the two resources add the rules between properties, which the function checks in
//! code. The examples beside this file hold both against each other: here the decoders are held
//! against them, in `tests/templates/test_schemas.py` the schemas.
//!
//! `texts.json` has texts that a property accepts and rejects. The formats are held against them here,
//! and the schemas and the parameters of the templates in `tests/templates/test_property_patterns.py`.
//!
//! The table of metrics is written in the same way: `docs/metrics.json`. So are the rules that the
//! operator's command checks before a deployment: `cli/rules.json`, and the origins of EventBridge's
//! events, which `tests/templates/test_events.py` compares with the rules of the templates:
//! `tests/templates/origins.json`.
//!
//! Change the files with `CFN_GITOPS_WRITE_SCHEMAS=1 cargo test --test schemas`, and read the
//! difference.

mod generate;
mod gitops_pipeline;
mod mirror_credential;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cfn_custom_resource::{Property, ValidationErrors};
use cfn_gitops::clients::gitlab;
use cfn_gitops::handler::ORIGINS;
use cfn_gitops::health_check::metrics;
use cfn_gitops::{gitops_pipeline as pipeline, mirror_credential as mirror};
use serde_json::{Value, json};

use self::generate::InOrder;

/// One of the two resources.
struct Resource {
    /// `Custom::…`
    type_name: &'static str,
    /// The file in `docs/schemas/`, and in this folder that of the examples.
    file: &'static str,
    description: &'static str,
    table: &'static [Property],
    errors: fn(&Value) -> ValidationErrors,
    add_rules: fn(&mut Value),
    attributes: &'static [&'static str],
}

static RESOURCES: [Resource; 2] = [
    Resource {
        type_name: "Custom::MirrorCredential",
        file: "custom-mirrorcredential.json",
        description: "One live CodeCommit credential of one IAM user, its password in one secret, \
            and the GitLab projects that push with it",
        table: &mirror::spec::PROPERTIES,
        errors: |properties| mirror::spec::decode(properties).err().unwrap_or_default(),
        add_rules: mirror_credential::add,
        attributes: &mirror::ATTRIBUTES,
    },
    Resource {
        type_name: "Custom::GitOpsPipeline",
        file: "custom-gitopspipeline.json",
        description: "The repository, build, pipeline and event rule of one project in one \
            environment",
        table: &pipeline::spec::properties::PROPERTIES,
        errors: |properties| pipeline::spec::decode(properties).err().unwrap_or_default(),
        add_rules: gitops_pipeline::add,
        attributes: &pipeline::ATTRIBUTES,
    },
];

fn schema(resource: &Resource) -> Value {
    let mut schema = generate::object(resource.table);
    every_resource(&mut schema);
    (resource.add_rules)(&mut schema);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["typeName"] = json!(resource.type_name);
    schema["description"] = json!(resource.description);
    let mut attributes = resource.attributes.to_vec();
    attributes.sort_unstable();
    // Not a keyword of JSON Schema, which does not describe what a resource returns.
    schema["attributes"] = json!(attributes);
    schema
}

/// CloudFormation's own properties.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html>
fn every_resource(schema: &mut Value) {
    let properties = &mut schema["properties"];
    properties["ServiceToken"] = json!({
        "errorMessage": "the provider: Fn::ImportValue of cfn-gitops-<EnvID>-ServiceToken",
        "type": "string",
    });
    properties["ServiceTimeout"] = generate::number(1, 3600);
    let required = schema["required"].as_array_mut().expect("a list");
    required.push(json!("ServiceToken"));
    required.sort_by_key(Value::to_string);
}

/// Adds a rule: if the properties fit `condition`, they must fit `rule`.
fn when(schema: &mut Value, condition: &Value, rule: &Value) {
    if schema["allOf"].is_null() {
        schema["allOf"] = json!([]);
    }
    let all = schema["allOf"].as_array_mut().expect("a list");
    all.push(json!({"if": condition, "then": rule}));
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// `json` with each list of texts or numbers on one line.
fn with_short_lists(json: &str) -> String {
    let mut lines: Vec<String> = vec![];
    let mut list_start: Option<usize> = None;
    for line in json.lines() {
        let part = line.trim_start();
        match list_start {
            Some(start) if part.starts_with(']') => {
                let elements: Vec<_> = lines[start + 1..].iter().map(|it| it.trim()).collect();
                lines[start] = format!("{}{}{part}", lines[start], elements.join(" "));
                lines.truncate(start + 1);
                list_start = None;
                continue;
            }
            _ if part.ends_with('[') => list_start = Some(lines.len()),
            _ if part.ends_with('{') => list_start = None,
            _ => {}
        }
        lines.push(line.to_owned());
    }
    lines.join("\n") + "\n"
}

fn assert_checked_in(file: &Path, content: &Value) {
    let text = serde_json::to_string_pretty(&InOrder(content)).expect("JSON");
    let text = with_short_lists(&text);
    if std::env::var_os("CFN_GITOPS_WRITE_SCHEMAS").is_some() {
        std::fs::write(file, &text).expect("a file that can be written");
    }
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    let file = file.display();
    assert!(text == expected, "{file} is not as it would be generated");
}

#[test]
fn schemas_are_as_checked_in() {
    for resource in &RESOURCES {
        let file = repository().join("docs/schemas").join(resource.file);
        assert_checked_in(&file, &schema(resource));
    }
}

#[test]
fn metrics_are_as_checked_in() {
    let content = json!({"namespace": metrics::NAMESPACE, "metrics": metrics::METRICS});
    assert_checked_in(&repository().join("docs/metrics.json"), &content);
}

#[test]
fn rules_are_as_checked_in() {
    let file = repository().join("cli/rules.json");
    let answers = ["deployments", "doctor", "projects"].map(|name| {
        let file = format!("docs/schemas/answer-{name}.json");
        let text = std::fs::read(repository().join(file)).expect("a schema");
        serde_json::from_slice::<Value>(&text).expect("JSON")
    });
    let mut content = json!({
        "answers": answers,
        "gitlab": gitlab::rules(),
        "pipelines": pipeline::rules(),
    });
    // A test of `clients/gitlab` compares and writes these.
    let text = std::fs::read_to_string(&file).expect("the rules");
    let checked_in: Value = serde_json::from_str(&text).expect("JSON");
    content["gitlab"]["conclusions"] = checked_in["gitlab"]["conclusions"].clone();
    assert_checked_in(&file, &content);
}

#[test]
fn origins_are_as_checked_in() {
    let file = repository().join("tests/templates/origins.json");
    assert_checked_in(&file, &json!(ORIGINS));
}

#[test]
fn every_property_has_a_schema() {
    for resource in &RESOURCES {
        let schema = schema(resource);
        for (name, property) in schema["properties"].as_object().expect("an object") {
            let keywords = ["enum", "if", "properties", "type"];
            let is_checked = keywords.iter().any(|keyword| !property[*keyword].is_null());
            assert!(is_checked, "{name}");
        }
    }
}

#[test]
fn decoders_agree_with_the_examples() {
    for resource in &RESOURCES {
        let file = repository().join("tests/schemas").join(resource.file);
        let text = std::fs::read_to_string(file).expect("the examples");
        let examples: Vec<Value> = serde_json::from_str(&text).expect("a list");
        assert!(examples.len() > 10, "{} examples", examples.len());
        for example in &examples {
            let name = example["name"].as_str().expect("a name");
            let errors = (resource.errors)(&example["properties"]).0;
            let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
            let expected = example["faults"].as_array().into_iter().flatten();
            let expected: Vec<&str> = expected.filter_map(Value::as_str).collect();
            assert_eq!(paths, expected, "{name}");
        }
    }
}

/// The decoders' parsers apply too, which the schemas do not have.
#[test]
fn formats_accept_the_listed_texts_alone() {
    let file = repository().join("tests/schemas/texts.json");
    let file = std::fs::read_to_string(file).expect("the texts");
    let mut untried: BTreeMap<String, Value> = serde_json::from_str(&file).expect("paths");
    let texts = untried.clone();
    for resource in &RESOURCES {
        generate::each_format(resource.table, "", &mut |path, format| {
            let Some(lists) = texts.get(path) else { return };
            for (list, fits) in [("accepted", true), ("rejected", false)] {
                let listed = lists[list].as_array().expect("a list");
                for text in listed.iter().filter_map(Value::as_str) {
                    assert_eq!(format.fits(text), fits, "{path}: {text:?}");
                }
            }
            untried.remove(path);
        });
    }
    assert!(untried.is_empty(), "no property: {:?}", untried.keys());
}

#[test]
fn every_regular_expression_compiles() {
    let mut formats = 0;
    for resource in &RESOURCES {
        generate::each_format(resource.table, "", &mut |path, format| {
            formats += 1;
            assert!(
                !format.fits(&"\u{1}".repeat(3000)),
                "{path} accepts everything"
            );
        });
    }
    assert!(formats > 30, "only {formats}");
}
