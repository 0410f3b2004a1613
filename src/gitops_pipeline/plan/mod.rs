//! Plans the next step for the child stack: pure functions of the observed state.

pub mod apply;
pub mod operation;
pub mod project;

#[cfg(test)]
pub mod tests;
