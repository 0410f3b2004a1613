use crate::mirror_credential::intent_log::*;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_161_300 + seconds)
}

#[test]
fn records_are_read_as_they_were_written() {
    let issue_intent = IssueIntent {
        secret_key: key("arn"),
        claim: 7,
        started: at(0),
        before: vec![
            ("ACCA1".to_owned(), CredentialClass::Foreign),
            ("ACCA2".to_owned(), CredentialClass::Superseded),
            ("ACCA3".to_owned(), CredentialClass::OtherResource),
        ],
        closed: false,
    };
    assert_eq!(
        IssueIntent::read(&issue_intent.write()),
        Some(issue_intent.clone())
    );
    let closed = IssueIntent {
        closed: true,
        ..issue_intent
    };
    assert_eq!(IssueIntent::read(&closed.write()), Some(closed));
    let tombstone = Tombstone {
        owner_key: key("owner"),
        signed_at: at(0),
        done_at: at(3),
        ended: "-".to_owned(),
        unanswered: true,
    };
    assert_eq!(Tombstone::read(&tombstone.write()), Some(tombstone));
    let login = Login {
        entry: 3,
        credential_id: "ACCAEXAMPLE123EXAMPLE".to_owned(),
        serial_key: serial_key(None),
        user_key: key("user"),
        mirrors: 0,
        version_id: version_id(3),
    };
    assert_eq!(
        Login::read(&login.write(), &version_id(3)),
        Some(login.clone())
    );
    let login = Login {
        mirrors: 50,
        ..login
    };
    assert_eq!(
        Login::read(&login.write(), &version_id(3)),
        Some(login.clone())
    );
    assert!(login.write().len() <= 256);
    assert_eq!(entry_number(&version_id(12)), Some(12));
    assert!((32..=64).contains(&version_id(u64::MAX).len()));
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
    assert!(issue_intent.issued("NEW", at(5)));
    assert!(!issue_intent.issued("OLD", at(5)));
    assert!(!issue_intent.issued("NEW", at(86_400)));
    assert_eq!(
        issue_intent.recorded_class("OLD"),
        Some(CredentialClass::Superseded)
    );
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
    assert!(tombstone.supersedes("me", at(9), "r"));
    assert!(!tombstone.supersedes("me", at(11), "r"));
    assert!(!tombstone.supersedes("other", at(9), "r"));
    assert!(
        !tombstone.supersedes("me", at(10), "r"),
        "a new Create in the same second"
    );
    assert!(
        tombstone.supersedes("me", at(10), "ended"),
        "the ended one once more"
    );
    let unanswered = Tombstone {
        unanswered: true,
        ..tombstone
    };
    assert!(
        unanswered.supersedes("me", at(10), "r"),
        "cancelled within a second"
    );
}
