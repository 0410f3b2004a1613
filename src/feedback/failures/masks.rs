//! Masks for secrets that a build may print. They cannot find every secret, so a log is shown to
//! members of a private project only.
//!
//! Where a value ends is not guessed: after the name of a secret and an assignment, the line is
//! hidden to its end. `docs/concepts/reporting.md` has the rule for users.

use std::ops::Range;

use super::secret_names::{SecretNames, Value};
use crate::feedback::change_sets::{with_ranges_replaced, without_accounts};

/// Replaces a secret.
pub const MASK: &str = "*****";

/// Tokens that are recognized wherever they stand: their prefixes, the fewest characters after one
/// (a shorter text is a name or an example), and those that are neither letters nor digits.
const TOKENS: [(&[&str], usize, &str); 17] = [
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes
    (&["AKIA", "ASIA", "ABIA", "ACCA"], 12, ""),
    // https://docs.gitlab.com/security/tokens/#token-prefixes
    (
        &[
            "glpat-",
            "gloas-",
            "gldt-",
            "glrt-",
            "glrtr-",
            "glcbt-",
            "glptt-",
            "glft-",
            "glimt-",
            "glagent-",
            "glwt-",
            "glsoat-",
            "glffct-",
            "GR1348941",
        ],
        12,
        "-_.",
    ),
    (&["_gitlab_session="], 12, ""),
    // https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
    (
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        16,
        "_-.",
    ),
    // https://docs.slack.dev/authentication/tokens
    (
        &[
            "xoxa-", "xoxb-", "xoxe-", "xoxe.", "xoxp-", "xoxr-", "xoxs-", "xapp-",
        ],
        8,
        "-.",
    ),
    (
        &["hooks.slack.com/services/", "discord.com/api/webhooks/"],
        8,
        "/-_",
    ),
    // Registries of packages and images. An environment variable `npm_config_…` has underscores.
    (&["npm_", "hf_"], 30, ""),
    (&["pypi-Ag", "AIza"], 30, "-_"),
    (&["dckr_pat_"], 12, "-_"),
    // https://docs.stripe.com/keys
    (&["sk_live_", "rk_live_", "sk_test_"], 8, ""),
    // Google, Vault, Anthropic, OpenAI, Atlassian, SendGrid.
    (
        &["ya29.", "GOCSPX-", "hvs.", "sk-ant-", "sk-proj-", "ATATT3x"],
        16,
        "-_.=",
    ),
    (&["SG."], 40, "-_."),
    // Linear, New Relic, DigitalOcean, Shopify, age.
    (
        &["lin_api_", "NRAK-", "dop_v1_", "shpat_", "AGE-SECRET-KEY-1"],
        16,
        "",
    ),
    // JSON in Base64: a JSON Web Token, or a registry's login.
    (&["eyJ"], 20, "-_.+/="),
    // A private key in Base64 again, as in a kubeconfig; a secret of webhooks.
    (&["LS0tLS1CRUdJTi", "whsec_", "Basic "], 16, "+/="),
    (&["earer "], 16, "-_.+/=~"),
    // Signatures of addresses.
    (&["ignature=", "?sig=", "&sig="], 8, "-_.+/=%"),
];

/// The fewest characters of a random text, and of those that are in no word and no hash.
const MIN_RANDOM: usize = 32;
const MIN_RANDOM_LEFT: usize = 16;

/// The fewest letters of a word, and the fewest digits of a hash, inside of a longer text.
const MIN_WORD: usize = 3;
const MIN_HASH: usize = 8;

/// The text before the digest of a package, of a file or of a key.
const DIGESTS: [&str; 7] = [
    "sha1",
    "sha256",
    "sha384",
    "sha512",
    "md5",
    "h1",
    "integrity",
];

/// The fewest characters of a word that may be a line of a key, except its last one.
const MIN_KEY_LINE: usize = 40;

/// The most lines that belong to a value which begins behind the line of its name.
const MAX_VALUE_LINES: usize = 20;

/// The lines after the name of a secret in which `Value` counts as its value.
const MAX_NAMED_LINES: usize = 3;

/// `text`, which has lines and no control characters, without secrets. It is masked as a whole,
/// because a part of a secret is not recognized.
pub fn masked(text: &str) -> String {
    let mut masker = Masker::default();
    for line in text.lines() {
        masker.add(line);
    }
    masker.lines.join("\n")
}

/// Whether a secret follows in the line.
pub fn announces_secret(line: &str) -> bool {
    SecretNames::of(line, false).value.is_some()
}

#[derive(Default)]
struct Masker {
    lines: Vec<String>,
    open: Open,
    /// In how many lines, from this one on, `Value` is that of a secret.
    named: usize,
}

/// A secret whose next part is in the next line.
#[derive(Default)]
enum Open {
    #[default]
    Nothing,
    /// The value of a name in a line with this indentation. The first line belongs to it, and the
    /// ones after it that are indented deeper.
    Value {
        indentation: usize,
        lines: usize,
    },
    Key,
}

impl Masker {
    fn add(&mut self, line: &str) {
        self.named = self.named.saturating_sub(1);
        if line.trim().is_empty() {
            self.lines.push(String::new());
            return;
        }
        let is_hidden = self.open.has(line);
        let begin = marker(line, "-----BEGIN ").or_else(|| line.find("Private-Lines: "));
        let end = marker(line, "-----END ");
        if begin.is_none() && end.is_some() {
            // The last line of a key is short.
            self.lines.pop_if(|last| key_word(last).is_some());
            self.open = Open::Nothing;
            self.push(MASK.to_owned());
            return;
        }
        if is_hidden {
            self.push(MASK.to_owned());
        } else {
            self.add_shown(line, begin);
        }
        if begin.is_some() && end.is_none() {
            self.open = Open::Key;
        }
    }

    /// Adds a line that begins outside of a secret. `key` is where a private key begins in it.
    fn add_shown(&mut self, line: &str, key: Option<usize>) {
        let names = SecretNames::of(line, self.named > 0);
        if names.has_bare_name {
            self.named = MAX_NAMED_LINES + 1;
        }
        let mut ranges = logins(line);
        ranges.extend(tokens(line));
        ranges.extend(random_texts(line));
        ranges.extend(key.map(|start| start..line.len()));
        if let Some(Value { start, is_empty }) = names.value {
            if is_empty {
                self.open = Open::Value {
                    indentation: indentation(line),
                    lines: 0,
                };
            } else {
                ranges.push(start..line.len());
            }
        }
        self.push(without_accounts(&with_ranges_replaced(line, ranges, MASK)));
    }

    /// Adds a line, and only one of several that are hidden.
    fn push(&mut self, line: String) {
        if line != MASK || self.lines.last() != Some(&line) {
            self.lines.push(line);
        }
    }
}

impl Open {
    /// Whether the next line belongs to the secret, as a whole.
    fn has(&mut self, line: &str) -> bool {
        let (has_line, is_over) = match self {
            Open::Nothing => return false,
            Open::Value {
                indentation: of_name,
                lines,
            } => {
                *lines += 1;
                let has_line = *lines == 1 || indentation(line) > *of_name;
                (has_line, !has_line || *lines == MAX_VALUE_LINES)
            }
            Open::Key => {
                let headers = ["-Info: ", "-Type: ", "Version: ", "Comment: "];
                let is_header = headers.iter().any(|header| line.contains(header));
                let word = key_word(line);
                let is_complete = word.is_some_and(|word| word.len() >= MIN_KEY_LINE);
                let is_last = word.is_some_and(|word| line.trim().len() <= word.len() + 2);
                let is_inside = is_header || is_complete;
                (is_inside || is_last, !is_inside)
            }
        };
        if is_over {
            *self = Open::Nothing;
        }
        has_line
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Where `-----BEGIN … PRIVATE KEY-----` or `-----END …` stands in a line.
fn marker(line: &str, beginning: &str) -> Option<usize> {
    line.match_indices(beginning).find_map(|(at, _)| {
        let (label, _) = line.get(at + beginning.len()..)?.split_once("-----")?;
        label.contains("PRIVATE KEY").then_some(at)
    })
}

/// The last word of a line, if it may be a line of a key. A program may print something before.
fn key_word(line: &str) -> Option<&str> {
    let word = line.split_whitespace().next_back()?.trim_end_matches(['\\', '"', '\'', ',']);
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    (!word.is_empty() && word.chars().all(is_base64)).then_some(word)
}

/// The places of logins in addresses. A password may have any character, so the line is hidden to
/// its end after one.
fn logins(line: &str) -> Vec<Range<usize>> {
    let (mut ranges, mut end) = (vec![], 0);
    let last_sign = line.rfind('@');
    for (at, scheme) in line.match_indices("://") {
        let start = at + scheme.len();
        if start < end {
            continue;
        }
        let rest = line.get(start..).unwrap_or_default();
        let word = rest.split(char::is_whitespace).next().unwrap_or_default();
        end = start + word.len();
        let is_end = |c: char| "/?#'\"<>`".contains(c);
        let authority = word.split(is_end).next().unwrap_or_default();
        let sign = word.find('@');
        if let Some((host, port)) = authority.split_once(':') {
            let port = port.trim_end_matches([':', '.', ',', ';', ')', ']', '}']);
            let is_port = host.starts_with('[') || port.bytes().all(|byte| byte.is_ascii_digit());
            // `http://localhost:4873/@scope/package`.
            let is_path = |sign: usize| word.get(..sign).is_some_and(|it| it.ends_with('/'));
            let has_login = match sign {
                Some(sign) if !port.is_empty() => !is_port || !is_path(sign),
                _ => port.is_empty() || !is_port,
            };
            if has_login && last_sign.is_some_and(|sign| sign > start) {
                ranges.push(start..line.len());
                break;
            }
            if !is_port {
                ranges.push(start..end);
            }
        } else if let Some(sign) = sign.filter(|sign| *sign <= authority.len()) {
            ranges.push(start..start + sign);
        }
    }
    ranges
}

/// The places of tokens, without their prefixes.
fn tokens(line: &str) -> Vec<Range<usize>> {
    let mut ranges = vec![];
    for (prefixes, min, others) in TOKENS {
        for prefix in prefixes {
            let mut end = 0;
            for (at, _) in line.match_indices(prefix) {
                let start = at + prefix.len();
                // Otherwise a line of prefixes alone would take quadratic time.
                if start < end {
                    continue;
                }
                let is_part = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
                let rest = line.get(start..).unwrap_or_default();
                end = start + rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                if end - start >= min {
                    ranges.push(start..end);
                }
            }
        }
    }
    ranges
}

/// The places of long random texts: keys in Base64, and passwords of letters and digits.
fn random_texts(line: &str) -> Vec<Range<usize>> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let (mut ranges, mut at) = (vec![], 0);
    for text in line.split(|c| !is_part(c)) {
        let start = at;
        // The separator has one byte, or is a character of several.
        at += text.len();
        at += line.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let is_digest = || {
            let before = line.get(..start).unwrap_or_default();
            let before = before.trim_end_matches(['-', ':', '=', ' ', '"', '\'']);
            DIGESTS.iter().any(|digest| ends_with(before, digest))
        };
        if is_random(text) && !is_digest() {
            ranges.push(start..start + text.len());
        }
    }
    ranges
}

/// Whether `text` ends with an ending in any case.
fn ends_with(text: &str, ending: &str) -> bool {
    let start = text.len().checked_sub(ending.len());
    let end = start.and_then(|start| text.get(start..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(ending))
}

/// Whether a text of letters, digits, `+`, `/` and `=` is random. Paths, and names that consist of
/// words and a hash, are not.
fn is_random(text: &str) -> bool {
    let has = |is_of: fn(&u8) -> bool| text.bytes().any(|byte| is_of(&byte));
    let is_mixed =
        has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    if text.len() < MIN_RANDOM || !is_mixed {
        return false;
    }
    let length = |is_of: fn(&u8) -> bool, of: &[u8]| of.iter().take_while(|it| is_of(it)).count();
    let (mut rest, mut left) = (text.as_bytes(), 0);
    while let Some((first, further)) = rest.split_first() {
        let lower = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        let upper = |byte: &u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte);
        let hash = length(lower, rest).max(length(upper, rest));
        let is_capital = first.is_ascii_uppercase();
        let word = length(
            u8::is_ascii_lowercase,
            if is_capital { further } else { rest },
        );
        let skipped = if hash >= MIN_HASH {
            hash
        } else if word >= MIN_WORD {
            word + usize::from(is_capital)
        } else {
            left += usize::from(!b"/=".contains(first));
            1
        };
        rest = rest.get(skipped..).unwrap_or_default();
    }
    left >= MIN_RANDOM_LEFT
}

#[cfg(test)]
#[path = "masks_tests.rs"]
mod tests;
