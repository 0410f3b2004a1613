use super::NamePattern;

fn matches(pattern: &str, name: &str) -> bool {
    NamePattern::new(pattern).matches(name)
}

#[test]
fn star_matches_any_characters_question_mark_one() {
    let dev = "user-dev-mirror user-dev-";
    for (pattern, matching, other) in [
        (
            "user-dev-*",
            dev,
            "user-prd-mirror user-dev User-dev-mirror",
        ),
        ("User-dev-*", "User-dev-mirror", dev),
        ("user-?-*", "user-x-y-z", "user--y user-xy-z"),
        ("u*r", "ur", "u"),
        ("a*b*c", "a-b-b-c-c", "a-c-b"),
        ("*-mirror", "user-dev-mirror", "user-dev-mirrors"),
        ("exactly", "exactly", "notexactly exactlynot"),
        ("*ab*ab", "abab aab-aabab", "ab aba ababa"),
        ("**a?*", "ax aab bab", "a ba"),
        ("é?*", "éé ééé", "é e\u{301}"),
    ] {
        for name in matching.split(' ') {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for name in other.split(' ') {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
    assert!(matches("*", "") && matches("", "") && !matches("", "x"));
}

#[test]
fn long_pattern_is_compared_in_little_time() {
    let started = std::time::Instant::now();
    for (pattern, name) in [
        ("*".repeat(300_000), "a".repeat(100)),
        ("*a".repeat(150_000), "a".repeat(100)),
        ("*a".repeat(50) + "b", "a".repeat(1000)),
        ("a".repeat(300_000), "a".repeat(100)),
    ] {
        assert_eq!(matches(&pattern, &name), pattern.starts_with("**"));
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn every_other_character_matches_itself() {
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    for character in "+=,.@_-[](){}|^$\\/".chars() {
        let (pattern, name) = (format!("a{character}b*"), format!("a{character}b"));
        assert!(matches(&pattern, &name), "{pattern}");
        for other in ["ab", "aab", "axb", "a", "b"] {
            assert!(!matches(&pattern, other), "{pattern} {other}");
        }
    }
}
