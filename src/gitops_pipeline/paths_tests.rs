use proptest::prelude::*;

use crate::gitops_pipeline::paths::Paths;
use crate::gitops_pipeline::spec::formats;

fn paths(includes: &[&str], excludes: &[&str]) -> Paths {
    let owned = |globs: &[&str]| globs.iter().map(|&glob| glob.to_owned()).collect();
    Paths {
        includes: owned(includes),
        excludes: owned(excludes),
    }
}

fn is_match(paths: &Paths, path: &str) -> bool {
    paths.matcher().expect("globs").is_match(path)
}

#[test]
fn glob_matches_as_documented() {
    let (shop, no_shop) = (
        "services/shop/a services/shop/a/b",
        "services/shop services/shopping/a x/services/shop/a",
    );
    for (glob, matching, other) in [
        ("services/shop/**", shop, no_shop),
        ("**", "a a/b .hidden", ""),
        ("*", "a .gitignore", "a/b"),
        ("*.md", "README.md .md", "docs/README.md README.mdx"),
        ("**/*.md", "README.md docs/a.md docs/x/a.md", "README"),
        ("a/**/b", "a/b a/x/b a/x/y/b", "ab a/xb a/b/c"),
        ("a/**/**", "a/b a/b/c", "a"),
        ("v?/x", "v1/x vä/x", "v/x v12/x v//x"),
        ("a.b+c(d)|e^f$g", "a.b+c(d)|e^f$g", "aXb+c(d)|e^f$g"),
        ("Case", "Case", "case"),
    ] {
        assert!(formats::GLOB.fits(glob), "{glob}");
        let paths = paths(&[glob], &[]);
        for path in matching.split_whitespace() {
            assert!(is_match(&paths, path), "{glob} {path}");
        }
        for path in other.split_whitespace() {
            assert!(!is_match(&paths, path), "{glob} {path}");
        }
    }
    assert!(is_match(&paths(&["**"], &[]), "a\nb"));
}

#[test]
fn exclude_wins_over_include() {
    let both = paths(&["src/**", "docs/**"], &["**/*.md"]);
    assert!(is_match(&both, "src/main.rs"));
    assert!(!is_match(&both, "src/README.md"));
    assert!(!is_match(&both, "other/main.rs"));
    let only_excludes = paths(&[], &["docs/**"]);
    assert!(is_match(&only_excludes, "src/main.rs"));
    assert!(!is_match(&only_excludes, "docs/a"));
}

#[test]
fn glob_with_many_stars_matches_in_linear_time() {
    let glob = "*a".repeat(100) + "*c";
    let path = "a".repeat(4000) + "/x";
    assert!(!is_match(&paths(&[&glob], &[]), &path));
}

#[test]
fn invalid_globs_are_rejected() {
    for glob in [
        "", "/a", "a/", "a//b", "./a", "a/../b", "..", "a**", "**a", "a/b**/c", "***", "[a]",
        "{a,b}", "!a", "a\\b", "a\nb",
    ] {
        assert!(!formats::GLOB.fits(glob), "{glob:?}");
    }
    assert!(!formats::GLOB.fits(&"a".repeat(256)));
    for glob in ["a b", "...", ".github/**", "a/.b", "a!", "größe"] {
        assert!(formats::GLOB.fits(glob), "{glob:?}");
    }
}

/// The definition of the globs, without regular expressions.
fn matches(glob: &[&str], path: &[&str]) -> bool {
    match (glob, path) {
        ([], []) => true,
        (["**"], path) => !path.is_empty(),
        (["**", rest @ ..], path) => (0..=path.len()).any(|skip| matches(rest, &path[skip..])),
        ([first, glob @ ..], [segment, path @ ..]) => {
            let (first, segment) = (first.as_bytes(), segment.as_bytes());
            segment_matches(first, segment) && matches(glob, path)
        }
        _ => false,
    }
}

fn segment_matches(glob: &[u8], segment: &[u8]) -> bool {
    match (glob, segment) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            (0..=segment.len()).any(|skip| segment_matches(rest, &segment[skip..]))
        }
        ([b'?', glob @ ..], [_, segment @ ..]) => segment_matches(glob, segment),
        ([first, glob @ ..], [other, segment @ ..]) => {
            first == other && segment_matches(glob, segment)
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn valid_glob_matches_by_its_definition(
        glob in "(\\*\\*|[ab*?.]{1,3})(/(\\*\\*|[ab*?.]{1,3})){0,3}",
        path in "[ab.]{1,3}(/[ab.]{1,3}){0,4}",
    ) {
        prop_assume!(formats::GLOB.fits(&glob));
        let by_definition = matches(
            &glob.split('/').collect::<Vec<_>>(),
            &path.split('/').collect::<Vec<_>>(),
        );
        prop_assert_eq!(is_match(&paths(&[&glob], &[]), &path), by_definition);
    }
}
