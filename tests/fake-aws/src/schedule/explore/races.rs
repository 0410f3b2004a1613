//! Finds the pairs of calls in a run whose other order may end differently.

use crate::{handle::gate::GatedCall, schedule::explore::path::Point};

/// The reversals of the run's races. Each is the index of a point, and some calls. If one of these
/// is taken there instead, a later call that races with the point's call comes before it.
///
/// Two calls race if they do not `commute`, neither waited for the other, and no call between them
/// has to be after the first and before the second one.
pub fn reversals(
    path: &[Point],
    commute: impl Fn(&GatedCall, &GatedCall) -> bool,
) -> Vec<(usize, Vec<GatedCall>)> {
    let mut reversals = vec![];
    // For each point, which earlier ones are before it in every equivalent order.
    let mut before: Vec<Vec<bool>> = vec![];
    for (at, point) in path.iter().enumerate() {
        let mut earlier = vec![false; at];
        for (other_at, other) in path[..at].iter().enumerate().rev() {
            let (Some(call), Some(other_call)) = (point.taken.call(), other.taken.call()) else {
                continue;
            };
            if earlier[other_at] {
                continue;
            }
            // Calls that a caller sends side by side wait at the same time.
            let is_same_caller = call.caller == other_call.caller;
            let waited = is_same_caller && !other.options.contains(&point.taken);
            if !waited && commute(call, other_call) {
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
        let firsts = firsts.filter_map(|one| path[*one].taken.call().cloned());
        (other_at, firsts.collect())
    };
    reversals.into_iter().map(firsts).collect()
}
