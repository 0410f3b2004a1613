//! The texts of builds and of failures, for the fuzz targets.

use super::change_sets::{Audience, Values, shown_reason};
pub use super::failures::build_log::{block, message};
use crate::gitops_pipeline::names::ResourceNames;

/// The shown part of a reason, if an operation has parameters with these values.
///
/// # Panics
/// If `dev` and `shop` are not names.
pub fn reason(reason: &str, values: Vec<String>) -> String {
    let names = ResourceNames::new("dev", "shop").expect("valid names");
    shown_reason(reason, &Values::all(values), Audience::Members, &names)
}
