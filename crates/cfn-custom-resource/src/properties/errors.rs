//! The mistakes in a resource's properties.

use std::fmt;

use serde_json::Value;

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

    /// Adds to the errors after the first `before` that a template unsets a property in another
    /// way, if `value` is an empty text, or a list of one. `to_leave_out` names the part that it
    /// can leave out. It is empty if it can leave out nothing.
    pub(super) fn explain_empty(
        &mut self,
        before: usize,
        value: Option<&Value>,
        to_leave_out: &str,
    ) {
        let one = match value {
            Some(Value::Array(entries)) if entries.len() == 1 => entries.first(),
            value => value,
        };
        let text = one.and_then(Value::as_str);
        if to_leave_out.is_empty() || text.is_none_or(|text| !text.trim().is_empty()) {
            return;
        }
        let errors = self.0.iter_mut().skip(before);
        for error in errors.filter(|error| !error.what.contains("AWS::NoValue")) {
            let how = format!(". To leave {to_leave_out} out, use `!Ref AWS::NoValue`");
            error.what.push_str(&how);
        }
    }
}
