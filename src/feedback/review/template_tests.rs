//! The findings of the scan, even in templates that hide them.

use super::*;

fn blockers(text: &str) -> Vec<Blocker> {
    let found = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    found.blockers.into_iter().collect()
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
    let found = scan(text).expect("a template");
    assert_eq!(found.blockers, BTreeSet::new());
    let expected = [("AWS::SQS::Queue", 2), ("AWS::SSM::Parameter", 1)];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(found.resources, expected.into());
}

#[test]
fn json_template_is_read() {
    let text = r#"{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
	"Transform": ["AWS::Serverless-2016-10-31"]}"#;
    assert_eq!(blockers(text), [Blocker::Transform]);
    assert_eq!(read(text).map(|found| found.resources.len()), Ok(1));
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
        "Resources: {A: {Type: X}}\nTransform: X",
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
        assert!(read(text).is_err(), "{text:?}: {:?}", read(text));
    }
}

#[test]
fn unreadable_template_is_named_with_its_place() {
    let resource = "Resources: {A: {Type: X}}\n";
    for (text, why) in [
        ("Resources: [", "it is not valid YAML (line 2, column 1)"),
        (
            "R:\n  A:\n\tB: X",
            "it is not valid YAML (line 3, column 2)",
        ),
        ("{\"Resources\": {\"A\": {\"Type\": \"X\"}}", ""),
        ("A: 1\nB: &x 1", "(line 2, column 4)"),
        ("A: 1\nB: [*x]", "(line 2, column 5)"),
        ("A: 1\n---\nA: 2", "one YAML document (line 2, column 1)"),
        ("A: 1\n\u{feff}B: 2", "byte order mark (line 2, column 1)"),
        ("A: 1\nB: {C: 1,\n  C: 2}", "a key twice (line 3, column 3)"),
        ("A: 1\n'A': 2", "a key twice (line 2, column 1)"),
        ("not a template", "it is not a mapping (line 1, column 1)"),
        ("- Resources", "it is not a mapping (line 1, column 1)"),
        ("", "no resource"),
        ("# only a comment", "no resource"),
        ("Resources: {}", "no resource"),
        ("Resources: [{Type: X}]", "no resource"),
        ("Resources: {A: {Properties: {Type: X}}}", "no resource"),
        ("Description: x", "no resource"),
        (&resource.repeat(2), "a key twice (line 2, column 1)"),
    ] {
        let found = scan(text).expect_err(text);
        assert!(found.contains(why), "{text:?}: {found}");
    }
    assert!(scan(resource).is_ok());
    assert!(scan("Transform: AWS::Include\nResources: {}").is_ok());
}

#[test]
fn deeply_nested_text_is_scanned_without_recursion() {
    let text = "[".repeat(200_000);
    assert!(scan(&text).is_err());
}

#[test]
fn lines_may_end_with_carriage_return_and_line_feed() {
    let found = read("Resources:\r\n  Queue: {Type: AWS::SQS::Queue}\r\n").expect("a template");
    assert_eq!((found.blockers.len(), found.resources.len()), (0, 1));
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
    let expected = [("Empty", true), ("Size", true), ("Stage", false)];
    let expected = expected.map(|(name, has_default)| (name.to_owned(), has_default));
    let found = read(text).expect("a template").parameters;
    assert_eq!(found, expected.into());
}

#[test]
fn paths_of_local_files_are_listed() {
    let text = "
Transform: AWS::Serverless-2016-10-31
Parameters: {TemplateURL: {Type: String, Default: child.yaml}}
Resources:
  Child: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: ./child.yaml}}
  Code: {Type: AWS::Serverless::Function, Properties: {CodeUri: src/}}
  Packaged: {Type: X, Properties: {TemplateURL: 'https://bucket.s3.amazonaws.com/x'}}
  InBucket: {Type: X, Properties: {CodeUri: 's3://bucket/x'}}
  Named: {Type: X, Properties: {TemplateURL: !Ref TemplateURL}}
  Joined: {Type: X, Properties: {TemplateURL: !Sub '${Base}/x'}}
  Object: {Type: X, Properties: {CodeUri: {Bucket: b, Key: k}}}
  Other: {Type: X, Metadata: {TemplateURL: x}, Properties: {Of: {TemplateURL: x}}}
";
    let found = scan(text).expect("a template").unpackaged;
    assert_eq!(Vec::from_iter(found), ["Child.TemplateURL", "Code.CodeUri"]);
}
