//! The patterns of branches: those of protected branches, and the regular expressions of mirrors.

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

/// As much of RE2 as tests write: alternatives, `^`, `$` and `.*`. Matches anywhere, as
/// `Gitlab::UntrustedRegexp` does.
pub fn matches_regex(regex: &str, branch: &str) -> bool {
    let alternatives = regex.split('|');
    let mut patterns = alternatives.map(|one| {
        let one = one.replace(".*", "*");
        let plain = one.trim_start_matches('^').trim_end_matches('$');
        let unsupported = |c: char| "\\[](){}+?.^$".contains(c);
        assert!(!plain.contains(unsupported), "the fake can not {regex}");
        let before = if one.starts_with('^') { "" } else { "*" };
        let after = if one.ends_with('$') { "" } else { "*" };
        format!("{before}{plain}{after}")
    });
    patterns.any(|pattern| is_like(&pattern, branch))
}
