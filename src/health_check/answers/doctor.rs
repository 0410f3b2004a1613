//! All that the health check checks, each with its problem.

use std::time::Duration;

use serde_json::{Value, json};

use crate::health_check::checker::Checker;
use crate::health_check::concurrent::TimeLimits;
use crate::health_check::findings::Check;

impl Checker<'_> {
    /// Checks the same as the health check. Returns each check with its problem.
    pub(super) async fn diagnose(&self, time: Duration) -> Value {
        let results = self.check_all(&TimeLimits::of(time)).await;
        let mut findings = results.findings;
        for push in &results.stacks.suspected {
            findings.checked(push.subject(), Some(push.problem()));
        }
        let checks: Vec<Value> = findings.checks.iter().map(Check::shown).collect();
        json!({"Checks": checks, "NotChecked": findings.not_checked()})
    }
}
