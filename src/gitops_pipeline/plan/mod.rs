//! Plans the next step for the child stack: pure functions of the observed state.

pub mod apply;
pub mod operation;

#[cfg(test)]
pub mod tests;
