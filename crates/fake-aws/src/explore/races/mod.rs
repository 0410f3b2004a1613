//! Finds the pairs of calls in a run whose other order may end differently.

use crate::gate::GatedCall;

/// A call of a run.
#[derive(Clone, Debug)]
pub struct Event {
    pub call: GatedCall,
    /// The calls that waited when it was chosen, itself included.
    pub waiting: Vec<GatedCall>,
}

/// The reversals of the run's races. Each is the index of a call, and the calls of which one has to come
/// instead of it, so that a later call that races with it comes earlier.
///
/// Two calls race if they do not `commute`, neither waited for the other, and no call between them has
/// to be after the first and before the second one.
pub fn reversals(
    events: &[Event],
    commute: impl Fn(&GatedCall, &GatedCall) -> bool,
) -> Vec<(usize, Vec<GatedCall>)> {
    let mut reversals = vec![];
    // For each call, which earlier ones are before it in every equivalent order.
    let mut before: Vec<Vec<bool>> = vec![];
    for (at, event) in events.iter().enumerate() {
        let mut earlier = vec![false; at];
        for (other_at, other) in events[..at].iter().enumerate().rev() {
            if earlier[other_at] {
                continue;
            }
            let waited = has_waited_for(event, other);
            if !waited && commute(&event.call, &other.call) {
                continue;
            }
            for (known, is_before) in earlier.iter_mut().zip(&before[other_at]) {
                *known |= is_before;
            }
            earlier[other_at] = true;
            if !waited {
                reversals.push((other_at, at));
            }
        }
        before.push(earlier);
    }
    let firsts = |(other_at, at): (usize, usize)| {
        let free = (other_at + 1..at).filter(|between| !before[*between][other_at]);
        let moved: Vec<usize> = free.chain([at]).collect();
        let comes_first = |one: &&usize| !moved.iter().any(|two| two < one && before[**one][*two]);
        let firsts = moved.iter().filter(comes_first);
        (
            other_at,
            firsts.map(|one| events[*one].call.clone()).collect(),
        )
    };
    reversals.into_iter().map(firsts).collect()
}

/// Whether a caller made the call of `event` after its own call `other`. Calls that it sends side by
/// side wait at the same time.
fn has_waited_for(event: &Event, other: &Event) -> bool {
    event.call.caller == other.call.caller && !other.waiting.contains(&event.call)
}

#[cfg(test)]
mod tests;
