//! What GitLab says, made fit to be shown: short, printable, without secrets.

/// The most of a message that is shown, in characters.
const MOST: usize = 300;

/// What is shown instead of a login.
const MASK: &str = "*****";

/// `text` on one line, shortened, and without logins.
pub fn shown(text: &str) -> String {
    let text = without_logins(text);
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    if line.chars().count() > MOST {
        line = line.chars().take(MOST - 1).collect();
        line.push('…');
    }
    line
}

/// `text` with the login of every address in it masked.
pub fn without_logins(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        masked.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || c.is_control() || "'\"<>`".contains(c))
            .unwrap_or(after.len());
        let (address, further) = after.split_at(end);
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
    match authority.rsplit_once(':') {
        Some((host, port)) => !host.starts_with('[') && !port.chars().all(|c| c.is_ascii_digit()),
        None => false,
    }
}
