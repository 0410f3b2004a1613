//! The findings of a health check.

use serde::Serialize;
use serde_json::{Value, json};

use crate::mirror_credential::health::ForeignTip;

/// A checked part of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub subject: String,
    /// With the remedy. `None` if there is none.
    pub problem: Option<String>,
}

#[derive(Debug, Default, Serialize)]
pub struct Totals {
    pub mirrors: usize,
    pub credentials: usize,
    pub pipelines: usize,
}

/// The findings of a health check.
#[derive(Debug, Default)]
pub struct Findings {
    pub totals: Totals,
    pub created: Vec<String>,
    /// The pipelines that were started, because a push had no execution.
    pub started: Vec<String>,
    pub checks: Vec<Check>,
    /// The tips that the mirrors did not push, each with its repository.
    pub foreign: Vec<(String, ForeignTip)>,
    /// How many resources are missing that a stack declares.
    pub missing: usize,
    /// Why something was not checked.
    pub failed: Vec<String>,
}

impl Check {
    /// The member of a diagnosis.
    pub fn shown(&self) -> Value {
        match &self.problem {
            Some(problem) => json!({"Subject": self.subject, "Problem": problem}),
            None => json!({"Subject": self.subject}),
        }
    }
}

impl Findings {
    /// Adds a checked resource with its problem.
    pub fn checked(&mut self, subject: String, problem: Option<String>) {
        if let Some(problem) = &problem {
            tracing::warn!(what = format!("{subject}: {problem}"), "unhealthy");
        }
        self.checks.push(Check { subject, problem });
    }

    /// Adds a resource that a stack declares and that does not exist.
    pub fn missing(&mut self, subject: String, problem: String) {
        self.missing += 1;
        self.checked(subject, Some(problem));
    }

    /// Adds a failed check.
    pub fn failed(&mut self, why: &str) {
        tracing::warn!(why, "check failed");
        self.failed.push(why.to_owned());
    }

    /// Adds the findings of `other` after these.
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

    /// Each problem with its subject.
    pub fn unhealthy(&self) -> Vec<String> {
        let unhealthy = self.checks.iter().filter_map(|check| {
            let problem = check.problem.as_ref()?;
            Some(format!("{}: {problem}", check.subject))
        });
        unhealthy.collect()
    }
}
