use crate::gitops_pipeline::request_token::*;

#[test]
fn token_contains_request_and_purpose() {
    let signed_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_161_300);
    let key = RequestKey::new(signed_at, "a-request", "an-owner");
    for purpose in [
        Purpose::Apply(ownership::key("a template")),
        Purpose::ApplyAgain(ownership::key("a template")),
        Purpose::Cancel,
        Purpose::ContinueRollback,
        Purpose::Delete,
        Purpose::RollBack,
    ] {
        let token = key.token(&purpose);
        assert_eq!(read(&token), Some((key.clone(), purpose)));
        assert!(token.len() <= 128);
        assert!(token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    }
}

#[test]
fn token_of_another_caller_is_not_read() {
    let first_push = of_first_push();
    for token in [
        "",
        "gitops",
        "gitops-1",
        "gitops-1-2",
        "gitops-x-y-z",
        "gitops-1-2-3-4",
        "Console-CreateStack-7f59c3cf-00d2-40c7-b2ff-e75db0987002",
        &first_push,
    ] {
        assert_eq!(read(token), None, "{token}");
    }
}
