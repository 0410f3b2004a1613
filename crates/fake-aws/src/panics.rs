//! What a caught panic says.

use std::any::Any;

/// The text of a panic, or nothing when it has none.
pub fn text(panic: &(dyn Any + Send)) -> String {
    let formatted = panic.downcast_ref::<String>().cloned();
    let literal = || panic.downcast_ref::<&str>().map(ToString::to_string);
    formatted.or_else(literal).unwrap_or_default()
}
