//! The deployments of a project that can be started again, and what holds its pipeline.

use std::time::Duration;

use serde_json::{Value, json};

use crate::gitops_pipeline::names::ResourceNames;
use crate::health_check::checker::Checker;

/// The project, and an execution of its pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedDeployments {
    pub names: ResourceNames,
    /// The answer is about this execution alone. `None` for the latest deployments.
    pub execution_id: Option<String>,
}

impl Checker<'_> {
    /// The latest deployments of a project, or the state of one execution.
    #[allow(clippy::unused_self)] // Not written yet.
    pub(super) fn deployments(&self, asked: &AskedDeployments, _time: Duration) -> Value {
        json!({"ProjectID": asked.names.project_id, "Pipeline": asked.names.pipeline()})
    }
}
