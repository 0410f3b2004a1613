//! Fuzz targets: the properties and the template that is rendered from them, a first push, names,
//! ARNs and tokens.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use cfn_gitops::gitops_pipeline::fuzzing::{
    AwsLocation, Purpose, RepositoryOrigin, RequestKey, ResourceNames, decode, peek_names,
    read_token, render,
};
use cfn_gitops::handler::Event;
use fuzz::{SENTINEL, assert_round_trip, fuzz, properties_of, strings_in};

fn wanted() -> [Value; 3] {
    [
        include_str!("../../../events/pipeline-create.json"),
        include_str!("../../event_fuzz/events/pipeline-create-every-property.json"),
        include_str!("../../event_fuzz/events/pipeline-create-cross-account.json"),
    ]
    .map(properties_of)
}

/// Every member in a template with its name, which may be that of an intrinsic function.
fn members(template: &Value) -> Vec<(&str, &Value)> {
    match template {
        Value::Array(list) => list.iter().flat_map(members).collect(),
        Value::Object(object) => {
            let own = object.iter().map(|(name, value)| (name.as_str(), value));
            own.chain(object.values().flat_map(members)).collect()
        }
        _ => vec![],
    }
}

/// The parts of the child stack that only this function may choose.
fn injected(template: &Value) -> Vec<String> {
    let mut injected = Vec::new();
    for (function, value) in members(template) {
        if ["Fn::Transform", "Fn::ImportValue", "Fn::Cidr"].contains(&function) {
            injected.push(format!("{function}: {value}"));
        }
        let subs = if function == "Fn::Sub" {
            strings_in(value)
        } else {
            vec![]
        };
        for piece in subs.iter().flat_map(|sub| sub.split("${").skip(1)) {
            let name = piece.split('}').next().unwrap_or_default();
            let is_known = ["EnvID", "ProjectID", "Pipeline"].contains(&name);
            if !is_known && !name.starts_with("AWS::") {
                injected.push(format!("${{{name}}}"));
            }
        }
    }
    let strings = strings_in(template);
    let resolved = strings.iter().filter(|text| text.contains("{{resolve:"));
    injected.extend(resolved.map(|text| (*text).to_owned()));
    injected
}

// claim: properties-become-a-safe-template-or-every-error-has-a-path
#[test]
fn properties_become_a_safe_template_or_errors_with_paths() {
    fuzz(|choices| {
        let given = choices.json(&wanted());
        match decode(&given) {
            Ok(desired) => {
                assert_eq!(peek_names(&given).as_ref(), Some(&desired.names));
                let names = ResourceNames::from_stack_name(&desired.names.stack());
                assert_eq!(names.as_ref(), Some(&desired.names));
                assert!(!desired.branch().is_empty());
                for repository in [
                    RepositoryOrigin::Created,
                    RepositoryOrigin::Existing,
                    RepositoryOrigin::Adopted,
                ] {
                    let template = render(&desired, repository);
                    assert_eq!(injected(&template), Vec::<String>::new(), "{given}");
                    assert_eq!(render(&desired, repository), template);
                }
            }
            Err(faults) => {
                assert!(!faults.0.is_empty());
                // The names of other stacks begin with the environment.
                let environment = given["EnvID"].as_str().unwrap_or_default();
                let is_name = environment.contains(SENTINEL);
                for fault in &faults.0 {
                    assert!(!fault.what.is_empty(), "{fault:?}");
                    assert!(is_name || !fault.what.contains(SENTINEL), "{fault:?}");
                    // In its text, names are values.
                    let is_text = fault.path.starts_with("BranchMap.");
                    assert!(is_text || !fault.path.contains(SENTINEL), "{fault:?}");
                    assert!(fault.path.chars().count() <= 200, "{fault:?}");
                }
            }
        }
    });
}

#[test]
fn injected_functions_are_found() {
    let template =
        json!({"a": [{"Fn::Sub": "x-${Sentinel}-${AWS::Region}"}], "b": "{{resolve:ssm:x}}"});
    assert_eq!(injected(&template), ["${Sentinel}", "{{resolve:ssm:x}}"]);
    let template = json!({"a": {"Fn::Transform": {"Name": "x"}}});
    assert_eq!(injected(&template).len(), 1);
}

// claim: branch-map-as-text-equals-the-branch-map
#[test]
fn branch_map_in_text_is_the_branch_map() {
    fuzz(|choices| {
        let [mut given, ..] = wanted();
        let map = choices.json(&[json!({"dev": "development", "prd": "master"})]);
        given["BranchMap"] = map.clone();
        let as_object = decode(&given);
        given["BranchMap"] = json!(map.to_string());
        let as_text = decode(&given);
        // A number for a branch is text in a template, and none in JSON.
        let branches = map.as_object();
        if branches.is_some_and(|map| map.values().all(Value::is_string)) {
            assert_eq!(as_text, as_object, "{map}");
        }
        given["BranchMap"] = json!(choices.text(&[&map.to_string(), r#"{"dev":"a"}"#]));
        if let Ok(desired) = decode(&given) {
            let branch = desired.branch();
            assert!(!branch.contains([' ', ':', '~', '^', '\n']), "{given}");
        }
    });
}

// claim: first-push-names-a-pipelines-stack-or-none
#[test]
fn first_push_names_a_stack_of_a_pipeline_or_none() {
    fuzz(|choices| {
        let event = choices.json(&[json!({
            "StackName": "gitops-dev-shop",
            "source": "aws.codecommit",
            "detail-type": "CodeCommit Repository State Change",
            "time": "2026-11-20T12:00:00Z",
            "resources": ["arn:aws:codecommit:eu-central-1:123456789012:codecommit-dev-cfn-shop"],
            "detail": {
                "event": "referenceCreated",
                "repositoryName": "codecommit-dev-cfn-shop",
                "referenceType": "branch",
                "referenceName": "development",
                "commitId": "533f9ad4472cd44f5c2a",
            },
        })]);
        let text = event.to_string();
        let Ok(Event::Push(push)) = Event::parse(&text, "", SystemTime::UNIX_EPOCH) else {
            return;
        };
        assert_eq!(event["source"], "aws.codecommit");
        assert_eq!(event["detail"]["referenceType"], "branch");
        assert_eq!(event["detail"]["referenceName"], push.branch);
        if let Some(stack) = push.stack_name() {
            let names = ResourceNames::from_stack_name(&stack).expect("a stack of a pipeline");
            assert_eq!(names.stack(), stack);
            assert!(!stack.contains(['*', '?', '/', ':', '_']), "{stack}");
        }
    });
}

// claim: names-are-parsed-from-their-composites
#[test]
fn names_are_parsed_from_their_composites() {
    fuzz(|choices| {
        let stack = choices.text(&["gitops-dev-shop", "gitops-dev-a-b"]);
        if let Some(names) = ResourceNames::from_stack_name(&stack) {
            assert_eq!(names.stack(), stack);
            assert!(names.event_rule().len() <= 64);
        }
        let arn = choices.text(&[
            "arn:aws:cloudformation:eu-central-1:123456789012:stack/gitops-dev-shop/1",
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:f",
        ]);
        let write = |place: &AwsLocation| place.arn("codepipeline", "p");
        assert_round_trip(&arn, AwsLocation::from_arn, write);
    });
}

// claim: request-tokens-parse-to-the-same-values
#[test]
fn request_tokens_parse_to_the_same_values() {
    fuzz(|choices| {
        let text = choices.text(&[
            "gitops-1795161300-0123456789abcdef-fedcba9876543210",
            "gitops-1795161300-0123456789abcdef-cancel",
            "first-push-0123456789abcdef",
        ]);
        assert_round_trip(&text, read_token, |(key, purpose)| key.token(purpose));
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(choices.number() >> 32);
        let key = RequestKey::new(at, &text, &text);
        let written = key.token(&Purpose::Cancel);
        assert!(written.len() <= 128);
        let mut characters = written.chars();
        assert!(characters.all(|c| c.is_ascii_alphanumeric() || c == '-'));
    });
}
