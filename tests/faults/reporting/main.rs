//! Reporting executions to GitLab, over an AWS and a GitLab in this process: every order and loss
//! of events, every fault at every call, deliveries at once, and the cost of each kind of event.
//! Nothing that is logged, sent or returned contains a secret.

mod account;
mod approvals;
mod at_once;
mod calls;
mod changes;
mod checks;
mod defects;
mod edited_notes;
mod events;
mod failed_builds;
mod fixture;
mod former;
mod held;
mod ignored;
mod lost;
mod notes;
mod other_accounts;
mod parts;
mod pipelines;
mod scenarios;
mod secrecy;
mod shared_commit;
mod single_faults;
mod steps;
