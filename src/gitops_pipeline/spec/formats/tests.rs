use crate::gitops_pipeline::spec::formats::*;

#[test]
fn branches_are_what_git_takes() {
    for branch in ["master", "feature/a-b", "release/2.0", "é", "a@b"] {
        assert!(is_branch_name(branch), "{branch}");
    }
    for no_branch in [
        "", "-a", "a b", "a..b", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "@", "a@{1}", "a~1",
        "a:b", "a\\b", "a.", "a\n",
    ] {
        assert!(!is_branch_name(no_branch), "{no_branch}");
    }
}

#[test]
fn an_arn_is_of_its_service() {
    assert!((ROLE_ARN.fits)("arn:aws:iam::123456789012:role/path/r"));
    assert!(!(ROLE_ARN.fits)("arn:aws:iam::123456789012:role/"));
    assert!(!(ROLE_ARN.fits)("arn:aws:iam::123456789012:user/u"));
    assert!(!(ROLE_ARN.fits)(
        "arn:aws:iam:eu-central-1:123456789012:role/r"
    ));
    assert!((TOPIC_ARN.fits)("arn:aws:sns:eu-central-1:123456789012:t"));
    assert!((KEY_ARN.fits)(
        "arn:aws-cn:kms:cn-north-1:123456789012:key/1"
    ));
    assert!(!(KEY_ARN.fits)(
        "arn:aws:kms:eu-central-1:123456789012:alias/a"
    ));
    assert!(!(TOPIC_ARN.fits)("arn:aws:sns:eu-central-1:1234:t"));
}
