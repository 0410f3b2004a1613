use super::*;

#[test]
fn branch_name_follows_gits_rules() {
    for branch in ["master", "feature/a-b", "release/2.0", "é", "a@b"] {
        assert!(BRANCH_NAME.fits(branch), "{branch}");
    }
    for other in [
        "",
        "-a",
        "a b",
        "a..b",
        "/a",
        "a/",
        "a//b",
        ".a",
        "a/.b",
        "a.lock",
        "@",
        "a@{1}",
        "a~1",
        "a:b",
        "a\\b",
        "a.",
        "a\n",
        "a\u{a0}b",
        "a\u{85}",
        "a\u{2003}b",
    ] {
        assert!(!BRANCH_NAME.fits(other), "{other:?}");
    }
}

#[test]
fn arn_of_another_service_is_rejected() {
    assert!(ROLE_ARN.fits("arn:aws:iam::123456789012:role/path/r"));
    assert!(!ROLE_ARN.fits("arn:aws:iam::123456789012:role/"));
    assert!(!ROLE_ARN.fits("arn:aws:iam::123456789012:user/u"));
    assert!(!ROLE_ARN.fits("arn:aws:iam:eu-central-1:123456789012:role/r"));
    assert!(TOPIC_ARN.fits("arn:aws:sns:eu-central-1:123456789012:t"));
    assert!(KEY_ARN.fits("arn:aws-cn:kms:cn-north-1:123456789012:key/1"));
    assert!(!KEY_ARN.fits("arn:aws:kms:eu-central-1:123456789012:alias/a"));
    assert!(!TOPIC_ARN.fits("arn:aws:sns:eu-central-1:1234:t"));
}
