//! Every project of the environment, with all that needs a person.

use std::time::Duration;

use serde_json::{Value, json};

use crate::gitops_pipeline::names::ResourceNames;
use crate::health_check::checker::Checker;

impl Checker<'_> {
    /// A row of each project, or of `only` this one.
    #[allow(clippy::unused_self)] // Not written yet.
    pub(super) fn projects(&self, _only: Option<&ResourceNames>, _time: Duration) -> Value {
        json!({"Projects": [], "NotRead": []})
    }
}
