//! The metrics, in CloudWatch's embedded metric format: CloudWatch reads them from lines of the
//! log, without a call and a permission.
//!
//! CloudWatch charges for each combination of a metric and its dimensions. So a metric is written
//! for the environment, which alarms use, and for its subject only while the subject has a wrong
//! value. Source:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value, json};

use self::Wrong::{Above, Below, Never};

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
    /// Which values are wrong.
    pub wrong: Wrong,
    /// The meaning of the value.
    pub meaning: &'static str,
}

/// Which values of a metric are wrong, or wait for a person. The metric's alarm has the same limit
/// (`template.yaml`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Wrong {
    /// Those below a limit.
    Below(u32),
    /// Those above a limit.
    Above(u32),
    /// None: the metric only explains others of its subject.
    Never,
}

impl Metric {
    /// Whether a value is wrong.
    pub fn is_wrong(&self, value: f64) -> bool {
        match self.wrong {
            Below(limit) => value < f64::from(limit),
            Above(limit) => value > f64::from(limit),
            Never => false,
        }
    }
}

/// Each entry: the constant, the name, the unit, the dimension and the wrong values; then the
/// meaning. `docs/metrics.json` is generated from this table, and `docs/reference/metrics.md` from
/// that file.
macro_rules! metrics {
    ($($constant:ident $name:literal $unit:literal $dimension:expr, $wrong:expr; $meaning:literal)*) => {
        $(#[doc = $meaning]
        pub const $constant: Metric = Metric {
            name: $name,
            unit: $unit,
            dimension: $dimension,
            wrong: $wrong,
            meaning: $meaning,
        };)*

        /// Every metric.
        pub const METRICS: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    MIRROR_HEALTHY "MirrorHealthy" "None" Some("GitLabProject"), Below(1);
        "1: the mirror exists, is enabled, has the settings of its stack, and pushes the branches that pipelines \
        need, its latest push did not fail, and its login is active. 0: otherwise, or GitLab cannot be reached, or a Delete has left the mirror"
    SECONDS_SINCE_MIRROR_SYNC "SecondsSinceMirrorSync" "Seconds" Some("GitLabProject"), Never;
        "seconds since the last successful push. A long time is not an error if there was nothing \
        to push"
    MIRROR_LAG_SECONDS "MirrorLagSeconds" "Seconds" Some("GitLabProject"), Above(900);
        "how long CodeCommit has lacked the latest commit of a mirrored branch, or how long ago GitLab \
        began its latest push, if that has not succeeded: the longer time. 0 if neither is the case. \
        Written only for an enabled mirror that GitLab shows"
    FOREIGN_TIPS "ForeignTips" "Count" Some("GitLabProject"), Above(0);
        "mirrored branches whose latest commit in CodeCommit was never in GitLab's branch: the mirror \
        did not push it. Written only if the branches could be compared; the log names branch and \
        commit"
    GITLAB_TOKEN_DAYS_LEFT "GitLabTokenDaysLeft" "None" Some("TokenSecretId"), Below(14);
        "days until GitLab's token expires. Written only if GitLab shows when it expires, and its \
        secret is not rotated"
    CREDENTIAL_AGE "CredentialAge" "None" Some("UserName"), Above(45);
        "days since the credential was issued. `CredentialAgeAlarmDays` is the limit"
    PIPELINE_SUCCEEDED "PipelineSucceeded" "None" Some("PipelineName"), Below(1);
        "1 or 0: result of the latest execution that succeeded or failed. Executions that were stopped, \
        superseded or rejected by a person do not count, and neither does a rollback that succeeded"
    APPROVALS_WAITING "ApprovalsWaiting" "Count" Some("PipelineName"), Above(0);
        "number of approvals that wait"
    SECONDS_SINCE_APPROVAL_REQUEST "SecondsSinceApprovalRequest" "Seconds" Some("PipelineName"), Above(86_400);
        "how long the approval that was requested first has waited. Written only while an \
        approval waits"
    REPORT_FAILURES "ReportFailures" "Count" Some("PipelineName"), Above(0);
        "parts of reports to GitLab that failed: statuses, deployments, notes. 1 more if others report \
        the same names. Written only if there is one; the log says why"
    MISSED_PUSHES "MissedPushes" "Count" Some("PipelineName"), Above(0);
        "pushes that no execution or review build had when the health check found them. Written only \
        if there is one"
    DRIFTED_RESOURCES "DriftedResources" "Count" Some("StackName"), Above(0);
        "resources of a stack that differ from its template. Written once a day for each deployed stack \
        with `Drift: Report`"
    ORPHANED_PIPELINE_STACKS "OrphanedPipelineStacks" "Count" None, Above(0);
        "stacks of pipelines whose owner, the resource `Custom::GitOpsPipeline` of a stack, no longer \
        exists; the log names each"
    OUTDATED_PIPELINE_STACKS "OutdatedPipelineStacks" "Count" None, Above(0);
        "stacks of pipelines that an older version of the function rendered; the log names each"
    MISSING_RESOURCES "MissingResources" "Count" None, Above(0);
        "resources that a stack of the environment declares and that do not exist: secrets, IAM users, \
        pipelines with their stacks, the outputs of these, repositories and event rules. Paths of pipelines' \
        projects in GitLab that lead to other projects count too. Written only if there is one; the log names each \
        with its remedy"
    HEALTH_CHECK_FAILED "HealthCheckFailed" "None" None, Above(0);
        "1: something could not be checked, or the checks of an hour do not reach everything"
}

/// One line of the log with metrics of one dimension. `subject` is its value: a project in GitLab,
/// by number or full path, a token's secret, an IAM user, or a pipeline; empty for the environment.
/// If one of the metrics is wrong, all are written for the subject, too: the others explain it.
pub fn line(now: SystemTime, env_id: &str, subject: &str, metrics: &[(Metric, Value)]) -> Value {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut line = Map::new();
    let mut dimensions = vec![vec![ENVIRONMENT]];
    line.insert(ENVIRONMENT.to_owned(), json!(env_id));
    if let Some(dimension) = metrics.first().and_then(|(metric, _)| metric.dimension) {
        let is_wrong =
            |(metric, value): &(Metric, Value)| metric.is_wrong(value.as_f64().unwrap_or_default());
        if metrics.iter().any(is_wrong) {
            dimensions.push(vec![ENVIRONMENT, dimension]);
        }
        let value: String = subject.chars().take(MAX_VALUE_CHARACTERS).collect();
        line.insert(dimension.to_owned(), json!(value));
    }
    let mut described = vec![];
    for (Metric { name, unit, .. }, value) in metrics {
        described.push(json!({"Name": name, "Unit": unit}));
        line.insert((*name).to_owned(), value.clone());
    }
    let milliseconds = u64::try_from(since.as_millis()).unwrap_or_default();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": described});
    let metadata = json!({"Timestamp": milliseconds, "CloudWatchMetrics": [directive]});
    line.insert("_aws".to_owned(), metadata);
    Value::Object(line)
}
