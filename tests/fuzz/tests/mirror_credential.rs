//! Fuzz targets: the properties, a rotation's event, and the values that are read from tags, labels
//! and the secret.

use serde_json::{Value, json};

use cfn_gitops::mirror_credential::fuzzing::{
    IssueIntent, Login, Tombstone, decode, entry_number, gitlab_in, intent, user_name_in,
    version_id,
};
use cfn_gitops::mirror_credential::rotation::RotationEvent;
use fuzz::{SENTINEL, assert_round_trip, fuzz, properties_of};

fn wanted() -> [Value; 2] {
    [
        include_str!("../../../events/create.json"),
        include_str!("../../event_fuzz/events/create-every-property.json"),
    ]
    .map(properties_of)
}

// claim: properties-are-decoded-within-limits-or-every-error-has-a-path
#[test]
fn properties_are_decoded_in_bounds_or_every_error_has_a_path() {
    fuzz(|choices| {
        let given = choices.json(&wanted());
        match decode(&given) {
            Ok(desired) => {
                // A rotation reads the same meaning from the secret as the template had.
                assert_eq!(decode(&desired.document).as_ref(), Ok(&desired));
                let text = intent::write_spec(&desired.document);
                let read = intent::read_spec(&text);
                assert_eq!(read.as_ref(), Some(&desired.document));
                assert!(desired.mirrors.len() <= 50 && desired.tags.len() <= 40);
                assert!(!desired.user_name.contains(['*', '?', '/', ':', ',', ' ']));
                assert!(!desired.secret_name.contains(['*', '?', ':', ',', ' ']));
                let name = desired
                    .repositories()
                    .into_iter()
                    .find(|name| name.contains(['/', '*', '.'].as_slice()) && name.contains(".."));
                assert!(name.is_none_or(|name| !name.contains('/')), "{name:?}");
                let user_name = user_name_in(&given);
                assert_eq!(user_name.as_deref(), given["UserName"].as_str());
                if let Some(access) = &desired.gitlab {
                    let url = &access.url;
                    assert!(!url.contains(['@', '?', '#', '\\', ' ']), "{url}");
                    assert_eq!(gitlab_in(&given).as_ref(), Some(access));
                }
            }
            Err(faults) => {
                assert!(!faults.0.is_empty());
                for fault in &faults.0 {
                    assert!(!fault.what.is_empty(), "{fault:?}");
                    assert!(!fault.what.contains(SENTINEL), "{fault:?}");
                    assert!(!fault.path.contains(SENTINEL), "{fault:?}");
                }
            }
        }
    });
}

// claim: rotation-event-is-one-of-four-steps-and-never-the-intent-log
#[test]
fn rotation_is_one_of_four_steps_and_never_about_the_log() {
    fuzz(|choices| {
        let step = choices.one_of(&["createSecret", "setSecret", "testSecret", "finishSecret"]);
        let version = choices.one_of(&[
            "5f3b2c10-1111-2222-3333-444455556666",
            "cfn-gitops-entry-0000000000000001",
        ]);
        let event = choices.json(&[json!({
            "Step": step,
            "SecretId": "codecommit-mirror/user-dev-m",
            "ClientRequestToken": version,
        })]);
        if let Some(found) = RotationEvent::parse(&event) {
            assert_eq!(event["Step"], found.phase.step());
            assert_eq!(event["SecretId"], found.secret_id);
            assert_eq!(event["ClientRequestToken"], found.version_id);
            assert_eq!(entry_number(&found.version_id), None);
        }
    });
}

// claim: tags-and-labels-parse-to-the-same-values
#[test]
fn tags_and_labels_are_read_as_they_are_written() {
    fuzz(|choices| {
        let text = choices.text(&[
            "0123456789abcdef 7 2026-11-20T07:55:00Z ACCA1+ACCA2=+ACCA3: open",
            "0123456789abcdef 7 2026-11-20T07:55:00Z - closed",
            "0123456789abcdef 2026-11-20T07:55:00Z 2026-11-20T07:55:03Z - unanswered",
            "cfn-gitops:login:3:ACCAEXAMPLE:none:0123456789abcdef:50",
            "cfn-gitops:login:3:ACCAEXAMPLE:0123456789abcdef:0123456789abcdef",
            "cfn-gitops:properties:3:0123456789abcdef",
            "cfn-gitops-entry-0000000000000003",
        ]);
        assert_round_trip(&text, IssueIntent::read, IssueIntent::write);
        assert_round_trip(&text, Tombstone::read, Tombstone::write);
        assert_round_trip(&text, |text| Login::read(text, "v"), Login::write);
        assert_round_trip(&text, intent::SavedSpec::read, intent::SavedSpec::write);
        if let Some(number) = entry_number(&text) {
            let id = version_id(number);
            assert_eq!(entry_number(&id), Some(number));
            assert!((32..=64).contains(&id.len()), "{id}");
        }
    });
}

// claim: tags-and-labels-parse-to-the-same-values
#[test]
fn mirror_intent_is_read_as_it_is_written() {
    fuzz(|choices| {
        let mirror = json!({
            "gitLabUrl": "https://gitlab.example.com",
            "gitLabProject": "platform/infra",
            "repositoryName": "codecommit-dev-a",
            "mirrorId": 102,
        });
        let value = choices.json(&[
            json!({"claimedBy": "rotation v 0123", "mirrors": [mirror]}),
            json!({"username": "u", "password": SENTINEL, "mirrors": [mirror, mirror]}),
        ]);
        let mirrors = intent::read_mirrors(&value);
        let written = json!({"mirrors": mirrors});
        assert_eq!(intent::read_mirrors(&written), mirrors);
        let text = value.to_string();
        assert_round_trip(
            &text,
            intent::MirrorIntent::read,
            intent::MirrorIntent::write,
        );
    });
}
