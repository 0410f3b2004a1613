//! The answers, as they leave the program. `docs/schemas/answer-….json` is generated from these
//! types, with their comments.
#![expect(
    clippy::struct_field_names,
    reason = "the fields have the members' names"
)]

use std::time::SystemTime;

use aws_sdk_codepipeline::types::PipelineExecutionSummary;
use serde::Serialize;

use crate::clients::cloudformation::StackStatus;
use crate::common::ownership::write_time;
use crate::gitops_pipeline::executions::{commit_of, title_of};
use crate::health_check::findings::{Problem, ShownCheck};
use cfn_custom_resource::Remedy;

/// An answer with its version and its environment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Answer<T> {
    /// The version of this shape.
    pub format: u32,
    #[serde(rename = "EnvID")]
    pub env_id: String,
    #[serde(flatten)]
    pub rest: T,
}

/// The answer to `{"Doctor": {}}`: each part of an environment, checked. The rows of AWS come
/// before those of GitLab.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Doctor {
    pub checks: Vec<ShownCheck>,
    /// The parts that could not be read.
    pub not_checked: Vec<Problem>,
}

/// The answer to `{"Projects": {}}`, and with one row to `{"Projects": {"ProjectID": …}}`. It
/// contains no value of a parameter.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Projects {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<OwnStack>,
    /// Sorted by `ProjectID`.
    pub projects: Vec<ShownProject>,
    /// The parts of every project.
    pub not_read: Vec<Problem>,
}

/// The stack of the environment. It is sound without a problem.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OwnStack {
    #[serde(flatten)]
    pub stack: Stack,
    #[serde(flatten)]
    pub problem: Option<Problem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stack {
    pub name: String,
    pub status: String,
}

/// A project, as far as it was read. A missing member does not exist, or `NotRead` states why it
/// was not read.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShownProject {
    #[serde(rename = "ProjectID")]
    pub project_id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child_stack: Option<Stack>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<ShownOwner>,
    /// That of the function that rendered the pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_outdated: Option<bool>,
    /// The properties whose event rules need the function. Without it, no push starts a pipeline
    /// with `Source.Paths`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_function: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// `false` before the first push, and if it was deleted, which is in `Problems`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_pipeline: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployed: Option<Deployed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Newest>,
    /// Those that wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Vec<ShownApproval>>,
    /// The newest execution after the last success that failed and that no person rejected. A
    /// rollback that succeeded is not a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The newest execution after the last success that a person rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection: Option<ShownRejection>,
    /// Empty only if the rules and the transitions were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<Vec<Held>>,
    /// Absent if it was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freeze: Option<Freeze>,
    /// Parts that are missing, never complete or broken, and stacks that failed.
    pub problems: Vec<ShownFinding>,
    /// As GitLab lists them. Absent if it lists none, or was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirrors: Option<Vec<ShownCheck>>,
    pub not_read: Vec<Problem>,
}

/// The stack with the project's resource.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShownOwner {
    pub stack_name: String,
    pub stack_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logical_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    pub exists: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShownFinding {
    pub subject: String,
    #[serde(flatten)]
    pub problem: Problem,
}

/// An execution.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ran {
    pub execution_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The first line of the commit's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
}

/// The last deployment.
pub type Deployed = Ran;

/// The newest execution. `At` is the start of one that is in progress, and the end of any other.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Newest {
    #[serde(flatten)]
    pub ran: Ran,
    /// The text of AWS.
    pub status: String,
    #[serde(skip_serializing_if = "is_false")]
    pub is_rollback: bool,
}

/// An approval that waits.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShownApproval {
    #[serde(flatten)]
    pub ran: Ran,
    /// That of the approval: a retried stage has another one. Absent if CodePipeline does not
    /// show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_execution_id: Option<String>,
    pub stage: String,
    pub action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// The page on which a person decides.
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_set: Option<ShownChangeSet>,
    /// The rights that the role of the deployment lacks for the change set. Only in the answer about one
    /// project. Absent if that was not compared, as for a deploy role of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_rights: Option<Vec<Problem>>,
}

/// A change set without any value.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShownChangeSet {
    pub name: String,
    pub counts: ShownCounts,
    /// Absent beyond 100 resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<Resource>>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShownCounts {
    pub replaced: usize,
    pub removed: usize,
    pub possibly_replaced: usize,
    pub undetermined: usize,
    pub modified: usize,
    pub added: usize,
    pub imported: usize,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resource {
    pub logical_id: String,
    pub r#type: String,
    pub effect: String,
    /// Their names.
    pub properties: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_because_of: Option<Vec<String>>,
    /// With its data.
    #[serde(skip_serializing_if = "is_false")]
    pub is_deleted: bool,
}

/// An execution that failed. The cause is first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Failure {
    #[serde(flatten)]
    pub ran: Ran,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Absent if CodePipeline shows none that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    pub cause: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<ShownFailure>>,
    /// Failed resources that are not listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_resources: Option<usize>,
    /// Resources whose change CloudFormation cancelled after the first failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<usize>,
    /// Why the failed resources are not listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_listed: Option<String>,
    /// The deployed stack, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShownFailure {
    /// Its logical ID, behind those of its nested stacks.
    pub path: String,
    pub r#type: String,
    pub reason: String,
}

/// A person rejected it, which is not a failure.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShownRejection {
    #[serde(flatten)]
    pub ran: Ran,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A disabled event rule or transition.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Held {
    pub held: String,
    pub remedy: Remedy,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The parts that a freeze holds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Freeze {
    /// The stage whose transition holds executions: `Approval` if the pipeline has one. Absent without
    /// a pipeline, or if its state was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<&'static str>,
    /// Whether the pipeline has an approval. Absent without `Stage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_approval: Option<bool>,
    /// The names of the event rules that exist. That of pushes is first.
    pub rules: Vec<String>,
    /// Those in progress. Those whose approval waits are in `Approvals`. Absent if they were not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executions: Option<Vec<Running>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Running {
    #[serde(flatten)]
    pub ran: Ran,
    /// In which it runs, or before which it waits. Absent if CodePipeline does not show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// It waits before `Stage`.
    #[serde(skip_serializing_if = "is_false")]
    pub is_waiting_before: bool,
}

/// The answer to `{"Deployments": {"ProjectID": …}}`, and with `ExecutionId` the state of that
/// execution.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Deployments {
    #[serde(rename = "ProjectID")]
    pub project_id: String,
    /// Its name.
    pub pipeline: String,
    #[serde(flatten)]
    pub asked: Asked,
    pub holds: Vec<ShownHold>,
    pub not_read: Vec<Problem>,
}

#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Asked {
    Execution { execution: Box<FollowedExecution> },
    Latest(Box<Latest>),
}

/// The last ten deployments, the latest one first.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(inline))]
pub struct Latest {
    /// Absent if the pipeline does not exist, or is not read, and then nothing can be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_mode: Option<String>,
    /// Absent with `ExecutionMode`, or if the pipeline reads none, and then nothing can be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Absent with `ExecutionMode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_approval: Option<bool>,
    /// The event rule by which a push of the image starts the pipeline, unless a person has disabled
    /// it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_rule: Option<String>,
    /// Why nothing can be started. It is there if there are no deployments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Problem>,
    pub deployments: Vec<ShownDeployment>,
    /// The latest attempt of a deployment after them, which has not succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub later: Option<Attempt>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Attempt {
    #[serde(flatten)]
    pub ran: Ran,
    /// That of the action `Deploy`.
    pub status: String,
}

/// An execution whose action `Deploy` succeeded. `At` is the end of that action.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShownDeployment {
    #[serde(flatten)]
    pub ran: Ran,
    /// That of the execution, as AWS names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub is_rollback: bool,
    /// After its deployment, for example because of an alarm.
    #[serde(skip_serializing_if = "is_false")]
    pub has_failed: bool,
    /// Whether its revisions are those of the last deployment. `null` if a later attempt may have
    /// changed the stack.
    pub is_deployed_now: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// A digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Those with which CodePipeline can start it again.
    pub revisions: Vec<Revision>,
    /// Why it cannot be started again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Problem>,
    pub in_branch: InBranch,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Revision {
    pub action_name: String,
    pub revision_type: &'static str,
    pub revision_value: String,
}

/// Whether the branch in GitLab contains its commit.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InBranch {
    /// `null`: not known, and `Problem` states why.
    pub contained: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
    /// Such as `CFG-401`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FollowedExecution {
    pub execution_id: String,
    /// The text of AWS. Absent if CodePipeline does not list the execution yet, or it is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// CodePipeline's, if the execution has not failed: for example why a person stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The one that it is in, or in front of which it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Their latest attempts, the first one first.
    pub actions: Vec<ActionAttempt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for_approval: Option<AskedApproval>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection: Option<ShownRejection>,
    /// It changes nothing any more.
    pub is_end: bool,
    pub has_deployed: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ActionAttempt {
    pub stage: String,
    pub action: String,
    pub status: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AskedApproval {
    pub stage: String,
    pub action: String,
    /// The page on which a person decides. Absent if the region is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// An obstacle.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShownHold {
    /// Whether it holds this execution, or a new one. `false`: others only, `null`: not known.
    pub holds: Option<bool>,
    pub problem: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<String>,
}

/// A time in UTC.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Time(String);

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        Time(write_time(time))
    }
}

/// For `skip_serializing_if`.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// `None` for an empty text, which has no member.
pub fn text(text: &str) -> Option<String> {
    Some(text).filter(|text| !text.is_empty()).map(str::to_owned)
}

impl Stack {
    pub fn new(name: &str, status: &StackStatus) -> Self {
        Stack {
            name: name.to_owned(),
            status: status.as_str().to_owned(),
        }
    }
}

impl InBranch {
    pub fn not_known(why: Problem) -> Self {
        InBranch {
            contained: None,
            problem: Some(why.problem),
            remedy: Some(why.remedy),
            code: why.code,
        }
    }
}

impl Ran {
    /// The execution, with the time that its place in an answer means.
    pub fn of(execution: &PipelineExecutionSummary, at: Option<SystemTime>) -> Self {
        Ran {
            execution_id: execution.pipeline_execution_id().unwrap_or("?").to_owned(),
            commit: commit_of(execution).map(str::to_owned),
            title: title_of(execution),
            at: at.map(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use schemars::JsonSchema;
    use schemars::generate::SchemaSettings;
    use serde_json::{Value, json};

    use super::*;

    /// The schema of an answer, whose members are the known ones.
    fn schema<T: JsonSchema>() -> Value {
        let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let mut schema = generator.into_root_schema_for::<Answer<T>>().to_value();
        schema["title"] = json!(T::schema_name());
        let described = T::json_schema(&mut schemars::SchemaGenerator::default());
        schema["description"] = described.get("description").cloned().unwrap_or_default();
        close(&mut schema, false);
        schema
    }

    /// A member that may be absent is not null, and an object has no other members. The forms of
    /// an object are not objects of their own.
    fn close(schema: &mut Value, is_form: bool) {
        match schema {
            Value::Array(all) => all.iter_mut().for_each(|one| close(one, is_form)),
            Value::Object(members) => {
                let required = members.get("required").cloned().unwrap_or_default();
                let is_required = |name: &String| {
                    required.as_array().is_some_and(|all| all.iter().any(|one| one == name))
                };
                let properties = members.get_mut("properties").and_then(Value::as_object_mut);
                if let Some(properties) = properties {
                    let all = properties.iter_mut().filter(|(name, _)| !is_required(name));
                    all.for_each(|(_, property)| without_null(property));
                    if !is_form {
                        let has_forms = members.contains_key("anyOf");
                        let which = if has_forms {
                            "unevaluated"
                        } else {
                            "additional"
                        };
                        members.insert(format!("{which}Properties"), json!(false));
                    }
                }
                members.iter_mut().for_each(|(name, one)| close(one, name == "anyOf"));
            }
            _ => {}
        }
    }

    /// Of an `Option`.
    fn without_null(property: &mut Value) {
        if let Some(types) = property["type"].as_array().filter(|types| types.len() == 2) {
            property["type"] = types[0].clone();
        } else if let Some(reference) = property["anyOf"][0].as_object().cloned() {
            let members = property.as_object_mut().expect("an object");
            members.remove("anyOf");
            members.extend(reference);
        }
    }

    #[test]
    fn schemas_are_those_of_the_types() {
        let schemas = [
            ("doctor", schema::<Doctor>()),
            ("projects", schema::<Projects>()),
            ("deployments", schema::<Deployments>()),
        ];
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
        for (name, schema) in schemas {
            let file = folder.join(format!("answer-{name}.json"));
            let text = format!("{schema:#}\n");
            if std::env::var_os("CFN_GITOPS_WRITE_SCHEMAS").is_some() {
                std::fs::write(&file, &text).expect("the file is written");
            }
            assert_eq!(
                std::fs::read_to_string(&file).expect("a schema"),
                text,
                "{name}"
            );
        }
    }
}
