//! The drift that the health check has found. CloudFormation does not show it as the stack's.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::row::Row;
use crate::common::ownership::write_time;
use crate::gitops_pipeline::names;
use crate::health_check::answers::not_read::ReadLimit;
use crate::health_check::checker::Checker;
use crate::health_check::metrics::{DRIFTED_RESOURCES, ENVIRONMENT, NAMESPACE};
use cfn_custom_resource::Reason;

/// A comparison is repeated once a day. Its metric has a stack only while the stack has drift, so
/// its absence proves nothing.
const MAX_AGE: Duration = Duration::from_hours(25);

/// The beginnings of the last hours in which stacks had drift, by the names of the stacks.
pub type FoundDrift = BTreeMap<String, SystemTime>;

impl Checker<'_> {
    /// The drift of the deployed stacks of `rows`: the health check compares no other.
    pub(super) async fn found_drift(
        &self,
        rows: &BTreeMap<String, Row>,
        limit: ReadLimit,
    ) -> Result<FoundDrift, Reason> {
        let drift = rows.values().flat_map(|row| &row.drift);
        let own = names::STACK.prefix(&self.environment.id);
        let stacks = drift.filter_map(|it| it["StackName"].as_str());
        let stacks: Vec<&str> = stacks.filter(|stack| !stack.starts_with(&own)).collect();
        let metric = |stack: &&str| {
            let (env_id, subject) = (&self.environment.id, DRIFTED_RESOURCES.dimension);
            json!({
                "Namespace": NAMESPACE,
                "MetricName": DRIFTED_RESOURCES.name,
                "Dimensions": [
                    {"Name": ENVIRONMENT, "Value": env_id},
                    {"Name": subject, "Value": stack},
                ],
            })
        };
        let metrics: Vec<Value> = stacks.iter().map(metric).collect();
        let began = self.schedule.began;
        let reading = self.clients.aws.metrics.last_above_zero(&metrics, began - MAX_AGE..began);
        let last = limit.read("the metric DriftedResources".to_owned(), reading).await?;
        let found = stacks.into_iter().zip(last);
        Ok(found.filter_map(|(stack, at)| Some((stack.to_owned(), at?))).collect())
    }
}

impl Row {
    /// Adds the drift that was `found` beside CloudFormation's own check. Which of both is later is
    /// not known: their times are of two clocks.
    pub(super) fn add_found_drift(&mut self, found: &FoundDrift) {
        let added = self.drift.iter().filter_map(|of_stack| {
            let stack = of_stack["StackName"].as_str()?;
            let at = *found.get(stack)?;
            Some(json!({
                "StackName": stack,
                "Status": "DRIFTED",
                "CheckedAt": write_time(at),
                "ByHealthCheck": true,
            }))
        });
        let added: Vec<Value> = added.collect();
        self.drift.extend(added);
    }
}
