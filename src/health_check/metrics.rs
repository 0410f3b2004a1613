//! The metrics, in CloudWatch's embedded metric format: CloudWatch reads them from lines of the log,
//! without a call and a permission.
//!
//! Each metric is written twice: for the environment, which alarms use, and for its subject. Source:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value, json};

/// CloudWatch's namespace of the metrics.
pub const NAMESPACE: &str = "CfnGitOps";

/// The dimension that every metric has.
const ENVIRONMENT: &str = "EnvID";

/// The most characters of a dimension's value.
const MAX_VALUE_CHARACTERS: usize = 1024;

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Metric {
    /// The name in CloudWatch.
    pub name: &'static str,
    /// CloudWatch's unit. There is none for days.
    pub unit: &'static str,
    /// The dimension of its subject. `None` for a metric of the environment as a whole.
    pub dimension: Option<&'static str>,
    /// What the value means.
    pub meaning: &'static str,
}

/// Each entry: the constant, the name, the unit and the dimension; then the meaning.
/// `docs/metrics.json` is generated from this table, and `docs/reference/metrics.md` from that file.
macro_rules! metrics {
    ($($constant:ident $name:literal $unit:literal $dimension:expr; $meaning:literal)*) => {
        $(#[doc = $meaning]
        pub const $constant: Metric = Metric {
            name: $name,
            unit: $unit,
            dimension: $dimension,
            meaning: $meaning,
        };)*

        /// Every metric.
        pub const METRICS: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    MIRROR_HEALTHY "MirrorHealthy" "None" Some("GitLabProject");
        "1: the mirror exists, is enabled, its latest push did not fail, and its login is active. \
        0: otherwise, or GitLab cannot be reached"
    SECONDS_SINCE_MIRROR_SYNC "SecondsSinceMirrorSync" "Seconds" Some("GitLabProject");
        "seconds since the last successful push. A long time is not an error if there was nothing \
        to push"
    MIRROR_LAG_SECONDS "MirrorLagSeconds" "Seconds" Some("GitLabProject");
        "how long CodeCommit has lacked the latest commit of a mirrored branch, or how long ago GitLab \
        began its latest push, if that has not succeeded: the longer time. 0 if neither is the case. \
        Written only for an enabled mirror that GitLab shows"
    FOREIGN_TIPS "ForeignTips" "Count" Some("GitLabProject");
        "mirrored branches whose latest commit in CodeCommit was never in GitLab's branch: the mirror \
        did not push it. Written only if the branches could be compared; the log names branch and \
        commit"
    GITLAB_TOKEN_DAYS_LEFT "GitLabTokenDaysLeft" "None" Some("TokenSecretId");
        "days until GitLab's token expires. Written only if GitLab shows when it expires"
    CREDENTIAL_AGE "CredentialAge" "None" Some("UserName");
        "days since the credential was issued"
    PIPELINE_SUCCEEDED "PipelineSucceeded" "None" Some("PipelineName");
        "1 or 0: result of the latest execution that succeeded or failed. A rejected approval \
        counts as a failure. Stopped and superseded executions do not count"
    APPROVALS_WAITING "ApprovalsWaiting" "Count" Some("PipelineName");
        "number of approvals that wait"
    SECONDS_SINCE_APPROVAL_REQUEST "SecondsSinceApprovalRequest" "Seconds" Some("PipelineName");
        "how long the approval that was requested first has waited. Written only while an \
        approval waits"
    REPORT_FAILURES "ReportFailures" "Count" Some("PipelineName");
        "parts of reports to GitLab that failed: statuses, deployments, notes. Written only if \
        there is one; the log says why"
    MISSED_PUSHES "MissedPushes" "Count" Some("PipelineName");
        "pushes that no execution or review build had when the health check found them. Written only \
        if there is one"
    DRIFTED_RESOURCES "DriftedResources" "Count" Some("StackName");
        "resources of a stack that differ from its template. Written once a day for each pipeline's \
        stack, and for each deployed stack with `Drift: Report`"
    ORPHANED_PIPELINE_STACKS "OrphanedPipelineStacks" "Count" None;
        "stacks of pipelines whose owner, the stack with the `Custom::GitOpsPipeline`, no longer \
        exists; the log names each with the command that deletes it"
    OUTDATED_PIPELINE_STACKS "OutdatedPipelineStacks" "Count" None;
        "stacks of pipelines that an older version of the function rendered; the log names each"
    HEALTH_CHECK_FAILED "HealthCheckFailed" "None" None;
        "1: something could not be checked, or the checks of an hour do not reach everything"
}

/// One line of the log with metrics of one dimension. `subject` is its value: a project in GitLab, by
/// number or full path, a token's secret, an IAM user, or a pipeline; empty for the environment.
pub fn line(now: SystemTime, env_id: &str, subject: &str, metrics: &[(Metric, Value)]) -> Value {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut line = Map::new();
    let mut dimensions = vec![vec![ENVIRONMENT]];
    line.insert(ENVIRONMENT.to_owned(), json!(env_id));
    if let Some(dimension) = metrics.first().and_then(|(metric, _)| metric.dimension) {
        dimensions.push(vec![ENVIRONMENT, dimension]);
        let value: String = subject.chars().take(MAX_VALUE_CHARACTERS).collect();
        line.insert(dimension.to_owned(), json!(value));
    }
    let mut described = vec![];
    for (Metric { name, unit, .. }, value) in metrics {
        described.push(json!({"Name": name, "Unit": unit}));
        line.insert((*name).to_owned(), value.clone());
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
