//! One row of the table of codes.

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The three digits. The first one is the subject.
    pub number: u16,
    /// What the code stands for, in a few words.
    pub title: &'static str,
    /// What the failure means for the resource.
    pub meaning: &'static str,
    /// Why it happens.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl Entry {
    /// The code as a reason has it.
    pub fn code(&self) -> String {
        format!("CFG-{:03}", self.number)
    }
}
