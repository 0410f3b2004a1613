//! What is wrong with a resource's properties.

use std::fmt;

/// One mistake in the properties, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationError {
    /// For example `Mirrors[1].GitLabProject`.
    pub path: String,
    /// The error. Never contains the value, which may be a secret.
    pub what: String,
}

/// Every mistake in a resource's properties.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct ValidationErrors(pub Vec<ValidationError>);

impl fmt::Display for ValidationErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(formatter, "{separator}{}: {}", error.path, error.what)?;
        }
        Ok(())
    }
}

impl ValidationErrors {
    /// Adds that the value at `path` is wrong.
    pub fn add(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.0.push(ValidationError {
            path: path.into(),
            what: what.into(),
        });
    }
}
