//! The drift that the health check has found. CloudFormation does not show it as the stack's.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::row::Row;
use crate::common::ownership::write_time;
use crate::health_check::checker::{Checker, listed};
use crate::health_check::concurrent::TimeLimits;
use crate::health_check::findings::Findings;
use crate::health_check::metrics::{DRIFTED_RESOURCES, ENVIRONMENT, NAMESPACE};

/// A comparison is repeated once a day. Its metric has a stack only while the stack has drift, so
/// its absence proves nothing.
const MAX_AGE: Duration = Duration::from_hours(25);

impl Checker<'_> {
    /// Adds it to the stacks of `rows`.
    pub(super) async fn add_found_drift(
        &self,
        rows: &mut BTreeMap<String, Row>,
        findings: &mut Findings,
        limits: &TimeLimits,
    ) {
        let stacks = || rows.values().flat_map(|row| &row.drift);
        let metric = |stack: &Value| {
            let (env_id, subject) = (&self.environment.id, DRIFTED_RESOURCES.dimension);
            json!({
                "Namespace": NAMESPACE,
                "MetricName": DRIFTED_RESOURCES.name,
                "Dimensions": [
                    {"Name": ENVIRONMENT, "Value": env_id},
                    {"Name": subject, "Value": stack["StackName"]},
                ],
            })
        };
        let metrics: Vec<Value> = stacks().map(metric).collect();
        let began = self.schedule.began;
        let last = self.clients.aws.metrics.last_above_zero(&metrics, began - MAX_AGE..began);
        let last = listed(last, findings, limits).await.unwrap_or_default();
        let stacks = rows.values_mut().flat_map(|row| &mut row.drift);
        for (stack, at) in stacks.zip(last).filter_map(|(stack, at)| Some((stack, at?))) {
            stack["Status"] = json!("DRIFTED");
            stack["CheckedAt"] = json!(write_time(at));
            stack["ByHealthCheck"] = json!(true);
        }
    }
}
