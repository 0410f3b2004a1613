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

/// `lines` with one mask in place of the lines of each private key after its first one, which
/// `masked` hides. A key without its end hides the lines after it, and one without its beginning
/// those before it.
pub fn without_keys(lines: &[String]) -> Vec<String> {
    let marked: Vec<Option<bool>> = lines.iter().map(|line| begins_key(line)).collect();
    let mut is_key = marked.iter().flatten().next() == Some(&false);
    let mut shown = vec![];
    for (line, begins) in lines.iter().zip(marked) {
        if !is_key {
            shown.push(line.clone());
        } else if shown.last().is_none_or(|last| last != MASK) {
            shown.push(MASK.to_owned());
        }
        is_key = begins.unwrap_or(is_key);
    }
    shown
}

/// Whether a private key begins in a line, or ends in it. `None` if it has neither `-----BEGIN …
/// PRIVATE KEY-----` nor `-----END …`, or a key as a whole.
fn begins_key(line: &str) -> Option<bool> {
    let is_key = |at: &usize| {
        let label = line.get(at + "-----".len()..).and_then(|rest| rest.split("-----").next());
        label.is_some_and(|label| label.contains("PRIVATE KEY"))
    };
    let place = |marker| line.rmatch_indices(marker).map(|(at, _)| at).find(is_key);
    let (begin, end) = (place("-----BEGIN "), place("-----END "));
    match (begin, end) {
        (None, Some(_)) => Some(false),
        _ => (begin > end).then_some(true),
    }
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
