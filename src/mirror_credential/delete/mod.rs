//! Deletes what a `Custom::MirrorCredential` created.

pub mod apply;
pub mod plan;
