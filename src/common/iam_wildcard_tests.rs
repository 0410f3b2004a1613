use super::NamePattern;

fn matches(pattern: &str, name: &str) -> bool {
    NamePattern::new(pattern).expect(pattern).matches(name)
}

#[test]
fn star_matches_any_characters_question_mark_one() {
    for (pattern, name) in [
        ("user-dev-*", "user-dev-mirror"),
        ("user-dev-*", "user-dev-"),
        ("*", ""),
        ("user-?-*", "user-x-y-z"),
        ("u*r", "ur"),
        ("a*b*c", "a-b-b-c-c"),
        ("*-mirror", "user-dev-mirror"),
        ("exactly", "exactly"),
        ("", ""),
    ] {
        assert!(matches(pattern, name), "{pattern} {name}");
    }
    for (pattern, name) in [
        ("user-dev-*", "user-prd-mirror"),
        ("user-dev-*", "user-dev"),
        ("user-?-*", "user--y"),
        ("user-?-*", "user-xy-z"),
        ("a*b*c", "a-c-b"),
        ("exactly", "not exactly"),
        ("exactly", "exactly not"),
        ("", "x"),
    ] {
        assert!(!matches(pattern, name), "{pattern} {name}");
    }
}

#[test]
fn case_matters() {
    assert!(!matches("user-dev-*", "User-dev-mirror"));
    assert!(!matches("User-dev-*", "user-dev-mirror"));
}

#[test]
fn other_characters_match_themselves() {
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    for character in "+=,.@_-".chars() {
        let (pattern, name) = (format!("a{character}b*"), format!("a{character}b"));
        assert!(matches(&pattern, &name), "{pattern}");
        for other in ["ab", "aab", "axb", "a/b"] {
            assert!(!matches(&pattern, other), "{pattern} {other}");
        }
    }
}

#[test]
fn regex_syntax_has_no_meaning() {
    for pattern in ["[a-z]", "(a|b)", "a{2}", "^a$", r"a\d", "a+", r"\", "("] {
        assert!(matches(pattern, pattern), "{pattern}");
        for other in ["a", "aa", "b", "a1"] {
            assert!(!matches(pattern, other), "{pattern} {other}");
        }
    }
}

#[test]
fn many_stars_take_no_longer() {
    let pattern = "*a".repeat(100);
    assert!(!matches(&pattern, &"a".repeat(99)));
    assert!(matches(&pattern, &"a".repeat(100)));
}
