//! A hundred stacks at once, and a health check of two thousand projects, in simulated time.
//! `docs/project/scale-and-speed.md` has the results.

mod answers;
mod burst;
mod health;
mod lambda;
mod projects;
mod rates;
mod stacks;
