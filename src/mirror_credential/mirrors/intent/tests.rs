use crate::mirror_credential::mirrors::intent::*;

fn record(id: u64) -> MirrorRecord {
    MirrorRecord {
        gitlab_url: "https://gitlab.example.com".to_owned(),
        project: "platform/infra".to_owned(),
        repository_name: "codecommit-dev-infra".to_owned(),
        id,
    }
}

#[test]
fn records_come_back_as_they_were_written() {
    let mirror_intent = MirrorIntent {
        claimant: claimant(Some("5f3b2c10")),
        written: None,
        created: vec![record(8), record(9)],
    };
    assert_eq!(
        MirrorIntent::read(&mirror_intent.write()),
        Some(mirror_intent.clone())
    );
    assert!(mirror_intent.is_by_rotation("5f3b2c10"));
    assert!(!mirror_intent.is_by_rotation("6"));
    assert_ne!(claimant(None), claimant(None));
    let properties = SavedSpec {
        entry: 3,
        key: spec_key(&json!({"b": 1, "a": 2})),
    };
    assert_eq!(
        SavedSpec::read(&properties.write()),
        Some(properties.clone())
    );
    assert_eq!(properties.key, spec_key(&json!({"a": 2, "b": 1})));
    let document = json!({"UserName": "u"});
    assert_eq!(read_spec(&write_spec(&document)), Some(document));
}

#[test]
fn text_without_a_claimant_and_foreign_text_are_not_records() {
    assert_eq!(MirrorIntent::read(r#"{"mirrors":[]}"#), None);
    assert_eq!(MirrorIntent::read("text"), None);
    assert_eq!(
        read_mirrors(&json!({"mirrors": [{"mirrorId": "x"}, 7]})),
        []
    );
    assert_eq!(SavedSpec::read("cfn-gitops:properties:x:y"), None);
    assert_eq!(read_spec(r#"{"properties":7}"#), None);
}
