//! The alarms of `template.yaml`, evaluated over the metrics of health checks.

use serde_json::Value;

use crate::fixture::Looked;
use fake_aws::yaml;

/// The names of the alarms that CloudWatch raises after these health checks, one in each period, the
/// latest last. All have the environment's metrics.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html>
pub fn raised(checks: &[Looked]) -> Vec<String> {
    let template = yaml::read(include_str!("../../template.yaml"));
    let resources = template["Resources"].as_object().expect("resources");
    let alarms = resources.iter().filter(|(_, one)| {
        one["Type"] == "AWS::CloudWatch::Alarm" && one["Properties"]["Namespace"] == "CfnGitOps"
    });
    let raised = alarms.filter(|(_, one)| is_raised(&one["Properties"], checks));
    raised.map(|(name, _)| name.clone()).collect()
}

fn is_raised(alarm: &Value, checks: &[Looked]) -> bool {
    let periods = alarm["EvaluationPeriods"].as_u64().expect("a number");
    let needed = alarm["DatapointsToAlarm"].as_u64().unwrap_or(periods);
    let metric = alarm["MetricName"].as_str().expect("a name");
    // A parameter is the fixture's limit.
    let threshold = alarm["Threshold"].as_f64().unwrap_or(10.0);
    // "notBreaching" of a missing value.
    assert_eq!(alarm["TreatMissingData"], "notBreaching", "{metric}");
    let breaches = |check: &Looked| {
        let values = check.lines.iter().filter_map(|line| line[metric].as_f64());
        let mut values = values.collect::<Vec<f64>>().into_iter();
        match alarm["ComparisonOperator"].as_str() {
            Some("LessThanThreshold") => values.any(|value| value < threshold),
            Some("GreaterThanThreshold") => values.any(|value| value > threshold),
            other => panic!("{other:?}"),
        }
    };
    let latest = checks.iter().rev().take(usize::try_from(periods).expect("a few"));
    latest.filter(|check| breaches(check)).count() as u64 >= needed
}
