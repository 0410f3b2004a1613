//! A thousand stacks at once, in simulated time: how long until all are answered while AWS throttles,
//! who waits longest, and that nothing is left. `docs/scale.md` tells what comes of it.

mod at_once;
mod curve;
mod lambda;
mod measured;
mod plot;
mod rates;
mod stacks;
