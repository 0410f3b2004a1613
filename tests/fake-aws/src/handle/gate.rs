//! The place where calls wait until the schedule releases them.

use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};

use crate::request::{Call, Service};

/// Open until a schedule closes it.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    state: Arc<Mutex<GateState>>,
    moved: Arc<Notify>,
}

#[derive(Debug, Default)]
struct GateState {
    closed: bool,
    arrivals: usize,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    call: GatedCall,
    go: oneshot::Sender<()>,
}

/// A call as a schedule sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatedCall {
    pub caller: String,
    pub index: usize,
    pub service: Service,
    pub operation: String,
    pub reads: bool,
}

impl GatedCall {
    /// Whether the two, next to each other, leave the same states in
    /// either order. Two changes never do, even of different resources:
    /// the invariants must hold between them in both orders. Two
    /// reads do, also those that one caller sends side by side.
    pub fn commutes_with(&self, other: &Self) -> bool {
        let both_read = self.reads && other.reads;
        let one_reads = self.reads || other.reads;
        both_read || (one_reads && self.is_apart_from(other))
    }

    /// Whether neither can observe the other's effect. Also for two changes the
    /// order makes no difference then, but for what holds between them. One
    /// caller's calls that wait at the same time were sent side by side, so
    /// they count like those of two callers.
    pub fn is_apart_from(&self, other: &Self) -> bool {
        self.matter() != other.matter()
    }

    /// git's response depends only on IAM's state: tests of logins do not create
    /// repositories while calls run. The effect of a stack's operation is observed
    /// through the services of its resources.
    fn matter(&self) -> Service {
        match self.service {
            Service::Git => Service::Iam,
            Service::CodeCommit | Service::CodePipeline => Service::CloudFormation,
            service => service,
        }
    }
}

impl Gate {
    /// Waits until the schedule releases this call.
    pub async fn pass(&self, caller: &str, index: usize, call: &Call) {
        let gated = GatedCall {
            caller: caller.to_owned(),
            index,
            service: call.service,
            operation: call.operation.clone(),
            reads: call.reads(),
        };
        let (go, going) = oneshot::channel();
        {
            let mut state = self.state();
            if !state.closed {
                return;
            }
            state.arrivals += 1;
            state.waiting.push(Waiting {
                call: gated.clone(),
                go,
            });
            // In an order that depends only on the calls.
            state.waiting.sort_by(|a, b| {
                (&a.call.caller, a.call.index).cmp(&(&b.call.caller, b.call.index))
            });
        }
        self.moved.notify_one();
        let _leave = Leave {
            gate: self,
            call: gated,
        };
        // Opening the gate drops the senders, which releases every caller.
        let _ = going.await;
    }

    pub fn close(&self) {
        self.state().closed = true;
    }

    pub fn open(&self) {
        let mut state = self.state();
        state.closed = false;
        state.waiting.clear();
    }

    pub fn waiting(&self) -> Vec<GatedCall> {
        let state = self.state();
        state.waiting.iter().map(|one| one.call.clone()).collect()
    }

    pub fn let_go(&self, call: &GatedCall) {
        let mut state = self.state();
        if let Some(found) = state.waiting.iter().position(|one| one.call == *call) {
            // A caller that has just stopped waiting is not an error.
            let _ = state.waiting.remove(found).go.send(());
        }
    }

    pub fn arrivals(&self) -> usize {
        self.state().arrivals
    }

    /// Waits until a call has arrived or a caller has finished.
    pub async fn movement(&self) {
        self.moved.notified().await;
    }

    pub fn has_moved(&self) {
        self.moved.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().expect("no panic under this lock")
    }
}

/// Removes a call from the gate whose caller has stopped waiting.
struct Leave<'a> {
    gate: &'a Gate,
    call: GatedCall,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let waiting = &mut self.gate.state().waiting;
        waiting.retain(|one| one.call != self.call);
    }
}
