//! The patterns of branches: those of protected branches, and the regular expressions of mirrors.

use regex_lite::Regex;

/// Protected branches: `*` matches anything (`app/models/concerns/protected_ref.rb`).
pub fn is_like(pattern: &str, branch: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == branch,
        Some((start, rest)) => branch.strip_prefix(start).is_some_and(|tail| {
            let mut ends = (0..=tail.len()).filter(|at| tail.is_char_boundary(*at));
            ends.any(|at| is_like(rest, &tail[at..]))
        }),
    }
}

/// Matches anywhere, as `Gitlab::UntrustedRegexp` does. An error is the reason why RE2 rejects it.
pub fn matches_regex(regex: &str, branch: &str) -> Result<bool, String> {
    let regex = Regex::new(regex).map_err(|error| error.to_string())?;
    Ok(regex.is_match(branch))
}
