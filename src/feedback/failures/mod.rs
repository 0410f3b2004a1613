//! Why a build or a deployment failed, as a note shows it.

pub mod build;
