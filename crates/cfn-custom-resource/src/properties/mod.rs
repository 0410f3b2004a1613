//! Properties: tables that declare them, and decoding by these tables.

mod errors;
mod format;
mod json;
mod object;
mod suggestion;
mod table;

pub use self::errors::{ValidationError, ValidationErrors};
pub use self::format::{Format, Pattern};
pub use self::json::parse_json;
pub use self::object::{Object, as_text, shown};
pub use self::table::{Kind, Map, Property};

#[cfg(test)]
mod tests;
