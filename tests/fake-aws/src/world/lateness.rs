//! IAM is eventually consistent: a change is accepted at once and seen by
//! reads only later ("Changes that I make are not always immediately visible",
//! IAM User Guide, Troubleshooting).

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

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

    /// The state that a read at `now` returns if changes become visible after `late`. Changes
    /// become visible in their order.
    pub fn seen(&self, now: Duration, late: Duration) -> &T {
        let horizon = now.checked_sub(late);
        let visible = self.states.iter().rev().find(|(at, _)| Some(*at) <= horizon);
        &visible.unwrap_or(&self.states[0]).1
    }

    /// Changes the present state, leaving the past as it was.
    pub fn change<R>(&mut self, now: Duration, change: impl FnOnce(&mut T) -> R) -> R {
        let mut next = self.latest().clone();
        let result = change(&mut next);
        self.states.push((now, Arc::new(next)));
        result
    }

    /// Deletes the past: every read returns the present state from now on. For the
    /// parts that a test sets up as old.
    pub fn settle(&mut self) {
        let (_, latest) = self.states.pop().expect("a history is never empty");
        self.states = vec![(Duration::ZERO, latest)];
    }
}

/// A part of a state that most changes do not affect, and that copies of the state share.
#[derive(Clone, Debug, Default)]
pub struct Shared<T>(Arc<T>);

impl<T> From<T> for Shared<T> {
    fn from(part: T) -> Self {
        Self(Arc::new(part))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}
