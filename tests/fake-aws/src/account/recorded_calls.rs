//! The calls that the tests make, and what IAM has to allow for each: `tests/policies` evaluates
//! them with the policies of `template.yaml`.
//!
//! If `RECORDED_CALLS` names a folder, each test process writes a file with one JSON object for
//! each different call: `action`, `resource`, the condition `keys`, and whether it is `of_reader`.

use std::{
    collections::HashSet,
    env, fs,
    io::Write,
    path::Path,
    process,
    sync::{LazyLock, Mutex},
};

use serde_json::{Map, Value, json};

use crate::{
    account::state::AwsState,
    request::{Call, Service},
    services::{codecommit::other_account, s3},
    world::tags::Tags,
};

/// The tags that a policy names.
const TAGS_OF_POLICIES: [&str; 3] = [
    "cfn-gitops:env",
    "cfn-gitops:gitlab-url",
    "cfn-gitops:stack-name",
];

/// The file, and the lines that it has.
type Recorded = (fs::File, HashSet<String>);

static FILE: LazyLock<Option<Mutex<Recorded>>> = LazyLock::new(|| {
    let folder = env::var_os("RECORDED_CALLS")?;
    fs::create_dir_all(&folder).expect("a folder for recorded calls");
    let path = Path::new(&folder).join(format!("{}.jsonl", process::id()));
    let file = fs::File::create(path).expect("a file for recorded calls");
    Some(Mutex::new((file, HashSet::new())))
});

/// The caller that stands for a person.
pub(crate) const PERSON: &str = "a person";

/// The beginning of the callers that stand for the function that only reads.
const READER: &str = "reader";

/// Writes what `call` of a function needs. The session of another account's role has other
/// policies.
pub(crate) fn record(aws: &AwsState, call: &Call, caller: &str) {
    let Some(file) = &*FILE else { return };
    let is_of_function = caller != PERSON && !other_account::has_session(&aws.other_account, call);
    if !call.service.has_policies() || !is_of_function {
        return;
    }
    let mut file = file.lock().expect("no panic under this lock");
    for (action, resource, keys) in permissions(aws, call) {
        let of_reader = caller.starts_with(READER);
        let line =
            json!({"action": action, "resource": resource, "keys": keys, "of_reader": of_reader});
        let line = line.to_string();
        if file.1.insert(line.clone()) {
            writeln!(file.0, "{line}").expect("a written call");
        }
    }
}

/// The actions that `call` needs, with their resources and condition keys.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
fn permissions(aws: &AwsState, call: &Call) -> Vec<(String, String, Map<String, Value>)> {
    let (action, mut resource) = call.action_and_resource();
    let mut keys = Map::new();
    let mut further = vec![];
    match call.service {
        Service::SecretsManager => {
            let name = resource.clone();
            let held = aws.secrets.values().find(|secret| secret.is_named(&name));
            if let Some(secret) = held {
                resource.clone_from(&secret.arn);
                keys = tags("secretsmanager", &secret.tags);
            } else if !name.is_empty() && !name.starts_with("arn:") {
                resource =
                    format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}");
            }
            if call.operation == "CreateSecret" && call.params.contains_key("Tags") {
                let action = "secretsmanager:TagResource".to_owned();
                further.push((action, resource.clone(), Map::new()));
            }
        }
        Service::CodeCommit => {
            let held = &aws.codecommit.repositories;
            match held.get(call.needed("repositoryName")) {
                Some(repository) => keys = tags("aws", &repository.tags),
                // Another delivery deleted it, and with it the tag that the policy requires: the
                // function takes the denial for a deletion (`codecommit::delete`).
                None if call.operation == "DeleteRepository" => return further,
                None => {}
            }
        }
        Service::CloudFormation => {
            if let Some(name) = call.text("ChangeSetName") {
                let name = name.split("changeSet/").last().unwrap_or_default();
                let name = name.split('/').next().unwrap_or_default();
                keys.insert("cloudformation:ChangeSetName".to_owned(), json!(name));
            }
            if let Some(role) = call.text("RoleARN") {
                keys.insert("cloudformation:RoleArn".to_owned(), json!(role));
                let to = json!("cloudformation.amazonaws.com");
                let keys = Map::from_iter([("iam:PassedToService".to_owned(), to)]);
                further.push(("iam:PassRole".to_owned(), role.to_owned(), keys));
            }
            // CloudFormation reads the template with the caller's permissions.
            if let Some(template) = call.text("TemplateURL").and_then(s3::location) {
                let (action, resource) = s3::action_and_resource(&template);
                further.push((action, resource, Map::new()));
            }
            if call.text("Tags.member.1.Key").is_some() {
                let action = "cloudformation:TagResource".to_owned();
                further.push((action, resource.clone(), Map::new()));
            }
        }
        _ => {}
    }
    // A list of all has no resource.
    if resource.is_empty() || resource.ends_with(':') {
        "*".clone_into(&mut resource);
    }
    further.push((action, resource, keys));
    further
}

/// The condition keys of a resource's tags.
fn tags(service: &str, of_resource: &Tags) -> Map<String, Value> {
    let named = of_resource.iter().filter(|(key, _)| TAGS_OF_POLICIES.contains(&key.as_str()));
    named
        .map(|(key, value)| (format!("{service}:ResourceTag/{key}"), json!(value)))
        .collect()
}
