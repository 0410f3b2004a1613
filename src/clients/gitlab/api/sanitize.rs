//! Makes GitLab's messages safe to show: short, printable, without logins.

use std::fmt;

use serde_json::Value;

use crate::common::one_line::{is_invisible, shortened};
use crate::common::password::Password;

/// The most characters of a message that are shown.
const MAX_CHARACTERS: usize = 300;

/// The fewest characters of a random text between the characters that also separate words.
const MIN_RANDOM: usize = 10;

/// The fewest characters of a password of CodeCommit, which is 32 random bytes in base64.
const MIN_PASSWORD: usize = 32;

/// The messages that only repeat their status.
pub const BARE: [&str; 7] = [
    "",
    "no message",
    "unauthorized",
    "forbidden",
    "not found",
    "project not found",
    // `require_repository_enabled!` in `lib/api/branches.rb` and `lib/api/commits.rb`.
    "repository not found",
];

/// Replaces a login.
const MASK: &str = "*****";

/// `text` on one line, shortened, and without logins and the queries of addresses: that of a
/// group's SSO has a token. Each character that is not shown separates words: without it, its
/// neighbours could become a password that is no longer looked for.
pub fn shown(text: &str) -> String {
    let text = without_logins(text);
    let mut line = String::new();
    let is_gap = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
    for word in text.split(is_gap).filter(|word| !word.is_empty()) {
        let query = word.find('?').filter(|_| word.contains("://"));
        let word = query.map_or(word, |query| &word[..query]);
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    shortened(&line, MAX_CHARACTERS)
}

/// A text of GitLab that may contain a mirror's password. Only a whole password can be removed, so
/// the text is not shortened before.
#[derive(Clone, PartialEq, Eq)]
pub struct Unredacted(String);

impl Unredacted {
    pub fn new(text: impl Into<String>) -> Self {
        Unredacted(text.into())
    }

    /// The text without `passwords`, and then as [`shown`].
    pub fn shown<'a>(&self, passwords: impl IntoIterator<Item = &'a Password>) -> String {
        let passwords = passwords.into_iter();
        let text = passwords.fold(self.0.clone(), |text, password| password.redact(&text));
        shown(&text)
    }

    /// The text for a reader who does not know the password: without each word that may be one or
    /// the name of its user, and then as [`shown`].
    pub fn shown_without_words_like_logins(&self) -> String {
        let is_end = |c: char| !c.is_ascii_alphanumeric() && !"+/=%_-".contains(c);
        let text = without_logins(&self.0);
        let words = text.split_inclusive(is_end).map(|word| {
            let end = word.rfind(is_end).unwrap_or(word.len());
            let (word, end) = word.split_at(end);
            let word = if may_be_login(word) { MASK } else { word };
            format!("{word}{end}")
        });
        shown(&words.collect::<String>())
    }
}

/// Whether a word may be a password of CodeCommit, which is long and random, or the name that it
/// belongs to, which ends in the account: `user-dev-mirror-at-123456789012`. The ID of a commit
/// looks like one, too.
fn may_be_login(word: &str) -> bool {
    let is_random = |part: &str| {
        let has = |is: fn(&u8) -> bool| part.bytes().any(|byte| is(&byte));
        part.len() >= MIN_RANDOM && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
    };
    let has = |is: fn(&u8) -> bool| word.bytes().any(|byte| is(&byte));
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=%".contains(c);
    // One in 1,500 has no digit.
    let may_be_password = word.len() >= MIN_PASSWORD
        && word.chars().all(is_base64)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase);
    may_be_password || word.contains("-at-") || word.split(['/', '-', '_']).any(is_random)
}

impl fmt::Debug for Unredacted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Unredacted(…)")
    }
}

/// The message in the body of an error response. Empty if there is none.
///
/// It is in `message`, `error_description` or in `error`, and may be a text, a list, or an object
/// of lists by the name of the wrong member. A proxy or GitLab's authentication may add a member.
/// Source: <https://docs.gitlab.com/api/rest/troubleshooting/>.
pub fn message(body: &Value) -> String {
    let error = body.get("error_description").or(body.get("error"));
    let mut text = String::new();
    for member in [body.get("message"), error].into_iter().flatten() {
        let mut further = String::new();
        append_message(member, &mut further);
        if !text.is_empty() && !further.is_empty() && !text.contains(&further) {
            text.push_str("; ");
        }
        if !text.contains(&further) {
            text.push_str(&further);
        }
    }
    text
}

/// Whether a message only repeats its status, so that the cause has to be looked up.
pub fn is_bare(message: &str) -> bool {
    let words = message.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    BARE.contains(&&*words.to_ascii_lowercase())
}

fn append_message(message: &Value, text: &mut String) {
    match message {
        Value::Null => {}
        Value::String(message) => text.push_str(message),
        Value::Array(list) => {
            for (index, element) in list.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                append_message(element, text);
            }
        }
        Value::Object(members) => {
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    text.push_str("; ");
                }
                // These stand for the object as a whole.
                if name != "base" && name != "error" {
                    text.push_str(name);
                    text.push(' ');
                }
                append_message(member, text);
            }
        }
        Value::Bool(_) | Value::Number(_) => text.push_str(&message.to_string()),
    }
}

/// `text` with the login of every address in it masked.
pub fn without_logins(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        masked.push_str(before);
        let is_end = |c: char| c.is_whitespace() || c.is_control() || "'\"<>`".contains(c);
        let (address, further) = after.split_at(after.find(is_end).unwrap_or(after.len()));
        // The last `@`, because a password may contain one, and another address may follow a comma.
        let login = address.rsplit_once('@');
        if let Some((_, host)) = login.filter(|(login, _)| !is_path(login)) {
            masked.push_str(MASK);
            masked.push('@');
            masked.push_str(host);
        } else if is_cut_login(address) {
            masked.push_str(MASK);
        } else {
            masked.push_str(address);
        }
        rest = further;
    }
    masked.push_str(rest);
    masked
}

/// Whether the text before a `@` is the beginning of a path, as in the address of a package with a
/// scope: `https://registry.npmjs.org/@scope/package`. A login in front of such a path has a `@` of
/// its own, even if it has no password.
fn is_path(before: &str) -> bool {
    before.ends_with('/') && !before.contains([':', '@'])
}

/// Whether an address without `@` begins with a login whose rest was cut off.
fn is_cut_login(address: &str) -> bool {
    let authority = address.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.split_once(':') {
        Some((host, port)) => {
            let port = port.trim_end_matches([':', '.', ',', ';', ')', ']', '}']);
            !host.starts_with('[') && !port.chars().all(|c| c.is_ascii_digit())
        }
        None => false,
    }
}
