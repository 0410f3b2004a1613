//! Private constructors, for the fuzz targets.

use super::Reason;
use crate::reason_codes::Code;

pub fn reason(text: &str) -> Reason {
    Reason::new(Code::AwsRejected, text)
}
