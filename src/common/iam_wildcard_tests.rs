use super::NamePattern;

fn matches(pattern: &str, name: &str) -> bool {
    NamePattern::new(pattern).expect(pattern).matches(name)
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
