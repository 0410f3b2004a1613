//! A push of a branch. The child stack that waits for the first one gets its pipeline. With
//! `Source.Paths`, the function starts the pipeline for each push that changes one of these files.
//! For pushes that were [missed](missed_push), the health check does.

mod apply;
mod changed_files;
mod event;
pub(super) mod latest_commit;
pub(crate) mod missed_push;
mod plan;

pub(super) use self::apply::start;
pub use self::event::BranchPush;
