//! The owner of what both resources create in AWS, and the forms of their records.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use cfn_custom_resource::Request;
use sha2::{Digest, Sha256};

/// The tag with the owner's stack.
pub const STACK_ID: &str = "cfn-gitops:stack-id";
/// The tag with the owner's logical ID.
pub const LOGICAL_ID: &str = "cfn-gitops:logical-id";

/// The owner of something in AWS: a resource of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The stack's ARN.
    pub stack_id: String,
    /// The resource's logical ID.
    pub logical_id: String,
}

impl Owner {
    /// The resource of `request`.
    pub fn of(request: &Request) -> Self {
        Owner {
            stack_id: request.stack_id.clone(),
            logical_id: request.logical_resource_id.clone(),
        }
    }

    /// The owner in the tags whose values `tag` returns. `None` if they name none.
    pub fn from_tags<'t>(tag: impl Fn(&str) -> Option<&'t str>) -> Option<Self> {
        Some(Owner {
            stack_id: tag(STACK_ID)?.to_owned(),
            logical_id: tag(LOGICAL_ID)?.to_owned(),
        })
    }

    /// The tags that name it, which [`Owner::from_tags`] reads.
    pub fn tags(&self) -> [(String, String); 2] {
        [
            (STACK_ID.to_owned(), self.stack_id.clone()),
            (LOGICAL_ID.to_owned(), self.logical_id.clone()),
        ]
    }

    /// The exception in a text about missing tags: [`STACK_ID`] remains, and names another stack.
    /// The command in the remedy replaces it. Empty if `tagged`, its value, names no other stack.
    pub fn except_stack(&self, tagged: Option<&str>) -> String {
        let other = tagged.filter(|stack_id| !stack_id.is_empty() && *stack_id != self.stack_id);
        other.map_or_else(String::new, |stack_id| {
            format!(", except {STACK_ID}, which names stack {stack_id}")
        })
    }

    /// A short name for the owner.
    pub fn key(&self) -> String {
        key(&format!("{} {}", self.stack_id, self.logical_id))
    }
}

/// A short name for `text` that fits anywhere: 64 bits of its SHA-256 in hex.
pub fn key(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let first = std::array::from_fn(|n| digest[n]);
    format!("{:016x}", u64::from_be_bytes(first))
}

/// Formats a time to the second, as in `2026-11-20T07:55:00Z`.
pub fn write_time(time: SystemTime) -> String {
    let whole = DateTime::from_secs(DateTime::from(time).secs());
    whole.fmt(Format::DateTime).unwrap_or_default()
}

/// Parses the format of [`write_time`].
pub fn read_time(text: &str) -> Option<SystemTime> {
    let time = DateTime::from_str(text, Format::DateTime).ok()?;
    SystemTime::try_from(time).ok()
}
