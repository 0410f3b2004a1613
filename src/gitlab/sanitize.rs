//! What GitLab says, made fit to be shown: short, printable, without logins.

use serde_json::Value;

/// The most of a message that is shown, in characters.
const MOST: usize = 300;

/// What is shown instead of a login.
const MASK: &str = "*****";

/// `text` on one line, shortened, and without logins.
pub fn shown(text: &str) -> String {
    let text = without_logins(text);
    let mut line = String::new();
    let is_gap = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
    for word in text.split(is_gap).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.chars().count() > MOST {
        line = line.chars().take(MOST - 1).collect();
        line.push('…');
    }
    line
}

/// Characters that change how others are shown: directions, joiners, marks of order.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// What the body of a refusal says, in one line; empty when it says nothing.
///
/// It is in `message`, in `error_description` or in `error`, and may be a text, a list, or an
/// object of lists by the name of what is wrong.
/// Source: <https://docs.gitlab.com/api/rest/troubleshooting/>.
pub fn message(body: &Value) -> String {
    let members = ["message", "error_description", "error"];
    let told = members.iter().find_map(|name| body.get(name));
    let mut text = String::new();
    if let Some(told) = told {
        tell(told, &mut text);
    }
    text
}

fn tell(told: &Value, text: &mut String) {
    match told {
        Value::Null => {}
        Value::String(told) => text.push_str(told),
        Value::Array(list) => {
            for (index, element) in list.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                tell(element, text);
            }
        }
        Value::Object(members) => {
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    text.push_str("; ");
                }
                // What is wrong with the thing as a whole.
                if name != "base" {
                    text.push_str(name);
                    text.push(' ');
                }
                tell(member, text);
            }
        }
        Value::Bool(_) | Value::Number(_) => text.push_str(&told.to_string()),
    }
}

/// `text` with the login of every address in it masked.
pub fn without_logins(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        masked.push_str(before);
        let ends = |c: char| c.is_whitespace() || c.is_control() || "'\"<>`".contains(c);
        let (address, further) = after.split_at(after.find(ends).unwrap_or(after.len()));
        // The last `@`: a password may hold one. What follows a comma may be another address.
        if let Some((_, host)) = address.rsplit_once('@') {
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

/// Whether an address without `@` begins with a login all the same: somebody has cut it off.
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
