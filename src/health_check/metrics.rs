//! The metrics, in CloudWatch's embedded metric format: CloudWatch reads them from lines of the log,
//! without a call and a permission.
//!
//! Each metric is written twice: for the environment, which alarms use, and for its subject. Source:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

const NAMESPACE: &str = "CfnGitOps";

/// The dimension that every metric has.
const ENVIRONMENT: &str = "EnvID";

/// The most characters of a dimension's value.
const MAX_VALUE_CHARACTERS: usize = 1024;

/// A metric and its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// Whether the mirror exists and is enabled, its latest push did not fail, and its login is active.
    MirrorHealthy(bool),
    /// The time since the last successful push.
    SecondsSinceMirrorSync(f64),
    /// The time since the credential was issued, in days, for which CloudWatch has no unit.
    CredentialAge(f64),
    /// Whether the latest completed execution succeeded.
    PipelineSucceeded(bool),
    /// The number of approval actions that wait.
    ApprovalsWaiting(usize),
    /// The time since the oldest open approval request. Written only while one is open.
    SecondsSinceApprovalRequest(f64),
    /// The number of pipeline stacks whose owner no longer exists.
    OrphanedPipelineStacks(usize),
    /// Whether a check failed.
    HealthCheckFailed(bool),
}

/// The subject of a metric.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// The environment as a whole.
    Environment,
    /// A project in GitLab, by number or full path.
    Project(&'a str),
    /// An IAM user.
    User(&'a str),
    /// A pipeline.
    Pipeline(&'a str),
}

impl Metric {
    fn name_and_unit(self) -> (&'static str, &'static str) {
        match self {
            Metric::MirrorHealthy(_) => ("MirrorHealthy", "None"),
            Metric::SecondsSinceMirrorSync(_) => ("SecondsSinceMirrorSync", "Seconds"),
            Metric::CredentialAge(_) => ("CredentialAge", "None"),
            Metric::PipelineSucceeded(_) => ("PipelineSucceeded", "None"),
            Metric::ApprovalsWaiting(_) => ("ApprovalsWaiting", "Count"),
            Metric::SecondsSinceApprovalRequest(_) => ("SecondsSinceApprovalRequest", "Seconds"),
            Metric::OrphanedPipelineStacks(_) => ("OrphanedPipelineStacks", "Count"),
            Metric::HealthCheckFailed(_) => ("HealthCheckFailed", "None"),
        }
    }

    fn value(self) -> Value {
        match self {
            Metric::MirrorHealthy(yes)
            | Metric::PipelineSucceeded(yes)
            | Metric::HealthCheckFailed(yes) => json!(u8::from(yes)),
            Metric::SecondsSinceMirrorSync(value)
            | Metric::CredentialAge(value)
            | Metric::SecondsSinceApprovalRequest(value) => json!(value),
            Metric::ApprovalsWaiting(count) | Metric::OrphanedPipelineStacks(count) => json!(count),
        }
    }
}

impl<'a> Subject<'a> {
    fn dimension(self) -> Option<(&'static str, &'a str)> {
        match self {
            Subject::Environment => None,
            Subject::Project(project) => Some(("GitLabProject", project)),
            Subject::User(name) => Some(("UserName", name)),
            Subject::Pipeline(name) => Some(("PipelineName", name)),
        }
    }
}

/// One line of the log.
pub fn line(now: SystemTime, env_id: &str, subject: &Subject<'_>, metrics: &[Metric]) -> Value {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut line = Map::new();
    let mut dimensions = vec![vec![ENVIRONMENT]];
    line.insert(ENVIRONMENT.to_owned(), json!(env_id));
    if let Some((name, value)) = subject.dimension() {
        dimensions.push(vec![ENVIRONMENT, name]);
        let value: String = value.chars().take(MAX_VALUE_CHARACTERS).collect();
        line.insert(name.to_owned(), json!(value));
    }
    let mut described = vec![];
    for metric in metrics {
        let (name, unit) = metric.name_and_unit();
        described.push(json!({"Name": name, "Unit": unit}));
        line.insert(name.to_owned(), metric.value());
    }
    let milliseconds = u64::try_from(since.as_millis()).unwrap_or_default();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": milliseconds,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": dimensions,
                "Metrics": described,
            }],
        }),
    );
    Value::Object(line)
}
