//! The metrics, in CloudWatch's embedded metric format: lines of a log that CloudWatch counts by
//! itself, without a call and a right.
//!
//! Each metric is there twice: for the environment, which alarms watch, and for the one that it is
//! about. Source:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

const NAMESPACE: &str = "CfnGitOps";

/// The dimension that every metric has.
const ENVIRONMENT: &str = "EnvID";

/// The longest value of a dimension, in characters.
const LONGEST_VALUE: usize = 1024;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// It is there, enabled, its latest push did not fail, and its login is active.
    MirrorHealthy(bool),
    /// Since its last push that succeeded.
    SecondsSinceMirrorSync(f64),
    /// Since the credential was issued, in days, for which CloudWatch has no unit.
    CredentialAge(f64),
    /// The newest run that has ended.
    PipelineSucceeded(bool),
    /// Actions that wait for somebody.
    ApprovalsWaiting(usize),
    /// Since the approval was requested that waits longest. Written only while one waits.
    SecondsSinceApprovalRequest(f64),
    /// Pipelines' stacks whose owner no longer exists.
    OrphanedPipelineStacks(usize),
    /// Something could not be looked at.
    HealthCheckFailed(bool),
}

/// What a metric is about.
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
        let value: String = value.chars().take(LONGEST_VALUE).collect();
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
