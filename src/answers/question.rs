//! The questions that the function which only reads answers.

use serde_json::{Map, Value};

use super::deployments::AskedDeployments;
use crate::gitops_pipeline::names::ResourceNames;
use crate::health_check::request::{Environment, RejectedCheck};

/// A question about an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub environment: Environment,
    pub topic: AskedAbout,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedAbout {
    /// All that the health check checks.
    Doctor,
    /// The projects, or this one alone.
    Projects(Option<ResourceNames>),
    Deployments(AskedDeployments),
}

impl Question {
    /// Parses the event `text` of the function `function_arn`, whose environment has these
    /// `settings`: null for those that the question has. `None` if it is not a question.
    ///
    /// # Errors
    /// If the environment is unknown or another function's, or if a member is not valid.
    pub fn parse(
        text: &str,
        settings: &Value,
        function_arn: &str,
    ) -> Result<Option<Self>, RejectedCheck> {
        let event: Value = serde_json::from_str(text).unwrap_or_default();
        let Some((topic, members)) = only_member(&event) else {
            return Ok(None);
        };
        let known = match topic {
            "Doctor" => &["EnvID"][..],
            "Projects" => &["EnvID", "ProjectID"],
            "Deployments" => &["EnvID", "ProjectID", "ExecutionId"],
            _ => return Ok(None),
        };
        if let Some(unknown) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(RejectedCheck::UnknownMember(format!("{topic}.{unknown}")));
        }
        let environment = Environment::of_question(members, settings, function_arn)?;
        let env_id = &environment.id;
        let topic = match topic {
            "Doctor" => AskedAbout::Doctor,
            "Projects" => {
                let named = members.get("ProjectID");
                let named = named.map(|it| project(it, env_id, "Projects")).transpose()?;
                AskedAbout::Projects(named)
            }
            _ => {
                let project_id = members.get("ProjectID").unwrap_or(&Value::Null);
                let names = project(project_id, env_id, "Deployments")?;
                let execution_id = members.get("ExecutionId").map(execution).transpose()?;
                AskedAbout::Deployments(AskedDeployments {
                    names,
                    execution_id,
                })
            }
        };
        Ok(Some(Question { environment, topic }))
    }
}

/// The topic of an event with one member, which is an object, and its members.
fn only_member(event: &Value) -> Option<(&str, &Map<String, Value>)> {
    let mut members = event.as_object()?.iter();
    let (topic, value) = members.next()?;
    members.next().is_none().then_some((topic.as_str(), value.as_object()?))
}

fn project(
    value: &Value,
    env_id: &str,
    topic: &'static str,
) -> Result<ResourceNames, RejectedCheck> {
    let names = value.as_str().and_then(|it| ResourceNames::new(env_id, it));
    names.ok_or(RejectedCheck::InvalidProject(topic))
}

/// The ID of an execution of CodePipeline, which is a UUID.
fn execution(value: &Value) -> Result<String, RejectedCheck> {
    let is_uuid = |text: &&str| {
        let is_part = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f' | b'-');
        text.len() == 36 && text.bytes().all(is_part)
    };
    let id = value.as_str().filter(is_uuid).ok_or(RejectedCheck::InvalidExecution)?;
    Ok(id.to_owned())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn question(text: &str, settings: &Value) -> Result<Option<Question>, RejectedCheck> {
        const FUNCTION: &str =
            "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-prd-read";
        Question::parse(text, settings, FUNCTION)
    }

    #[test]
    fn each_question_is_parsed() {
        const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";
        let names = ResourceNames::new("prd", "shop").expect("names");
        let deployments = |execution_id: Option<&str>| {
            AskedAbout::Deployments(AskedDeployments {
                names: names.clone(),
                execution_id: execution_id.map(ToOwned::to_owned),
            })
        };
        let of_execution = json!({"Deployments": {"ProjectID": "shop", "ExecutionId": ID}});
        for (event, topic) in [
            (json!({"Doctor": {}}), AskedAbout::Doctor),
            (json!({"Doctor": {"EnvID": "prd"}}), AskedAbout::Doctor),
            (json!({"Projects": {}}), AskedAbout::Projects(None)),
            (
                json!({"Projects": {"ProjectID": "shop"}}),
                AskedAbout::Projects(Some(names.clone())),
            ),
            (
                json!({"Deployments": {"ProjectID": "shop"}}),
                deployments(None),
            ),
            (of_execution, deployments(Some(ID))),
        ] {
            for settings in [
                json!(null),
                json!({"EnvID": "prd", "UserNames": "mirror-*"}),
            ] {
                let asked = question(&event.to_string(), &settings).expect("valid");
                let asked = asked.expect("a question");
                assert_eq!(
                    (asked.topic, &*asked.environment.id),
                    (topic.clone(), "prd")
                );
                let users = settings["UserNames"].as_str().unwrap_or("user-prd-*");
                assert_eq!(asked.environment.user_names, users);
            }
        }
    }

    #[test]
    fn other_event_is_no_question() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"Doctor": null}"#,
            r#"{"HealthCheck": {}}"#,
            r#"{"Doctor": {}, "Projects": {}}"#,
            r#"{"RequestType": "Create", "ResponseURL": "https://bucket/"}"#,
        ] {
            assert_eq!(question(text, &json!(null)), Ok(None), "{text}");
        }
    }

    #[test]
    fn question_with_an_invalid_member_is_rejected() {
        let settings = json!({"EnvID": "prd"});
        let rejected = |event: Value| {
            let rejected = question(&event.to_string(), &settings).expect_err("invalid");
            format!("{rejected}. {}", rejected.remedy())
        };
        let texts = [
            json!({"Doctor": {"UserNames": "*"}}),
            json!({"Doctor": {"EnvID": "dev"}}),
            json!({"Doctor": {"EnvID": 1}}),
            json!({"Projects": {"ProjectID": "a/b"}}),
            json!({"Deployments": {}}),
            json!({"Deployments": {"ProjectID": "shop", "ExecutionId": "newest"}}),
        ]
        .map(rejected);
        expect![[r"
            reading the question: Doctor.UserNames is unknown. Remove it
            looking at environment dev: this function is that of prd. Invoke the function of that environment, or leave out EnvID
            looking at environment : this function is that of prd. Invoke the function of that environment, or leave out EnvID
            reading the question: Projects.ProjectID is not the name of a project. Set it to the ProjectID of a pipeline
            reading the question: Deployments.ProjectID is not the name of a project. Set it to the ProjectID of a pipeline
            reading the question: Deployments.ExecutionId is not the ID of an execution. Set it to a UUID in lower case"]]
        .assert_eq(&texts.join("\n"));
    }
}
