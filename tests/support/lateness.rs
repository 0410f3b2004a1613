//! IAM is eventually consistent: a change is accepted at once and seen by
//! reads only later ("Changes that I make are not always immediately visible",
//! IAM User Guide, Troubleshooting).

use std::{sync::Arc, time::Duration};

/// A value and all that it was before, by virtual time.
#[derive(Clone, Debug)]
pub struct History<T> {
    states: Vec<(Duration, Arc<T>)>,
}

impl<T: Clone> History<T> {
    pub fn new(first: T) -> Self {
        Self {
            states: vec![(Duration::ZERO, Arc::new(first))],
        }
    }

    /// The present state.
    pub fn latest(&self) -> &T {
        &self.states[self.states.len() - 1].1
    }

    /// What a read at `now` sees when changes take `late` to be seen. Changes
    /// become visible in the order in which they were made.
    pub fn seen(&self, now: Duration, late: Duration) -> &T {
        let horizon = now.checked_sub(late);
        let visible = self
            .states
            .iter()
            .rev()
            .find(|(at, _)| horizon.is_some_and(|horizon| *at <= horizon));
        &visible.unwrap_or(&self.states[0]).1
    }

    /// Changes the present state, leaving the past as it was.
    pub fn change<R>(&mut self, now: Duration, change: impl FnOnce(&mut T) -> R) -> R {
        let mut next = self.latest().clone();
        let result = change(&mut next);
        self.states.push((now, Arc::new(next)));
        result
    }

    /// Forgets the past: every read sees the present from now on. For what a
    /// test sets up as having been there for long.
    pub fn settle(&mut self) {
        let (_, latest) = self.states.pop().expect("a history is never empty");
        self.states = vec![(Duration::ZERO, latest)];
    }
}
