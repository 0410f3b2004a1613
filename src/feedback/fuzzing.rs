//! The texts of builds, for the fuzz targets.

pub use super::failures::build_log::{block, message};
