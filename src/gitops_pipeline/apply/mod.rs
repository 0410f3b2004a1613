//! Applies a spec: the child stack, and the resources without a CloudFormation type.

mod error;
mod pipeline;
mod project;
mod render;
mod stack;

pub use self::pipeline::{AppliedPipeline, PipelineApplier};
pub use self::project::ProjectFinder;
