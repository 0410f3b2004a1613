//! Hides secrets in what a build prints, which members of a private project see. Nothing has to be
//! understood: a line is hidden from the word of a secret on. `docs/concepts/reporting.md` has the
//! rule for users.

use std::ops::Range;

use crate::feedback::change_sets::with_ranges_replaced;

/// Replaces a secret.
pub const MASK: &str = "*****";

/// The words from which on a line is hidden, in any case. The two parts of a name may be joined, or
/// have a separator.
const WORDS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "authorization",
    "bearer",
    "cookie",
    "api key",
    "access key",
    "private key",
];

/// Tokens that are recognized wherever they stand: their prefixes, the fewest characters after one
/// (a shorter text is a name or an example), and those that are neither letters nor digits.
const TOKENS: [(&[&str], usize, &str); 16] = [
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
    // Linear, New Relic, DigitalOcean, Shopify.
    (&["lin_api_", "NRAK-", "dop_v1_", "shpat_"], 16, ""),
    // JSON in Base64: a JSON Web Token, or a registry's login.
    (&["eyJ"], 20, "-_.+/="),
    // A private key in Base64 again, as in a kubeconfig; a secret of webhooks.
    (&["LS0tLS1CRUdJTi", "whsec_", "Basic "], 16, "+/="),
    // Signatures of addresses.
    (&["ignature=", "?sig=", "&sig="], 8, "-_.+/=%"),
];

/// The fewest characters of a key that follow other text in a line, such as the time.
const MIN_KEY_LINE: usize = 16;

/// `lines` with one mask in place of each private key, except for its first line, which `masked`
/// hides. If a key has no beginning or no end here, the lines that look like its own are replaced.
pub fn without_keys(lines: &[String]) -> Vec<String> {
    let (mut shown, mut from) = (vec![], 0);
    for key in keys(lines) {
        shown.extend_from_slice(lines.get(from..key.start).unwrap_or_default());
        shown.push(MASK.to_owned());
        from = key.end;
    }
    shown.extend_from_slice(lines.get(from..).unwrap_or_default());
    shown
}

/// The lines of private keys after their first line.
fn keys(lines: &[String]) -> Vec<Range<usize>> {
    let (mut keys, mut open, mut last) = (vec![], None, 0);
    let is_other = |line: &String| !is_of_key(line);
    let below = |begin: usize, to: usize| {
        let run = lines.get(begin..to)?.iter().position(is_other);
        let end = run.map_or(to, |length| begin + length);
        (begin < end).then_some(begin..end)
    };
    for (at, line) in lines.iter().enumerate() {
        let begin = marker(line, "-----BEGIN ").or_else(|| line.find("Private-Lines: "));
        let end = marker(line, "-----END ");
        if end.is_some() {
            let above = || {
                let run = lines.get(last..at)?.iter().rposition(is_other);
                Some(run.map_or(last, |before| last + before + 1))
            };
            let start = open.take().or_else(above).unwrap_or(at);
            keys.push(start..at + 1);
            last = at + 1;
        }
        if begin > end {
            keys.extend(open.and_then(|begin| below(begin, at)));
            (open, last) = (Some(at + 1), at + 1);
        }
    }
    keys.extend(open.and_then(|begin| below(begin, lines.len())));
    keys
}

/// Where `-----BEGIN … PRIVATE KEY-----` or `-----END …` stands in a line.
fn marker(line: &str, beginning: &str) -> Option<usize> {
    line.match_indices(beginning).find_map(|(at, _)| {
        let (label, _) = line.get(at + beginning.len()..)?.split_once("-----")?;
        label.contains("PRIVATE KEY").then_some(at)
    })
}

/// Whether a line may be one of a private key in Base64, also as a text in code.
fn is_of_key(line: &str) -> bool {
    let line = line.trim_matches([' ', '\\', '"', '\'', ',']);
    let word = line.rsplit([' ', '"', '\'']).next().unwrap_or_default();
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let is_alone = word.len() == line.len();
    (is_alone || word.len() >= MIN_KEY_LINE) && word.chars().all(is_base64)
}

/// A line without secrets.
pub fn masked(line: &str) -> String {
    let mut ranges = tokens(line);
    if let Some(word) = word_end(line) {
        let rest = line.get(word..).unwrap_or_default().trim_start();
        if !rest.is_empty() {
            ranges.push(line.len() - rest.len()..line.len());
        }
    }
    with_ranges_replaced(line, ranges, MASK)
}

/// The end of the first word of a secret in a line.
pub fn word_end(line: &str) -> Option<usize> {
    let line = line.to_ascii_lowercase();
    let ends = WORDS.iter().filter_map(|word| {
        let (first, second) = word.split_once(' ').unwrap_or((word, ""));
        line.match_indices(first).find_map(|(at, _)| {
            let rest = line.get(at + first.len()..)?;
            let rest = if second.is_empty() {
                rest
            } else {
                rest.trim_start_matches([' ', '_', '-', '.']).strip_prefix(second)?
            };
            Some(line.len() - rest.len())
        })
    });
    ends.min()
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

#[cfg(test)]
#[path = "masks_tests.rs"]
mod tests;
