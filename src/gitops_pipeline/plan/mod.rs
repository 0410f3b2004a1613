//! Plans the next step for the child stack: pure functions of what was observed.

pub mod apply;
pub mod delete;
pub mod operation;

#[cfg(test)]
mod tests;
