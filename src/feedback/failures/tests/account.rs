//! An account with one pipeline and the stacks that it deploys, for reads only.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use aws_sdk_cloudformation::config::SharedCredentialsProvider;
use aws_sdk_cloudformation::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use serde_json::{Value, json};

use crate::clients::aws::{Aws, SdkClients};
use crate::clients::http::Http;

pub const STACK: &str = "AWS::CloudFormation::Stack";
pub const ROOT: &str = "cfnstack-dev-shop";

/// The ARN of the stack `key`. The root stack has no key.
pub fn arn(key: &str) -> String {
    let name = if key.is_empty() {
        ROOT.to_owned()
    } else {
        format!("{ROOT}-{key}")
    };
    format!("arn:aws:cloudformation:eu-central-1:123456789012:stack/{name}/0")
}

/// One event of a stack.
#[derive(Clone, Debug, Default)]
pub struct Event {
    pub id: String,
    pub kind: String,
    /// `HOOK` for the message of a hook that failed, and `WARN` for its warning.
    pub status: String,
    pub reason: String,
    /// The key of the nested stack. Empty if it is none.
    pub nested: String,
    pub operation: Option<&'static str>,
    pub properties: String,
}

/// An event, as `[logical ID, type, status, reason, nested stack]`. The stack itself has no ID.
pub fn event(row: &[&str]) -> Event {
    let part = |at: usize| row.get(at).copied().unwrap_or_default().to_owned();
    Event {
        id: part(0),
        kind: part(1),
        status: part(2),
        reason: part(3),
        nested: part(4),
        ..Event::default()
    }
}

/// A description of a stack.
#[derive(Clone, Debug, Default)]
pub struct Described {
    pub status: &'static str,
    pub change_set: String,
    /// The newest one first.
    pub operations: Vec<(&'static str, &'static str)>,
    /// The key of the stack that contains it.
    pub parent: Option<&'static str>,
    pub parameters: Vec<(&'static str, &'static str)>,
}

#[derive(Clone, Debug)]
pub struct Stage {
    pub execution: &'static str,
    pub status: &'static str,
    pub action: &'static str,
    pub attempt: &'static str,
    pub action_status: &'static str,
}

pub const ENDED: Stage = Stage {
    execution: "e1",
    status: "Failed",
    action: "Deploy",
    attempt: "a1",
    action_status: "Failed",
};

/// The status of a change set, its reason, and its parameters.
pub type DescribedChangeSet = (&'static str, &'static str, Vec<Parameter>);

type Parameter = (&'static str, &'static str);

/// The account. Of several states, each read takes the next one, and the last one remains.
#[derive(Clone, Debug)]
pub struct Account {
    pub stage: Vec<Stage>,
    pub stacks: BTreeMap<String, Vec<Described>>,
    /// The oldest event first.
    pub events: BTreeMap<String, Vec<Event>>,
    /// By name or ARN.
    pub change_sets: BTreeMap<String, DescribedChangeSet>,
    /// Findings: their type, or `WARN` for the warning of a hook; operation, logical ID, type, reason.
    pub findings: Vec<[String; 5]>,
    /// The length of a page.
    pub page: usize,
    /// The operation that is denied, and the stack.
    pub denied: Option<(&'static str, String)>,
    pub calls: Vec<String>,
}

#[derive(Clone, Debug)]
struct Connector(Arc<Mutex<Account>>);

/// The clients of the account, and the account.
pub fn open(account: Account) -> (Aws, Arc<Mutex<Account>>) {
    let account = Arc::new(Mutex::new(account));
    let credentials = Credentials::new("AKIDEXAMPLE", "not-a-real-key", None, None, "tests");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let connector = Connector(Arc::clone(&account));
    let http = Http::new(SharedHttpConnector::new(connector));
    (SdkClients::new(&config, &http), account)
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut account = self.0.lock().expect("no panic under this lock");
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
        let answer = if request.headers().get("x-amz-target").is_some() {
            account.calls.push("GetPipelineState".to_owned());
            Ok(account.stage().to_string())
        } else {
            let query = reqwest::Url::parse(&format!("http://x/?{body}")).expect("a form");
            let query: BTreeMap<String, String> = query.query_pairs().into_owned().collect();
            account.answer(&query)
        };
        let (status, body) = match answer {
            Ok(body) => (200, body),
            Err((status, code, message)) => (
                status,
                format!(
                    "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
                ),
            ),
        };
        let status = StatusCode::try_from(status).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}

type Answer = Result<String, (u16, &'static str, String)>;

impl Account {
    fn stage(&mut self) -> Value {
        let stage = next(&mut self.stage);
        let run = json!({"status": stage.action_status, "actionExecutionId": stage.attempt});
        json!({"stageStates": [{"stageName": "Source"}, {
            "stageName": "Deploy",
            "latestExecution": {"pipelineExecutionId": stage.execution, "status": stage.status},
            "actionStates": [{"actionName": "Approval"},
                {"actionName": stage.action, "latestExecution": run}],
        }]})
    }

    fn answer(&mut self, query: &BTreeMap<String, String>) -> Answer {
        let part = |name: &str| query.get(name).cloned().unwrap_or_default();
        let (action, stack) = (part("Action"), part("StackName"));
        self.calls.push(format!("{action} {stack}"));
        let denied = self.denied.as_ref();
        if denied.is_some_and(|(denied, of)| action == *denied && *of == stack) {
            let message = "User: x is not authorized to perform: y on resource: z because no identity-based policy allows y";
            return Err((403, "AccessDenied", message.to_owned()));
        }
        let mut keys = self.stacks.keys();
        let key = keys.find(|key| arn(key) == stack || (key.is_empty() && stack == ROOT));
        let Some(key) = key.cloned() else {
            return Err((
                400,
                "ValidationError",
                format!("Stack [{stack}] does not exist"),
            ));
        };
        let result = match action.as_str() {
            "DescribeStacks" => self.describe(&key),
            "DescribeStackEvents" => self.events(&key, &part("NextToken")),
            "DescribeEvents" => self.findings(),
            "DescribeChangeSet" => self.change_set(&part("ChangeSetName"))?,
            other => panic!("no answer to {other}"),
        };
        Ok(format!(
            "<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"
        ))
    }

    fn describe(&mut self, key: &str) -> String {
        let stack = next(self.stacks.get_mut(key).expect("a stack"));
        let mut xml = format!(
            "<StackId>{}</StackId><StackName>{ROOT}</StackName><StackStatus>{}</StackStatus><CreationTime>2026-11-20T12:00:00Z</CreationTime>",
            arn(key),
            stack.status
        );
        if !stack.change_set.is_empty() {
            let _ = write!(xml, "<ChangeSetId>{}</ChangeSetId>", stack.change_set);
        }
        if let Some(parent) = stack.parent {
            let _ = write!(xml, "<ParentId>{}</ParentId>", arn(parent));
        }
        let operations = stack.operations.iter().map(|(kind, id)| {
            format!("<member><OperationType>{kind}</OperationType><OperationId>{id}</OperationId></member>")
        });
        let operations: String = operations.collect();
        let _ = write!(
            xml,
            "<LastOperations>{operations}</LastOperations>{}",
            parameters(&stack.parameters)
        );
        format!("<Stacks><member>{xml}</member></Stacks>")
    }

    fn events(&self, key: &str, token: &str) -> String {
        let own = arn(key);
        let empty = vec![];
        let all: Vec<&Event> = self.events.get(key).unwrap_or(&empty).iter().rev().collect();
        let from: usize = token.parse().unwrap_or(0);
        let mut xml = String::new();
        for one in all.iter().skip(from).take(self.page) {
            let is_own = one.id.is_empty();
            let id = if is_own { ROOT } else { &one.id };
            let physical = match (is_own, one.nested.is_empty()) {
                (true, _) => own.clone(),
                (false, true) => String::new(),
                (false, false) => arn(&one.nested),
            };
            let reason = escaped(&one.reason);
            let states = if let "HOOK" | "WARN" = one.status.as_str() {
                let mode = one.status.replace("HOOK", "FAIL");
                format!(
                    "<ResourceStatus>CREATE_IN_PROGRESS</ResourceStatus><HookType>My::Org::Hook</HookType><HookStatus>HOOK_COMPLETE_FAILED</HookStatus><HookFailureMode>{mode}</HookFailureMode><HookStatusReason>{reason}</HookStatusReason>"
                )
            } else {
                format!(
                    "<ResourceStatus>{}</ResourceStatus><ResourceStatusReason>{reason}</ResourceStatusReason>",
                    one.status
                )
            };
            let operation = one.operation.map_or(String::new(), |id| {
                format!("<OperationId>{id}</OperationId>")
            });
            let _ = write!(
                xml,
                "<member><StackId>{own}</StackId><EventId>x</EventId><StackName>{ROOT}</StackName><LogicalResourceId>{id}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId><ResourceType>{}</ResourceType><ResourceProperties>{}</ResourceProperties><Timestamp>2026-11-20T12:00:00Z</Timestamp>{states}{operation}</member>",
                one.kind,
                escaped(&one.properties),
            );
        }
        let mut xml = format!("<StackEvents>{xml}</StackEvents>");
        if from + self.page < all.len() {
            let _ = write!(xml, "<NextToken>{}</NextToken>", from + self.page);
        }
        xml
    }

    fn findings(&self) -> String {
        let members = self.findings.iter().map(|[kind, operation, id, of_type, reason]| {
            let (kind, mode) = match kind.as_str() {
                "WARN" => ("HOOK_INVOCATION_ERROR", "WARN"),
                kind => (kind, "FAIL"),
            };
            let reason = escaped(reason);
            let states = if kind == "VALIDATION_ERROR" {
                format!("<ValidationFailureMode>{mode}</ValidationFailureMode><ValidationStatusReason>{reason}</ValidationStatusReason><ValidationPath>/Resources/{id}</ValidationPath>")
            } else {
                format!("<HookFailureMode>{mode}</HookFailureMode><HookStatusReason>{reason}</HookStatusReason>")
            };
            format!(
                "<member><EventType>{kind}</EventType><OperationId>{operation}</OperationId><LogicalResourceId>{id}</LogicalResourceId><ResourceType>{of_type}</ResourceType>{states}</member>"
            )
        });
        format!(
            "<OperationEvents>{}</OperationEvents>",
            members.collect::<String>()
        )
    }

    fn change_set(&self, name: &str) -> Answer {
        let Some((status, reason, values)) = self.change_sets.get(name) else {
            let message = format!("ChangeSet [{name}] does not exist");
            return Err((404, "ChangeSetNotFound", message));
        };
        Ok(format!(
            "<ChangeSetId>{name}-id</ChangeSetId><Status>{status}</Status><StatusReason>{}</StatusReason>{}",
            escaped(reason),
            parameters(values)
        ))
    }
}

fn next<T: Clone>(states: &mut Vec<T>) -> T {
    if states.len() > 1 {
        states.remove(0)
    } else {
        states[0].clone()
    }
}

fn parameters(values: &[(&str, &str)]) -> String {
    let members = values.iter().map(|(key, value)| {
        let value = escaped(value);
        format!("<member><ParameterKey>{key}</ParameterKey><ParameterValue>{value}</ParameterValue></member>")
    });
    format!("<Parameters>{}</Parameters>", members.collect::<String>())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
