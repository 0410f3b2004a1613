//! Applies a spec: the child stack, and what CloudFormation has no type for.

mod error;
mod pipeline;
mod render;
mod stack;

pub use self::pipeline::{AppliedPipeline, PipelineApplier};
