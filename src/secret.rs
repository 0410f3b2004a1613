//! A value that must not be seen.

use std::fmt;

/// A password. It has no `Display`, and its `Debug` shows nothing: what cannot be formatted
/// cannot be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes charge of a password.
    pub fn new(password: impl Into<String>) -> Self {
        Password(password.into())
    }

    /// The password itself, for the one place that has to send it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it can stand in the login of a URL as it is. GitLab refuses a raw `/`; the other
    /// characters that occur in these passwords (`+`, `=`) do no harm there.
    pub fn is_url_safe(&self) -> bool {
        !self.0.contains('/')
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}
