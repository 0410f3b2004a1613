//! The names of git branches, and patterns of them, in the properties of both resources.

use cfn_custom_resource::{Format, Pattern};

/// The pattern of texts that are not branch names. `check-ref-format` rejects ASCII's control
/// characters, but accepts every character beyond ASCII.
macro_rules! not_a_branch {
    ($($more:literal),*) => {
        concat!(
            r"^(@|HEAD|[0-9A-Fa-f]{40})?$|^[-/]|[./]$|\.\.|//|@\{|(^|/)\.|\.lock(/|$)|[\x00-\x20\x7F~^:?\[\\]",
            $($more),*
        )
    };
}

/// The names that `git check-ref-format --branch` accepts, up to CodeCommit's limit of 256
/// characters. CodeCommit and GitLab reject those that look like a commit: exactly 40 hexadecimal
/// digits. <https://git-scm.com/docs/git-check-ref-format>,
/// <https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html>
pub static BRANCH_NAME: Format = Format::new(
    Pattern::new("").without(not_a_branch!(r"|\*")).up_to(256),
    "must be the name of a git branch, of at most 256 characters",
);

/// The same, with `*` for any characters, as in GitLab's protected branches and in EventBridge's
/// patterns, which reject `**`:
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-content-based-filtering.html#eb-filtering-wildcard-matching>
pub static BRANCH_PATTERN: Format = Format::new(
    Pattern::new("").without(not_a_branch!(r"|^\*|\*\*")).up_to(256),
    "must be a pattern of git branches such as `review/*`, of at most 256 characters, with no `*` first and \
     no `**`",
);

#[cfg(test)]
mod tests {
    use super::*;

    /// Separated by spaces.
    const ACCEPTED: &str = "master feature/a-b release/2.0 a@b @/a a/@ dev{1} { #1 a.LOCK a.locked \
        ブランチ 機能/ログイン é a\u{3000}b a\u{85}b a\u{a0}b refs/heads/a a\"b'c`$(d) head";

    /// Separated by commas.
    const REJECTED: &str = ",@,HEAD,-a,-x,a b,a..b,/a,a/,a//b,.a,a/.b,a.lock,a.lock/b,a@{1},a~1,a^,\
        a:b,a\\b,a?,a[0],a.,a\n,a\tb,a\u{7f},c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

    #[test]
    fn branch_name_is_what_git_accepts() {
        for name in ACCEPTED.split(' ') {
            assert!(BRANCH_NAME.fits(name), "{name}");
        }
        for name in REJECTED.split(',') {
            assert!(!BRANCH_NAME.fits(name), "{name:?}");
        }
        assert!(!BRANCH_NAME.fits("a*") && !BRANCH_NAME.fits(&"é".repeat(257)));
        assert!(BRANCH_NAME.fits(&"é".repeat(256)));
    }

    #[test]
    fn branch_pattern_is_a_name_with_asterisks() {
        for pattern in ACCEPTED.split(' ').chain(["review/*", "検証/*", "a*b*c", "a/*/*"]) {
            assert!(BRANCH_PATTERN.fits(pattern), "{pattern}");
        }
        for pattern in REJECTED.split(',').chain(["*", "*/a", "a/**", "a/**/b"]) {
            assert!(!BRANCH_PATTERN.fits(pattern), "{pattern:?}");
        }
    }
}
