//! Change sets of the deployed stacks: how they are created, read and deleted, and their Markdown.
//!
//! The pipeline creates the change set that waits for an approval. The function creates its own to
//! show what a review branch would change, and to find drift. It deletes them, and executes none.

mod calls;
mod change_set;
mod comparison;
mod denial;
mod deployed_services;
mod form;
mod forms;
mod markdown;
mod reason;
mod values;

pub use self::calls::{Base, NewChangeSet, delete, describe, list};
pub use self::change_set::{Change, ChangeSet, Creation, DriftStatus, Effect};
pub use self::comparison::{ComparisonResult, compare};
pub use self::denial::{Denial, DenialRemedy};
pub use self::markdown::{
    MAX_RESOURCES, code, counts, sentence, short_commit, shown_names, write_table,
};
pub use self::reason::{Audience, HIDDEN_REASON, Template, is_gone, lacks_file, shown_reason};
pub use self::values::{Values, with_ranges_replaced};

#[cfg(test)]
pub mod tests;
