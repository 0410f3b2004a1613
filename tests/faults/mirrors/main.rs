//! Whole scenarios of a `Custom::MirrorCredential` with and without mirrors and rotation, over an AWS
//! and a GitLab in this process: every fault at every call, every interleaving of two deliveries,
//! rotation beside updates, a year of rotations. In every scenario, the login works and a push to
//! GitLab arrives, at any time.

#![allow(clippy::too_many_lines)] // Scenarios and tables are lists.

mod abandoned;
mod at_once;
mod by_hand;
mod changes;
mod checks;
mod claimed_path;
mod defects;
mod deliveries;
mod denied;
mod drift;
mod fixture;
mod foreign_answers;
mod forged;
mod happy_path;
mod histories;
mod hostile;
mod inactive;
mod interleavings;
mod late;
mod limits;
mod pairs;
mod pending;
mod propagation;
mod rejected;
mod rolled_back;
mod scenarios;
mod single_faults;
mod tags;
mod unseen;
mod year;
