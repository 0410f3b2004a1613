//! Changes by other principals, at each call.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    handle::FakeAws,
    schedule::{
        explore::paused,
        interceptor::{HttpConnector, past},
        schedules::Schedules,
    },
    wire::Caller,
};

/// More calls than a delivery makes.
const MAX_CALLS: usize = 100;

/// Before or after the call of this index, among those that count.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub call: usize,
    pub is_after: bool,
}

/// The calls so far that count.
#[derive(Clone, Default)]
pub struct Seen(Arc<AtomicUsize>);

impl Seen {
    /// The number of these calls.
    pub fn calls(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Moment {
    pub fn before(call: usize) -> Self {
        let is_after = false;
        Self { call, is_after }
    }

    /// Plays while `change` happens at this moment. `counts` selects the calls. Returns their
    /// number.
    pub fn play(
        self,
        counts: impl Fn(&FakeAws, &Caller) -> bool + Send + Sync + 'static,
        change: impl Fn(&FakeAws) + Send + Sync + 'static,
        play: impl AsyncFnOnce(&Seen),
    ) -> usize {
        let seen = Seen::default();
        let (calls, change) = (Arc::clone(&seen.0), Arc::new(change));
        let pass = move |fake: FakeAws, honest: Caller, request| {
            let is_it = counts(&fake, &honest) && calls.fetch_add(1, Ordering::SeqCst) == self.call;
            let change = Arc::clone(&change);
            async move {
                if is_it && !self.is_after {
                    change(&fake);
                }
                let response = honest.call(request).await;
                if is_it && self.is_after {
                    change(&fake);
                }
                response
            }
        };
        let played = past(pass, || paused(play(&seen)));
        played.unwrap_or_else(|panic| resume_unwind(panic));
        seen.calls()
    }
}

impl Schedules {
    /// Plays with each call, until there is none of this index: then `play` returns `false`.
    pub fn each_call(&mut self, name: impl Fn(usize) -> String, play: impl Fn(usize) -> bool) {
        for call in 0..MAX_CALLS {
            if self.run(name(call), || play(call)) == Some(false) {
                return;
            }
        }
    }
}
