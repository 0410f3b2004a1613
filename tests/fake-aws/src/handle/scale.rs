//! Fake AWSs with a thousand stacks, or for a whole day: their memory is bounded.

use std::collections::BTreeSet;

use crate::{
    handle::{FakeAws, Inner},
    journal::Count,
    services::stacks::Stack,
};

impl FakeAws {
    /// From now on only counts calls. Faults at a caller's calls have no
    /// effect then.
    pub fn keep_no_journal(&self) {
        self.inner().keeps_no_journal = true;
    }

    /// All calls so far.
    pub fn calls(&self) -> Count {
        self.inner().tally
    }

    /// Deletes the records that only tests read, and those that AWS keeps of deleted resources: the
    /// next hour's fake is not larger than this hour's.
    pub fn drop_deleted_resources(&self) {
        let mut inner = self.inner();
        inner.catch_up();
        inner.journal.clear();
        inner.numbered.clear();
        inner.tally = Count::default();
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
    pub fn count(&mut self, outcome: &str) {
        self.tally.calls += 1;
        let is_throttled = ["Throttl", "TooManyRequests", "SlowDown", "RateExceeded"];
        self.tally.throttled += usize::from(is_throttled.iter().any(|name| outcome.contains(name)));
    }
}
