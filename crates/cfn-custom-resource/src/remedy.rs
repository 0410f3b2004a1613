//! A remedy: sentences, and the commands in them.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Separates the remedies of several problems.
const NEXT: &str = ". ";

/// A command by its words. The first one is its program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "docs", derive(schemars::JsonSchema))]
pub struct Command(Vec<String>);

impl Command {
    /// The command with more words.
    #[must_use]
    pub fn with<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.0.extend(words.into_iter().map(Into::into));
        self
    }

    /// The remedy that is this text and then the command.
    pub fn after(self, text: impl Into<Cow<'static, str>>) -> Remedy {
        Remedy(vec![Part::Text(text.into()), Part::Command(self)])
    }
}

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.0.iter().map(|word| quoted(word)).collect();
        formatter.write_str(&words.join(" "))
    }
}

/// A word of a shell: as it is, unless the shell gives one of its characters a meaning.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "docs", derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Part {
    /// Text, with the spaces at its ends.
    Text(Cow<'static, str>),
    Command(Command),
}

/// The action that ends a problem: an imperative with the exact property, parameter or command,
/// without a period at the end. Its parts are texts and commands, which are joined where it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "docs", derive(schemars::JsonSchema))]
pub struct Remedy(Vec<Part>);

impl Remedy {
    /// The remedy with more text, or with another remedy, directly behind it.
    #[must_use]
    pub fn then(mut self, more: impl Into<Remedy>) -> Self {
        self.0.extend(more.into().0);
        self
    }

    /// The remedy with each of the `other` that it lacks behind it.
    #[must_use]
    pub(crate) fn and(mut self, other: &Remedy) -> Self {
        let is_next = |part: &Part| *part == Part::Text(NEXT.into());
        for remedy in other.0.split(is_next) {
            if self.0.split(is_next).all(|own| own != remedy) {
                self.0.push(Part::Text(NEXT.into()));
                self.0.extend_from_slice(remedy);
            }
        }
        self
    }

    /// The text with each command as `code` shows it.
    pub fn with_code(&self, code: impl Fn(&str) -> String) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.to_string(),
            Part::Command(command) => code(&command.to_string()),
        });
        parts.collect()
    }
}

impl From<&'static str> for Remedy {
    fn from(text: &'static str) -> Self {
        Remedy(vec![Part::Text(text.into())])
    }
}

impl From<String> for Remedy {
    fn from(text: String) -> Self {
        Remedy(vec![Part::Text(text.into())])
    }
}

impl fmt::Display for Remedy {
    /// A command at the end, after a colon, stands alone. Any other one is between backticks.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.with_code(|command| format!("`{command}`"));
        match (self.0.last(), shown.rsplit_once(": `")) {
            (Some(Part::Command(command)), Some((before, end))) if end == format!("{command}`") => {
                write!(formatter, "{before}: {command}")
            }
            _ => formatter.write_str(&shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_with_a_meaning_for_a_shell_is_quoted() {
        let words = ["Key=a:b/c,Value=x@y_z+1%", "x;touch y#", "it's", ""];
        let shown = Command::default().with(words).to_string();
        assert_eq!(shown, r"Key=a:b/c,Value=x@y_z+1% 'x;touch y#' 'it'\''s' ''");
    }

    #[test]
    fn command_is_set_apart_unless_it_is_the_end() {
        let see = Command::default().with(["aws", "s3"]).after("See it: ");
        assert_eq!(see.to_string(), "See it: aws s3");
        assert_eq!(
            see.clone().then(see).to_string(),
            "See it: `aws s3`See it: aws s3"
        );
    }
}
