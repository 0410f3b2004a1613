//! How often services answer: token buckets, one for each account and region (of IAM, which is
//! global, one for each account). "A bucket of virtual tokens is refilled every second […] For each
//! IAM API, a number of token buckets might apply" (AWS Security Blog, "How to monitor and query
//! IAM resources at scale, part 2").

use std::{collections::BTreeMap, time::Duration};

use crate::world::call::{Call, Service};

/// One bucket: the calls that use it, its refill rate and its size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub service: Service,
    /// Empty for all of the service's.
    pub operations: &'static [&'static str],
    pub per_second: f64,
    /// So many at once.
    pub burst: f64,
}

impl Rate {
    /// One bucket for all calls of a service.
    pub const fn of(service: Service, per_second: f64, burst: f64) -> Self {
        Self::shared_by(service, &[], per_second, burst)
    }

    /// One that these operations share.
    pub const fn shared_by(
        service: Service,
        operations: &'static [&'static str],
        per_second: f64,
        burst: f64,
    ) -> Self {
        Self {
            service,
            operations,
            per_second,
            burst,
        }
    }

    fn covers(&self, call: &Call) -> bool {
        let is_named = |operation: &&str| **operation == call.operation;
        self.service == call.service
            && (self.operations.is_empty() || self.operations.iter().any(is_named))
    }
}

/// The content of each bucket and its time: by the bucket's index in the options.
#[derive(Clone, Debug, Default)]
pub struct Buckets {
    left: BTreeMap<usize, (Duration, f64)>,
}

impl Buckets {
    /// Whether a call is too early. Such a call uses no bucket.
    pub(crate) fn is_throttled(&mut self, rates: &[Rate], now: Duration, call: &Call) -> bool {
        let mut taken = vec![];
        for (index, rate) in rates.iter().enumerate() {
            if !rate.covers(call) {
                continue;
            }
            let full = (now, rate.burst);
            let (since, left) = self.left.get(&index).copied().unwrap_or(full);
            let refilled = now.saturating_sub(since).as_secs_f64() * rate.per_second;
            let left = (left + refilled).min(rate.burst);
            if left < 1.0 {
                return true;
            }
            taken.push((index, (now, left - 1.0)));
        }
        self.left.extend(taken);
        false
    }
}
