//! The context of the checks of one invocation.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::time::Instant;

use super::concurrent::TimeLimits;
use super::findings::Findings;
use super::metrics;
use super::metrics::Metric;
use super::request::Environment;
use super::schedule::Schedule;
use crate::clients::Clients;
use crate::clients::aws::CallError;
use crate::clients::failing_calls::within;
use crate::gitops_pipeline::GitOpsPipeline;
use crate::mirror_credential::MirrorCredential;
use cfn_custom_resource::Reason;

/// Receives each line for CloudWatch.
pub type Emit<'a> = &'a (dyn Fn(Value) + Send + Sync);

/// The effects of the checks.
#[derive(Clone, Copy)]
pub enum Mode<'a> {
    /// They repair, and write metrics.
    Check(Emit<'a>),
    /// They change nothing, write no metrics, and read no value of a mirror's secret.
    Diagnosis,
}

/// The checks of one invocation.
#[derive(Clone, Copy)]
pub struct Checker<'a> {
    pub environment: &'a Environment,
    pub clients: &'a Clients,
    pub mirror_credential: &'a MirrorCredential,
    pub gitops_pipeline: &'a GitOpsPipeline,
    pub mode: Mode<'a>,
    pub schedule: Schedule,
}

impl Checker<'_> {
    pub(crate) fn emit(&self, subject: &str, metrics: &[(Metric, Value)]) {
        if let Mode::Check(emit) = self.mode {
            emit(metrics::line(
                self.schedule.began,
                &self.environment.id,
                subject,
                metrics,
            ));
        }
    }

    /// Whether the checks may change something.
    pub fn may_change(&self) -> bool {
        matches!(self.mode, Mode::Check(_))
    }

    /// How long ago `time` was.
    pub fn since(&self, time: SystemTime) -> Duration {
        // Clocks differ a little, so the time may be in the future.
        self.schedule.began.duration_since(time).unwrap_or_default()
    }

    /// Reports that `left` of all resources of a `kind` were not checked.
    pub fn report_left(&self, kind: &str, left: usize, all: usize, findings: &mut Findings) {
        let problem = format!("there was no time to check {left} of {all} {kind}");
        if !self.schedule.is_covered(left, all) {
            let remedy = match self.schedule.interval {
                Some(interval) if interval > Duration::from_mins(15) => {
                    "Set HealthCheckMinutes to 15, or divide the environment"
                }
                Some(_) => "Divide the environment",
                None => "Look for the others in the log of the scheduled health checks",
            };
            findings.failed(Reason::uncoded(problem, remedy));
        } else if left > 0 {
            tracing::warn!(
                error = problem,
                "no time to check all: the next checks begin with others"
            );
        }
    }
}

/// The result of a `listing`. `None` if it failed, or if the time is over.
pub async fn listed<T>(
    listing: impl Future<Output = Result<T, CallError>>,
    findings: &mut Findings,
    limits: &TimeLimits,
) -> Option<T> {
    let time = limits.checks_end.saturating_duration_since(Instant::now());
    match within(time, Box::pin(listing)).await {
        Ok(Ok(listed)) => return Some(listed),
        Ok(Err(error)) => findings.failed(error),
        Err(cut) => findings.cut(&cut, "list everything"),
    }
    None
}
