//! Whole scenarios of a `Custom::MirrorCredential` with mirrors and rotation, over an AWS and a
//! GitLab in this process: every fault at every call, rotation beside updates, a year of rotations.
//! In every scenario, a push to GitLab has to arrive, at any time.

#![allow(clippy::too_many_lines)] // Scenarios and tables are lists.

mod abandoned;
mod at_once;
mod by_hand;
mod changes;
mod checks;
mod deliveries;
mod drift;
mod fixture;
mod happy_path;
mod histories;
mod hostile;
mod inactive;
mod limits;
mod mutants;
mod pending;
mod scenarios;
mod single_faults;
mod year;
