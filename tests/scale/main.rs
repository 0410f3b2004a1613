//! A thousand stacks at once, in simulated time: the time until all have responses while AWS
//! throttles, the longest wait, and that nothing remains. `docs/project/scale.md` has the results.

mod at_once;
mod curve;
mod health;
mod lambda;
mod measured;
mod projects;
mod rates;
mod stacks;
