//! A value that must not be seen.

use std::fmt;

/// What is shown instead of a secret.
const MASK: &str = "*****";

/// What may stand raw in the login of a URL besides letters and digits: RFC 3986, section 3.2.1,
/// without `%`, which begins an escape, and `:`, which ends the user's name.
const URL_SAFE: &str = "-._~!$&'()*+,;=";

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

    /// Whether it can stand in the login of a URL as it is. GitLab escapes what it gets, and so
    /// refuses a raw `/`, `?` or `#` and would escape an escape once more; `+` and `=`, which
    /// occur in these passwords, do no harm there.
    pub fn is_url_safe(&self) -> bool {
        let is_safe = |c: char| c.is_ascii_alphanumeric() || URL_SAFE.contains(c);
        !self.0.is_empty() && self.0.chars().all(is_safe)
    }

    /// `text` without the password, also where some or all of its characters are escaped as in a
    /// URL.
    pub fn redact(&self, text: &str) -> String {
        let mut redacted = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some(length) = self.at_the_start_of(rest) {
                redacted.push_str(MASK);
                rest = &rest[length..];
            } else {
                redacted.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        redacted
    }

    /// How many bytes at the start of `text` are the password, if they are.
    fn at_the_start_of(&self, text: &str) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        if text.starts_with(&self.0) {
            return Some(self.0.len());
        }
        let text = text.as_bytes();
        let mut at = 0;
        for byte in self.0.bytes() {
            // First the escape: it begins with a character that may be the password's own.
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

/// The byte that the escape at the start of `text` stands for.
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
mod tests;
