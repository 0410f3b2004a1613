//! A push of a branch. The child stack that waits for the first one gets its pipeline. With
//! `Source.Paths`, the function starts the pipeline for each push that changes one of these files.

mod apply;
mod changed_files;
mod event;
pub(super) mod latest_commit;
mod plan;

pub use self::apply::Started;
pub(super) use self::apply::start;
pub(super) use self::changed_files::do_files_differ;
pub use self::event::BranchPush;
pub(super) use self::event::repository;

#[cfg(test)]
mod tests;
