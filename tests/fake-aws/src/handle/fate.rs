//! The result of a call that has reached this fake AWS.

use std::time::Duration;

use crate::{
    account::recorded_exchanges,
    handle::{
        FakeAws, Inner,
        faults::{At, Fault, FaultKind, Lasting},
        gate::Gate,
    },
    journal::Entry,
    request::{Call, Service},
    world::response::{ApiResponse, Denied},
};

/// The result of a call, for the caller's connection.
pub enum Fate {
    Answered(ApiResponse),
    /// The connection breaks: the outcome is unknown to the caller.
    Broken,
    /// Nothing ever comes back.
    Silent,
    /// The caller is killed here.
    Fatal,
}

impl FakeAws {
    pub(crate) fn wait_at(&self, gate: Gate) {
        self.inner().gate = Some(gate);
    }

    pub(crate) fn gate(&self) -> Option<Gate> {
        self.inner().gate.clone()
    }

    pub fn complain(&self, complaint: &str) {
        self.inner().aws.complaints.push(complaint.to_owned());
    }

    /// Gives a call its index among the caller's.
    pub fn number(&self, caller: &str, call: &Call) -> usize {
        let mut inner = self.inner();
        if inner.keeps_no_journal {
            return 0;
        }
        let numbered = inner.numbered.entry(caller.to_owned()).or_default();
        numbered.push(call.operation.clone());
        numbered.len() - 1
    }

    /// The time until the caller's current call reaches AWS.
    pub(crate) fn take_hold(&self, caller: &str) -> Option<Duration> {
        let mut inner = self.inner();
        let numbered = inner.numbered.get(caller)?;
        let is_held =
            |(whose, at, _): &(String, At, Duration)| whose == caller && at.is_last_of(numbered);
        let found = inner.held.iter().position(is_held)?;
        Some(inner.held.remove(found).2)
    }

    /// The time that each answer takes. `None` if answers take none, and calls must not yield.
    pub(crate) fn latency(&self) -> Option<Duration> {
        let latency = self.inner().aws.options.latency;
        Some(latency).filter(|latency| !latency.is_zero())
    }

    /// A call meets its fate.
    pub fn meet(&self, caller: &str, index: usize, call: &Call) -> Fate {
        let mut inner = self.inner();
        inner.catch_up();
        let fault = inner.take_fault(caller, index).or_else(|| inner.lasting_fault(call));
        let executed = fault.is_none_or(FaultKind::executes);
        let answer = executed.then(|| inner.execute(caller, call));
        if matches!(
            fault,
            Some(FaultKind::KilledBefore | FaultKind::KilledAfter)
        ) {
            inner.aws.note_cut_off(caller);
        }
        let outcome = |lost: &str| match &answer {
            Some(answer) => format!("{}, {lost}", name_of(answer)),
            None => lost.to_owned(),
        };
        let (outcome, fate) = match fault {
            None => (answer.as_ref().map_or_else(String::new, name_of), None),
            Some(FaultKind::RequestLost) => (outcome("request lost"), Some(Fate::Broken)),
            Some(FaultKind::AnswerLost) => (outcome("answer lost"), Some(Fate::Broken)),
            Some(FaultKind::RequestHangs) => (outcome("request hangs"), Some(Fate::Silent)),
            Some(FaultKind::AnswerHangs) => (outcome("answer hangs"), Some(Fate::Silent)),
            Some(FaultKind::KilledBefore) => (outcome("killed before"), Some(Fate::Fatal)),
            Some(FaultKind::KilledAfter) => (outcome("killed after"), Some(Fate::Fatal)),
            Some(
                kind @ (FaultKind::InternalError500
                | FaultKind::Throttled
                | FaultKind::NotFoundYet
                | FaultKind::Denied
                | FaultKind::DeniedExplicitly),
            ) => {
                let (action, resource) = call.action_and_resource();
                let denied =
                    |why| ApiResponse::denied_because(call.service, &action, &resource, why);
                let answer = match kind {
                    FaultKind::Throttled => ApiResponse::throttled(call.service),
                    FaultKind::NotFoundYet => {
                        ApiResponse::error(call.service, &inner.aws.not_found(call))
                    }
                    FaultKind::Denied => denied(Denied::NoPolicy),
                    FaultKind::DeniedExplicitly => denied(Denied::Explicitly),
                    _ => ApiResponse::internal_error(call.service),
                };
                (name_of(&answer), Some(Fate::Answered(answer)))
            }
        };
        let fate =
            fate.unwrap_or_else(|| Fate::Answered(answer.expect("executed without a fault")));
        inner.count(&outcome);
        if let Fate::Answered(answer) = &fate {
            recorded_exchanges::record(&inner.aws.world, caller, call, answer);
        }
        if inner.keeps_no_journal {
            return fate;
        }
        let entry = Entry {
            sequence: inner.journal.len(),
            caller: caller.to_owned(),
            index,
            service: call.service,
            operation: call.operation.clone(),
            params: call.shown(),
            at: inner.aws.now,
            executed,
            answered: match &fate {
                Fate::Answered(answer) => Some(answer.status),
                _ => None,
            },
            outcome,
        };
        inner.journal.push(entry);
        if executed && !call.reads() {
            inner.check(&format!("{caller}#{index} {}", call.operation));
        }
        fate
    }
}

impl Inner {
    fn execute(&mut self, caller: &str, call: &Call) -> ApiResponse {
        let answer = self.aws.execute(call, caller);
        if call.service == Service::ResponseBucket
            && answer.status == 200
            && let Some(delivery) = self.aws.responses.last_mut()
        {
            caller.clone_into(&mut delivery.caller);
        }
        answer
    }

    fn take_fault(&mut self, caller: &str, index: usize) -> Option<FaultKind> {
        let numbered = self.numbered.get(caller)?.get(..=index)?;
        let strikes =
            |(whose, fault): &(String, Fault)| whose == caller && fault.at.is_last_of(numbered);
        let found = self.faults.iter().position(strikes)?;
        let (_, fault) = &self.faults[found];
        if matches!(fault.at, At::Since(_)) {
            return Some(fault.kind);
        }
        Some(self.faults.remove(found).1.kind)
    }

    fn lasting_fault(&self, call: &Call) -> Option<FaultKind> {
        let strikes = |lasting: &&Lasting| lasting.strikes(call, &self.aws.gitlab);
        let found = self.lasting.iter().find(strikes);
        found.map(|lasting| lasting.kind)
    }
}

fn name_of(answer: &ApiResponse) -> String {
    match (answer.status, answer.code) {
        (200, _) => "ok".to_owned(),
        (status, Some(code)) => format!("{code} ({status})"),
        (status, None) => status.to_string(),
    }
}
