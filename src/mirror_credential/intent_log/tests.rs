use crate::mirror_credential::intent_log::*;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_161_300 + seconds)
}

#[test]
fn login_fits_in_a_staging_label() {
    let login = Login {
        entry: u64::MAX,
        credential_id: "ACCAEXAMPLE123EXAMPLE".to_owned(),
        serial_key: serial_key(None),
        user_key: key("user"),
        mirrors: 50,
        version_id: version_id(u64::MAX),
    };
    assert!(login.write().len() <= 256);
    assert!((32..=64).contains(&login.version_id.len()));
}

#[test]
fn unknown_text_is_not_a_record() {
    for text in ["", " ", "a b c d", "closed", "x 1 2026-11-20T07:55:00Z"] {
        assert_eq!(IssueIntent::read(text), None, "{text}");
        assert_eq!(Tombstone::read(text), None, "{text}");
        assert_eq!(Login::read(text, text), None, "{text}");
    }
}

#[test]
fn attempt_issued_new_credentials_of_its_time() {
    let issue_intent = IssueIntent {
        secret_key: String::new(),
        claim: 1,
        started: at(0),
        before: vec![("OLD".to_owned(), CredentialClass::Superseded)],
        closed: false,
    };
    assert!(issue_intent.has_issued("NEW", at(5)));
    assert!(!issue_intent.has_issued("OLD", at(5)));
    assert!(!issue_intent.has_issued("NEW", at(86_400)));
    let class = issue_intent.recorded_class("OLD");
    assert_eq!(class, Some(CredentialClass::Superseded));
}

#[test]
fn deletion_voids_requests_signed_before_it() {
    let tombstone = Tombstone {
        owner_key: "me".to_owned(),
        signed_at: at(10),
        done_at: at(10),
        ended: "ended".to_owned(),
        unanswered: false,
    };
    for (owner, signed, request, expected) in [
        ("me", 9, "r", true),
        ("me", 11, "r", false),
        ("other", 9, "r", false),
        // A new Create in the same second, and the ended request once more.
        ("me", 10, "r", false),
        ("me", 10, "ended", true),
    ] {
        let found = tombstone.supersedes(owner, at(signed), request);
        assert_eq!(found, expected, "{owner} {signed} {request}");
    }
    let unanswered = Tombstone {
        unanswered: true,
        ..tombstone
    };
    // Cancelled within a second.
    assert!(unanswered.supersedes("me", at(10), "r"));
}
