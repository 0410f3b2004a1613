//! Whole lives of a `Custom::MirrorCredential` with mirrors and rotation, over an AWS and a GitLab
//! in this process: every fault at every call, rotation beside updates, a year of rotations. What
//! is asked of every life is that a push to GitLab arrives, whenever it is made.

mod abandoned;
mod at_once;
mod by_hand;
mod checks;
mod deliveries;
mod drift;
mod histories;
mod hostile;
mod life;
mod limits;
mod lives;
mod mutants;
mod pending;
mod refusals;
mod scene;
mod single_faults;
mod year;
