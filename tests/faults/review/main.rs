//! Reviews of branches and comparisons with templates, over an AWS and a GitLab in this process:
//! every fault at every call, every order and loss of events, changes by others at every call, and
//! deliveries at once. No change set of the function is left, and no secret is shown.

#[path = "../reporting/account.rs"]
mod account;
mod at_each_call;
mod at_once;
mod changes;
mod checks;
mod defects;
mod drift;
mod events;
mod fixture;
mod hostile;
mod lost_pushes;
mod merge_requests;
mod scenarios;
mod secrecy;
mod single_faults;
mod steps;
