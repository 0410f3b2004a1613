//! Fake AWSs with a thousand stacks, or for a whole day: their memory is bounded.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    handle::{FakeAws, Inner},
    journal::Count,
    request::Call,
    services::{functions::Invoked, response_bucket::SentResponse, stacks::Stack},
};

impl FakeAws {
    /// From now on only counts calls. Faults at a caller's calls have no
    /// effect then.
    pub fn keep_no_journal(&self) {
        self.inner().keeps_no_journal = true;
    }

    /// All calls so far.
    pub fn calls(&self) -> Count {
        let inner = self.inner();
        let add = |sum: Count, one: &Count| Count {
            calls: sum.calls + one.calls,
            throttled: sum.throttled + one.throttled,
        };
        inner.tally.values().fold(Count::default(), add)
    }

    /// How often each operation was called so far.
    pub fn calls_by_operation(&self) -> BTreeMap<String, usize> {
        let inner = self.inner();
        let counts = inner.tally.iter();
        counts.map(|((_, operation), count)| (operation.clone(), count.calls)).collect()
    }

    /// The answers that have arrived at an address, which are not kept any longer.
    pub fn take_responses_to(&self, url: &str) -> Vec<SentResponse> {
        let mut inner = self.inner();
        let all = &mut inner.aws.responses;
        all.extract_if(.., |one| one.url == url).collect()
    }

    /// This caller's invocations of the function.
    pub fn take_invocations_of(&self, caller: &str) -> Vec<Invoked> {
        let mut inner = self.inner();
        let all = &mut inner.aws.invocations;
        all.extract_if(.., |one| one.caller == caller).collect()
    }

    /// Deletes the records that only tests read, and those that AWS keeps of deleted resources: the
    /// next hour's fake is not larger than this hour's.
    pub fn drop_deleted_resources(&self) {
        let mut inner = self.inner();
        inner.catch_up();
        inner.journal.clear();
        inner.numbered.clear();
        inner.tally.clear();
        let aws = &mut inner.aws;
        aws.responses.clear();
        aws.invocations.clear();
        aws.secrets_ever.clear();
        aws.codecommit.repositories_gone.clear();
        aws.iam.settle();
        aws.secrets.retain(|_, secret| secret.deletion.is_none());
        aws.stacks.change_sets.executed.clear();
        aws.stacks.change_sets.macros_run.clear();
        let is_gone = |stack: &Stack| stack.status == "DELETE_COMPLETE";
        aws.stacks.all.retain(|_, stack| !is_gone(stack));
        let left: BTreeSet<&String> = aws.stacks.all.keys().collect();
        aws.stacks.tokens.retain(|_, (_, stack)| left.contains(stack));
    }
}

impl Inner {
    /// Counts a call.
    pub fn count(&mut self, call: &Call, outcome: &str) {
        let operation = (call.service, call.operation.clone());
        let count = self.tally.entry(operation).or_default();
        count.calls += 1;
        let is_throttled = ["Throttl", "TooManyRequests", "SlowDown", "RateExceeded"];
        count.throttled += usize::from(is_throttled.iter().any(|name| outcome.contains(name)));
    }
}
