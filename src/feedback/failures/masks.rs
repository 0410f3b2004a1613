//! Masks for secrets that a build may print. They cannot find every secret, so a log is shown to
//! members of a private project only.

use std::ops::Range;
use std::sync::OnceLock;

use regex_lite::Regex;

use crate::clients::gitlab::without_logins;
use crate::feedback::change_sets::without_accounts;

/// Replaces a secret.
const MASK: &str = "*****";

/// A kind of token that its beginning shows.
struct Token {
    prefix: &'static str,
    /// The fewest characters after the prefix. A shorter text is a name or an example.
    min: usize,
    /// The characters of it that are neither letters nor digits.
    others: &'static str,
}

const fn token(prefix: &'static str, min: usize, others: &'static str) -> Token {
    Token {
        prefix,
        min,
        others,
    }
}

/// The tokens that are recognized wherever they stand.
const TOKENS: &[Token] = &[
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes
    token("AKIA", 12, ""),
    token("ASIA", 12, ""),
    token("ABIA", 12, ""),
    token("ACCA", 12, ""),
    // Session tokens of STS. AWS documents no form of them.
    token("IQoJ", 40, "+/="),
    token("FwoG", 40, "+/="),
    token("FQoG", 40, "+/="),
    // https://docs.gitlab.com/security/tokens/#token-prefixes
    token("glpat-", 12, "-_."),
    token("gloas-", 12, "-_."),
    token("gldt-", 12, "-_."),
    token("glrt-", 12, "-_."),
    token("glrtr-", 12, "-_."),
    token("glcbt-", 12, "-_."),
    token("glptt-", 12, "-_."),
    token("glft-", 12, "-_."),
    token("glimt-", 12, "-_."),
    token("glagent-", 12, "-_."),
    token("glwt-", 12, "-_."),
    token("glsoat-", 12, "-_."),
    token("glffct-", 12, "-_."),
    token("GR1348941", 12, "-_"),
    token("_gitlab_session=", 12, ""),
    // https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
    token("ghp_", 16, "_-."),
    token("gho_", 16, "_-."),
    token("ghu_", 16, "_-."),
    token("ghs_", 16, "_-."),
    token("ghr_", 16, "_-."),
    token("github_pat_", 16, "_"),
    // https://docs.slack.dev/authentication/tokens
    token("xoxa-", 8, "-."),
    token("xoxb-", 8, "-."),
    token("xoxe-", 8, "-."),
    token("xoxe.", 8, "-."),
    token("xoxp-", 8, "-."),
    token("xoxr-", 8, "-."),
    token("xoxs-", 8, "-."),
    token("xapp-", 8, "-."),
    token("hooks.slack.com/services/", 8, "/"),
    // Registries of packages and images. An environment variable `npm_config_…` has underscores.
    token("npm_", 30, ""),
    token("pypi-Ag", 30, "-_"),
    token("dckr_pat_", 12, "-_"),
    // https://docs.stripe.com/keys
    token("sk_live_", 8, ""),
    token("rk_live_", 8, ""),
    token("sk_test_", 8, ""),
    token("whsec_", 16, "+/="),
    // Google's keys, access tokens and client secrets.
    token("AIza", 30, "-_"),
    token("ya29.", 12, "-_."),
    token("GOCSPX-", 16, "-_"),
    // Vault, SendGrid, Hugging Face, Anthropic, OpenAI, Atlassian.
    token("hvs.", 16, "-_"),
    token("SG.", 40, "-_."),
    token("hf_", 30, ""),
    token("sk-ant-", 16, "-_"),
    token("sk-proj-", 16, "-_"),
    token("ATATT3x", 20, "-_="),
    // JSON in Base64: a JSON Web Token, or a registry's login.
    token("eyJ", 20, "-_.+/="),
];

/// Values that only their names show: the second group is the secret. The last but one finds a
/// password of several words after `Password: `, up to the end of its line.
const NAMED: [&str; 5] = [
    r#"(?i)(authorization\\?["']?[ \t]*[:=][ \t]*\\?["']?)((?:basic|bearer|token)[ \t]+[^\s"'\\]+|[^\n]+)"#,
    r"(?i)(\bbearer[ \t]+)([a-z0-9._~+/=-]{16,})",
    r#"(?i)(--[a-z-]*(?:password|passwd|token|secret)[ \t]+)("(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|[^\s-]\S*)"#,
    r#"(?i)((?:password|passwd|passphrase|pwd)["']?[ \t]*:[ \t]+)([^\s"'\\][^\n]*)"#,
    r#"(?i)((?:password|passwd|passphrase|pwd|_pass|secret|token|_auth|api[-_]?key|access[-_]?key|account[-_]?key|secret[-_]?key|private[-_]?key|signature|credentials?|[?&]sig)\\?["']?[ \t]*(?::=|[!?+|]{0,2}={1,3}>?|:)[ \t]*\\?)("(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|\$\([^()\n]*\)[^\s"']*|\{\{[^{}\n]*\}\}[^\s"']*|[^\s"']+)"#,
];

/// The whole forms of values that are not secrets: the name of a variable or of a placeholder, a
/// command, a template, asterisks, and an operator or a bracket. A password may begin like each of
/// them.
const NO_SECRET: &str = r"^(?:\$[A-Z_][A-Z0-9_]*|\$\{[A-Za-z_][A-Za-z0-9_.]*\}|\$\([^()]*\)|<[A-Za-z][A-Za-z0-9 _.-]*>|\{\{[^{}]*\}\}|\*+|[=!<>|&?:{\[(-]{0,3})$";

/// Values that are not secrets.
const LITERALS: [&str; 13] = [
    "null",
    "none",
    "nil",
    "undefined",
    "true",
    "false",
    "string",
    "number",
    "boolean",
    "any",
    "str",
    "int",
    "bool",
];

/// The fewest characters of a word that may be a line of a key, and those of a complete line: 64 in
/// most programs, 70 in OpenSSH, 76 in MIME.
const MIN_KEY_LINE: usize = 40;
const COMPLETE_KEY_LINE: Range<usize> = 60..80;

/// `text`, which has lines and no control characters, without secrets. It is masked as a whole,
/// because a part of a secret is not recognized.
pub fn masked(text: &str) -> String {
    let text = without_private_keys(text);
    let text = without_logins(&text);
    let text = NAMED_PATTERNS
        .get_or_init(|| NAMED.iter().filter_map(|it| Regex::new(it).ok()).collect())
        .iter()
        .fold(text, |text, pattern| without_named(&text, pattern));
    let text = without_tokens(&text);
    let lines: Vec<String> = text.lines().map(without_accounts).collect();
    lines.join("\n")
}

static NAMED_PATTERNS: OnceLock<Vec<Regex>> = OnceLock::new();

fn without_named(text: &str, pattern: &Regex) -> String {
    let (mut shown, mut end) = (String::with_capacity(text.len()), 0);
    for found in pattern.captures_iter(text) {
        let (Some(name), Some(value)) = (found.get(1), found.get(2)) else {
            continue;
        };
        let before = text.get(..name.start()).unwrap_or_default();
        // `arn:aws:secretsmanager:<region>:<account>:secret:<name>`.
        let is_in_arn = before.ends_with(':') && name.as_str() == "secret:";
        let is_shown = is_in_arn || is_path(name.as_str(), value.as_str());
        shown.push_str(text.get(end..value.start()).unwrap_or_default());
        let quote = value.as_str().chars().next().filter(|c| "\"'".contains(*c));
        if is_shown || is_no_secret(value.as_str()) {
            shown.push_str(value.as_str());
        } else {
            shown.extend(quote);
            shown.push_str(MASK);
            shown.extend(quote);
        }
        end = value.end();
    }
    shown + text.get(end..).unwrap_or_default()
}

static NO_SECRET_PATTERN: OnceLock<Option<Regex>> = OnceLock::new();

/// Whether a value is a literal or has a form of [`NO_SECRET`]. Quotes, and the brackets and
/// punctuation after it, do not belong to it. Other members of an object may follow it.
fn is_no_secret(value: &str) -> bool {
    const AFTER: [char; 7] = ['"', '\'', ',', ';', ')', '}', '\\'];
    let is_quoted = value.starts_with(['"', '\'']);
    let first = value.split_once(' ').map(|(first, _)| first);
    if !is_quoted && first.is_some_and(|it| it.ends_with([',', ';']) && is_no_secret(it)) {
        return true;
    }
    let pattern = NO_SECRET_PATTERN.get_or_init(|| Regex::new(NO_SECRET).ok());
    let mut bare = value.trim_start_matches(['"', '\'']);
    loop {
        let has_form = pattern.as_ref().is_some_and(|it| it.is_match(bare));
        let mut literals = LITERALS.iter();
        if has_form || literals.any(|literal| bare.eq_ignore_ascii_case(literal)) {
            return true;
        }
        match bare.strip_suffix(AFTER) {
            Some(shorter) => bare = shorter,
            None => return false,
        }
    }
}

/// Whether a name with its `:` and the value are a path such as `token::Stream`.
fn is_path(name: &str, value: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
    let is_after = |c: char| c.is_ascii_punctuation() && !is_part(c);
    let path = value.trim_end_matches(is_after);
    let path = path.strip_prefix(':').unwrap_or_default();
    name.ends_with(':') && !path.is_empty() && path.chars().all(is_part)
}

/// `text` with only the prefixes of its tokens.
fn without_tokens(text: &str) -> String {
    let mut ranges = vec![];
    for Token {
        prefix,
        min,
        others,
    } in TOKENS
    {
        let mut end = 0;
        for (at, _) in text.match_indices(prefix) {
            let start = at + prefix.len();
            // Otherwise a line of prefixes alone would take quadratic time.
            if start < end {
                continue;
            }
            let is_part = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
            let rest = text.get(start..).unwrap_or_default();
            let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            end = start + length;
            if length >= *min {
                ranges.push(start..start + length);
            }
        }
    }
    with_masks(text, ranges)
}

/// `text` without private keys, also those whose beginning or end it lacks.
fn without_private_keys(text: &str) -> String {
    let mut ranges = vec![];
    let (mut from, mut is_open) = (0, None);
    while let Some((marker, is_begin)) = next_marker(text, from) {
        from = marker.end;
        match (is_begin, is_open) {
            (true, None) => is_open = Some(marker.start),
            (true, Some(_)) => {}
            (false, Some(begin)) => {
                ranges.push(begin..marker.end);
                is_open = None;
            }
            (false, None) => ranges.push(beginning_of_key(text, marker.start)..marker.end),
        }
    }
    if let Some(begin) = is_open {
        ranges.push(begin..end_of_key(text, begin));
    }
    ranges.extend(lines_of_keys(text));
    with_masks(text, ranges)
}

/// The first line `-----BEGIN … PRIVATE KEY-----` or `-----END …` from a place on, and whether it
/// is the former.
fn next_marker(text: &str, from: usize) -> Option<(Range<usize>, bool)> {
    let rest = text.get(from..)?;
    rest.match_indices("-----").find_map(|(at, dashes)| {
        let after = rest.get(at + dashes.len()..)?;
        let (is_begin, label) = match after.strip_prefix("BEGIN ") {
            Some(label) => (true, label),
            None => (false, after.strip_prefix("END ")?),
        };
        let (label, _) = label.split_once("-----")?;
        let is_key = label.contains("PRIVATE KEY") && !label.contains('\n');
        let length = dashes.len() + if is_begin { 6 } else { 4 } + label.len() + dashes.len();
        is_key.then_some((from + at..from + at + length, is_begin))
    })
}

/// The last word of a line, if it may be a line of a key. A program may print something before.
fn key_word(line: &str) -> Option<&str> {
    let word = line.split_whitespace().next_back()?;
    let word = word.trim_end_matches(['\\', '"', '\'', ',']);
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    (!word.is_empty() && word.chars().all(is_base64)).then_some(word)
}

/// Where the key begins whose end is at `end`.
fn beginning_of_key(text: &str, end: usize) -> usize {
    let before = text.get(..end).unwrap_or_default();
    let mut begin = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let line = before.rfind('\n').unwrap_or(0);
    let lines = before.get(..line).unwrap_or_default().rsplit('\n');
    let mut start_of_line = line;
    for (index, line) in lines.enumerate() {
        start_of_line = start_of_line.saturating_sub(line.len());
        // The last line of a key is short.
        let is_key = key_word(line).is_some_and(|word| index == 0 || word.len() >= MIN_KEY_LINE);
        if !is_key {
            break;
        }
        begin = start_of_line;
        start_of_line = start_of_line.saturating_sub(1);
    }
    begin
}

/// Where the key ends that begins at `begin`: the text ends before it does.
fn end_of_key(text: &str, begin: usize) -> usize {
    let rest = text.get(begin..).unwrap_or_default();
    let mut end = begin;
    for (index, line) in rest.split_inclusive('\n').enumerate() {
        // A key may have headers and an empty line after its first line.
        let is_header = index < 4
            && (line.trim().is_empty() || line.contains("-Info: ") || line.contains("-Type: "));
        let is_key = key_word(line).is_some_and(|word| word.len() >= MIN_KEY_LINE);
        if index > 0 && !is_header && !is_key {
            // The last line of a key is short.
            return key_word(line).map_or(end, |_| end + line.len());
        }
        end += line.len();
    }
    end
}

/// Two or more complete lines of a key, without its beginning and its end. The hashes of files have
/// small letters only.
fn lines_of_keys(text: &str) -> Vec<Range<usize>> {
    let (mut ranges, mut run, mut at) = (vec![], vec![], 0);
    let is_complete = |word: &&str| {
        let has = |is_of: fn(&u8) -> bool| word.bytes().any(|byte| is_of(&byte));
        COMPLETE_KEY_LINE.contains(&word.len())
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
            && has(u8::is_ascii_digit)
    };
    for line in text.split_inclusive('\n') {
        if let Some(word) = key_word(line).filter(is_complete) {
            let start = at + line.rfind(word).unwrap_or(0);
            run.push(start..start + word.len());
        } else if run.len() > 1 {
            ranges.append(&mut run);
        } else {
            run.clear();
        }
        at += line.len();
    }
    if run.len() > 1 {
        ranges.append(&mut run);
    }
    ranges
}

/// `text` with one mask for each range, and one for those that overlap.
fn with_masks(text: &str, mut ranges: Vec<Range<usize>>) -> String {
    ranges.sort_by_key(|range| range.start);
    let (mut shown, mut end) = (String::with_capacity(text.len()), 0);
    for range in ranges {
        if range.start >= end {
            shown.push_str(text.get(end..range.start).unwrap_or_default());
            shown.push_str(MASK);
        }
        end = end.max(range.end);
    }
    shown + text.get(end..).unwrap_or_default()
}

#[cfg(test)]
#[path = "masks_tests.rs"]
mod tests;
