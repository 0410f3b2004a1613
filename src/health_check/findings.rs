//! The findings of a health check.

use serde::Serialize;

use crate::clients::failing_calls::OutOfTime;
use crate::gitops_pipeline::holds::Hold;
use crate::mirror_credential::health::ForeignTip;
use cfn_custom_resource::{Reason, ReasonCode, Remedy};

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
    /// A stack declares it, and it does not exist.
    Missing(Reason),
    /// A pipeline whose newest end is a failure.
    Failed(Reason),
    /// An older function rendered the pipeline's stack.
    Outdated(Reason),
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
    /// Why something was not checked.
    pub failed: Vec<Reason>,
}

/// A checked part. It is sound if it has only a subject.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShownCheck {
    pub subject: String,
    #[serde(flatten)]
    pub problem: Option<Problem>,
    #[serde(flatten)]
    pub held: Option<HeldPart>,
    /// Why the function has no right to look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_looked_at: Option<String>,
}

/// A person holds it, which is not a problem.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HeldPart {
    pub held: String,
    pub remedy: Remedy,
}

/// A problem, or why something was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[expect(clippy::struct_field_names, reason = "it has the member's name")]
pub struct Problem {
    pub problem: String,
    pub remedy: Remedy,
    /// Such as `CFG-401`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
}

impl Problem {
    pub fn new(problem: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Problem {
            problem: problem.into(),
            remedy: remedy.into(),
            code: None,
        }
    }
}

impl From<&Reason> for Problem {
    fn from(reason: &Reason) -> Self {
        Problem {
            code: Some(reason.code.0).filter(|_| reason.code != ReasonCode::NONE),
            ..Problem::new(&*reason.problem, reason.remedy.clone())
        }
    }
}

impl From<&Check> for ShownCheck {
    fn from(check: &Check) -> Self {
        let mut shown = ShownCheck {
            subject: check.subject.clone(),
            ..ShownCheck::default()
        };
        shown.problem = check.condition.problem().map(Into::into);
        match &check.condition {
            Condition::Held(hold) => {
                shown.held = Some(HeldPart {
                    held: hold.to_string(),
                    remedy: hold.remedy(),
                });
            }
            Condition::NotLookedAt(because) => shown.not_looked_at = Some(because.clone()),
            _ => {}
        }
        shown
    }
}

/// The value of a `part` that a later version of AWS has. Nothing is concluded from it.
pub fn unknown_value(part: &str, value: &str) -> Reason {
    const REMEDY: &str = "Look at it in the console, and use a newer version of cfn-gitops";
    let value = if value.is_empty() { "empty" } else { value };
    let problem = format!("{part} is {value}, which this version of cfn-gitops does not know");
    Reason::uncoded(problem, REMEDY)
}

impl Condition {
    /// `None` if a person need not act.
    pub fn problem(&self) -> Option<&Reason> {
        match self {
            Condition::Unhealthy(problem)
            | Condition::Missing(problem)
            | Condition::Failed(problem)
            | Condition::Outdated(problem) => Some(problem),
            Condition::Healthy | Condition::Held(_) | Condition::NotLookedAt(_) => None,
        }
    }
}

impl Findings {
    pub fn add_check(&mut self, subject: String, condition: Condition) {
        if let Some(problem) = condition.problem() {
            warn!(problem, subject, "unhealthy");
        } else if let Condition::Held(hold) = &condition {
            tracing::info!(subject, because = %hold, "held");
        }
        self.checks.push(Check { subject, condition });
    }

    pub fn checked(&mut self, subject: String, problem: Option<Reason>) {
        let condition = problem.map_or(Condition::Healthy, Condition::Unhealthy);
        self.add_check(subject, condition);
    }

    pub fn held(&mut self, subject: String, hold: Hold) {
        self.add_check(subject, Condition::Held(hold));
    }

    pub fn not_looked_at(&mut self, subject: String, because: String) {
        self.add_check(subject, Condition::NotLookedAt(because));
    }

    pub fn missing(&mut self, subject: String, problem: Reason) {
        self.add_check(subject, Condition::Missing(problem));
    }

    /// How many resources are missing that a stack declares.
    pub fn count_missing(&self) -> usize {
        let missing = self.checks.iter();
        missing.filter(|check| matches!(check.condition, Condition::Missing(_))).count()
    }

    pub fn failed(&mut self, reason: impl Into<Reason>) {
        let reason = reason.into();
        warn!(reason, "check failed");
        self.failed.push(reason);
    }

    /// Adds a check that had no time for this.
    pub fn cut(&mut self, cut: &OutOfTime, what: &str) {
        let remedy = "Try again, or wait for the next health check. If it fails as well, correct the cause of \
            the failing calls, or divide the environment";
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
        self.failed.extend(other.failed);
    }

    pub fn unhealthy(&self) -> Vec<ShownCheck> {
        let unhealthy = self.checks.iter().filter(|check| check.condition.problem().is_some());
        unhealthy.map(Into::into).collect()
    }

    pub fn not_checked(&self) -> Vec<Problem> {
        self.failed.iter().map(Into::into).collect()
    }
}
