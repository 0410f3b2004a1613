//! A type for passwords and tokens that keeps them out of logs and messages.

use std::fmt;

/// Replaces a password in a text.
const MASK: &str = "*****";

/// The characters besides letters and digits that need no escape in the login of a URL: RFC 3986,
/// section 3.2.1, without `%`, which begins an escape, and `:`, which ends the user's name.
const URL_SAFE: &str = "-._~!$&'()*+,;=";

/// A password. It has no `Display`, and its `Debug` shows nothing, so that it cannot be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Wraps a password.
    pub fn new(password: impl Into<String>) -> Self {
        Password(password.into())
    }

    /// The password itself. Call this only where it is sent or stored.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the password needs no escape in the login of a URL. GitLab escapes it itself: it
    /// rejects an unescaped `/`, `?` or `#`, and would escape an escape again. `+` and `=`, which
    /// occur in these passwords, are safe.
    pub fn is_url_safe(&self) -> bool {
        let is_safe = |c: char| c.is_ascii_alphanumeric() || URL_SAFE.contains(c);
        !self.0.is_empty() && self.0.chars().all(is_safe)
    }

    /// `text` with the password masked, also where its characters are escaped as in a URL.
    pub fn redact(&self, text: &str) -> String {
        let mut redacted = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some(length) = self.prefix_length(rest) {
                redacted.push_str(MASK);
                rest = &rest[length..];
            } else {
                redacted.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        redacted
    }

    /// The number of bytes of the password at the start of `text`. `None` if `text` starts with
    /// other characters.
    fn prefix_length(&self, text: &str) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        if text.starts_with(&self.0) {
            return Some(self.0.len());
        }
        let text = text.as_bytes();
        let mut at = 0;
        for byte in self.0.bytes() {
            // The escape first, because the password may contain `%` itself.
            if unescaped(&text[at..]) == Some(byte) {
                at += 3;
            } else if text.get(at) == Some(&byte) {
                at += 1;
            } else {
                return None;
            }
        }
        Some(at)
    }
}

/// The byte of the escape at the start of `text`. `None` if there is no escape.
fn unescaped(text: &[u8]) -> Option<u8> {
    let &[b'%', high, low, ..] = text else {
        return None;
    };
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

#[cfg(test)]
#[path = "password_tests.rs"]
mod tests;
