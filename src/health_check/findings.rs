//! The findings of a health check.

use serde::Serialize;
use serde_json::{Value, json};

use crate::clients::failing_calls::OutOfTime;
use crate::gitops_pipeline::holds::Hold;
use crate::mirror_credential::health::ForeignTip;
use cfn_custom_resource::{Reason, ReasonCode};

/// A checked part of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub subject: String,
    pub condition: Condition,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Healthy,
    Unhealthy(Reason),
    /// A person holds it. That is wanted, so it is not a problem.
    Held(Hold),
    /// Only the health check looks at it, for this reason.
    NotLookedAt(String),
}

/// A tip that the mirror did not push to its repository.
#[derive(Debug)]
pub struct ForeignPush {
    pub repository: String,
    pub tip: ForeignTip,
}

#[derive(Debug, Default, Serialize)]
pub struct Totals {
    pub mirrors: usize,
    pub credentials: usize,
    pub pipelines: usize,
}

#[derive(Debug, Default)]
pub struct Findings {
    pub totals: Totals,
    pub created: Vec<String>,
    /// The pipelines that were started, because a push had no execution.
    pub started: Vec<String>,
    pub checks: Vec<Check>,
    pub foreign: Vec<ForeignPush>,
    /// How many resources are missing that a stack declares.
    pub missing: usize,
    /// Why something was not checked.
    pub failed: Vec<Reason>,
}

impl Check {
    /// The member of the result.
    pub fn shown(&self) -> Value {
        let mut shown = match &self.condition {
            Condition::Healthy => json!({}),
            Condition::Unhealthy(problem) => shown(problem),
            Condition::Held(hold) => json!({
                "Held": hold.to_string(),
                "Remedy": hold.remedy(),
            }),
            Condition::NotLookedAt(because) => json!({"NotLookedAt": because}),
        };
        shown["Subject"] = json!(self.subject);
        shown
    }
}

/// The members of a problem.
pub fn shown(reason: &Reason) -> Value {
    let mut shown = json!({"Problem": reason.problem, "Remedy": reason.remedy.to_string()});
    if reason.code != ReasonCode::NONE {
        shown["Code"] = json!(reason.code.0);
    }
    shown
}

/// The value of a `part` that a later version of AWS has. Nothing is concluded from it.
pub fn unknown_value(part: &str, value: &str) -> Reason {
    const REMEDY: &str = "Look at it in the console, and use a newer version of cfn-gitops";
    let value = if value.is_empty() { "empty" } else { value };
    let problem = format!("{part} is {value}, which this version of cfn-gitops does not know");
    Reason::uncoded(problem, REMEDY)
}

impl Findings {
    pub fn checked(&mut self, subject: String, problem: Option<Reason>) {
        if let Some(problem) = &problem {
            warn!(problem, subject, "unhealthy");
        }
        let condition = problem.map_or(Condition::Healthy, Condition::Unhealthy);
        self.checks.push(Check { subject, condition });
    }

    /// Adds what holds a part. It does not count as unhealthy.
    pub fn held(&mut self, subject: String, hold: Hold) {
        tracing::info!(subject, because = %hold, "held");
        let condition = Condition::Held(hold);
        self.checks.push(Check { subject, condition });
    }

    pub fn not_looked_at(&mut self, subject: String, because: String) {
        let condition = Condition::NotLookedAt(because);
        self.checks.push(Check { subject, condition });
    }

    /// Adds a resource that a stack declares and that does not exist.
    pub fn missing(&mut self, subject: String, problem: Reason) {
        self.missing += 1;
        self.checked(subject, Some(problem));
    }

    pub fn failed(&mut self, reason: impl Into<Reason>) {
        let reason = reason.into();
        warn!(reason, "check failed");
        self.failed.push(reason);
    }

    /// Adds a check that had no time for this.
    pub fn cut(&mut self, cut: &OutOfTime, what: &str) {
        let remedy = "Wait for the next health check. If it fails as well, correct the cause of the \
            failing calls, or divide the environment";
        let problem = cut.and(&format!("there was no time to {what}"));
        self.failed(Reason::uncoded(problem, remedy));
    }

    pub fn add(&mut self, other: Findings) {
        self.totals.mirrors += other.totals.mirrors;
        self.totals.credentials += other.totals.credentials;
        self.totals.pipelines += other.totals.pipelines;
        self.created.extend(other.created);
        self.started.extend(other.started);
        self.checks.extend(other.checks);
        self.foreign.extend(other.foreign);
        self.missing += other.missing;
        self.failed.extend(other.failed);
    }

    pub fn unhealthy(&self) -> Vec<Value> {
        let is_unhealthy = |check: &&Check| matches!(check.condition, Condition::Unhealthy(_));
        self.checks.iter().filter(is_unhealthy).map(Check::shown).collect()
    }

    pub fn not_checked(&self) -> Vec<Value> {
        self.failed.iter().map(shown).collect()
    }
}
