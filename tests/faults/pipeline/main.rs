//! Whole scenarios of a `Custom::GitOpsPipeline`, over an AWS in this process: every fault at every
//! call, every interleaving of two deliveries, every state of the child stack, and time.

#![allow(clippy::too_many_lines)] // Scenarios and tables are lists.

mod adversity;
mod changes;
mod checks;
mod cross_account;
mod defects;
mod first_push;
mod fixture;
mod forged;
mod gitlab_projects;
mod happy_path;
mod interleavings;
mod late;
mod missed_pushes;
mod paths;
mod propagation;
mod rejected;
mod repositories;
mod scenarios;
mod single_faults;
mod slow;
mod statuses;
mod tags;
mod torn_reads;
mod unseen;
mod waiting;
