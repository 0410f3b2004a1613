//! A project's push mirrors, and the branches that they push.

pub mod branches;
pub mod mirror;
pub mod mirror_address;
