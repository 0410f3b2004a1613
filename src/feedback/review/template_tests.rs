//! What the scan finds, also in templates that hide it.

use super::*;

fn blockers(text: &str) -> Vec<Blocker> {
    scan(text).blockers.into_iter().collect()
}

#[test]
fn plain_template_has_no_blocker() {
    let text = "
Parameters:
  Size: {Type: Number, Default: 3}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub 'queue-${AWS::StackName}'
  Value:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Ref Size}
  Other:
    Type: \"AWS::SQS::Queue\"
    Properties: {Tags: [{Key: Transform, Value: none}]}
";
    let found = scan(text);
    assert_eq!(found.blockers, BTreeSet::new());
    let resources: Vec<(&str, usize)> = found
        .resources
        .iter()
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    assert_eq!(
        resources,
        [("AWS::SQS::Queue", 2), ("AWS::SSM::Parameter", 1)]
    );
}

#[test]
fn json_template_is_read() {
    let text = r#"{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
	"Transform": ["AWS::Serverless-2016-10-31"]}"#;
    assert_eq!(blockers(text), [Blocker::Transform]);
    assert_eq!(scan(text).resources.len(), 1);
}

#[test]
fn transforms_are_found_in_every_form() {
    for text in [
        "Transform: AWS::Include\nResources: {}",
        "\"Transform\": AWS::Include",
        "'Transform': [AWS::Include]",
        "\"\\u0054ransform\": AWS::Include",
        "? Transform\n: AWS::Include",
        "{Resources: {}, Transform: AWS::Include}",
        "Resources: {}\nResources: {}\nTransform: X",
        "Resources: {Fn::Transform: {Name: AWS::Include}}",
        "Resources:\n  A:\n    Properties:\n      \"Fn::Transform\": {Name: AWS::Include}",
        "Resources:\n  A: !Transform {Name: AWS::Include}",
        "Resources:\n  A: !Transform\n    Name: AWS::Include",
        "A: [!Transform {Name: AWS::Include}]",
        "A: !Fn::Transform {Name: AWS::Include}",
        "A: !%54ransform {Name: AWS::Include}",
    ] {
        assert_eq!(blockers(text), [Blocker::Transform], "{text}");
    }
}

#[test]
fn ssm_parameter_types_are_found() {
    for text in [
        "Parameters: {A: {Type: 'AWS::SSM::Parameter::Value<String>'}}",
        "Parameters:\n  A:\n    Type: AWS::SSM::Parameter::Name",
        "Parameters: {A: {Type: String, Type: AWS::SSM::Parameter::Value<String>}}",
        "Parameters: {A: {Type: \"AWS::\\x53SM::Parameter::Value<String>\"}}",
    ] {
        assert_eq!(blockers(text), [Blocker::SsmParameterType], "{text}");
    }
}

#[test]
fn dynamic_references_are_found_in_every_text() {
    for text in [
        "A: '{{resolve:ssm:/a}}'",
        "A: x-{{resolve:secretsmanager:a}}-y",
        "'{{resolve:ssm:/a}}': x",
        "A: [!Sub '{{resolve:ssm:${B}}}']",
        "A: |\n  text\n  {{resolve:ssm:/a}}",
        "Description: \"{{re\\\n  solve:ssm:/a}}\"",
    ] {
        assert_eq!(blockers(text), [Blocker::DynamicReference], "{text}");
    }
}

#[test]
fn text_that_parsers_read_differently_is_rejected() {
    for text in [
        "A: &x 1",
        "A: [*x]",
        "A: {<<: {Transform: x}}",
        "A: 1\n---\nTransform: x",
        "%TAG ! tag:example.com,2026:\n---\nA: !X 1",
        "# a comment\u{85}Transform: x",
        "# a comment\u{2028}Transform: x",
        "A: !<tag:x,2026:y> 1",
        "{A: [",
        "? [a]\n: b",
        "? {a: b}\n: c",
        // Tags whose handle is not `!`.
        "%TAG !y! !Trans\n---\nA: !y!form {Name: AWS::Include}",
        "\u{feff}%TAG !y! !Trans\n---\nA: !y!form {Name: AWS::Include}",
        "# a\r%TAG !y! !Trans\r---\rA: !y!form {Name: AWS::Include}",
        "!!binary VHJhbnNmb3Jt: AWS::Include",
        "A: !!str x",
        "A: ! x",
        "\u{feff}A: x",
        "A: x\r\u{feff}B: y",
        "# a comment\rTransform: x",
        "A: x\r\r\nB: y",
        // The parser ends at NUL.
        "A: x\n\0\nTransform: x",
        "{\0\"\0A\0\"\0:\0\x31\0}\0",
    ] {
        let found = blockers(text);
        let is_unreadable = |one: &Blocker| matches!(one, Blocker::Unreadable(_));
        assert!(found.iter().any(is_unreadable), "{text:?}: {found:?}");
    }
}

#[test]
fn deeply_nested_text_is_scanned_without_recursion() {
    let text = "[".repeat(200_000);
    assert!(!blockers(&text).is_empty());
}

#[test]
fn lines_may_end_with_carriage_return_and_line_feed() {
    let text = "Resources:\r\n  Queue: {Type: AWS::SQS::Queue}\r\n";
    assert_eq!((blockers(text), scan(text).resources.len()), (vec![], 1));
}

#[test]
fn parameters_are_listed_with_their_defaults() {
    let text = "
Parameters:
  Fn::Transform: {Name: AWS::Include}
  Size: {Type: Number, Default: 3}
  Stage: {Type: String, AllowedValues: [Default]}
  Empty:
    Default: ''
    Type: String
Mappings: {Parameters: {Stage: {Default: x}}}
Resources: {Parameters: {Type: X, Other: {Default: 1}}}
";
    let found = scan(text).parameters;
    let found: Vec<(&str, bool)> = found
        .iter()
        .map(|(name, it)| (name.as_str(), *it))
        .collect();
    assert_eq!(found, [("Empty", true), ("Size", true), ("Stage", false)]);
}
