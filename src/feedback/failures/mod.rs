//! Why a build or a deployment failed, as a note shows it.

pub mod deployment;
mod stack_operation;
