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
        ("user-dev-*", "User-dev-mirror"),
        ("User-dev-*", "user-dev-mirror"),
        ("", "x"),
    ] {
        assert!(!matches(pattern, name), "{pattern} {name}");
    }
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
