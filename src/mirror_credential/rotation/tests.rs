use crate::mirror_credential::rotation::*;

#[test]
fn rotation_fixture_of_aws_lambda_events_is_a_step() {
    let event = include_str!(
        "../../../tests/fixtures/aws_lambda_events/example-secretsmanager-secret-rotation-event.json"
    );
    let found = RotationEvent::parse(event).expect("a step");
    assert_eq!(found.step(), "createSecret");
    let secret = "arn:aws:secretsmanager:us-east-1:111122223333:secret:id-ABCD1E";
    assert_eq!(found.secret_id, secret);
    assert_eq!(found.version_id, "1ab23456-cde7-8912-34fg-h56i78j9k12l");
}

#[test]
fn rotation_event_is_recognized_by_three_members() {
    let event = r#"{"Step":"setSecret","SecretId":"arn:x","ClientRequestToken":"t","More":1}"#;
    let found = RotationEvent::parse(event).expect("a step");
    assert_eq!(found.step(), "setSecret");
    assert_eq!(found.version_id, "t");
    for other in [
        r#"{"Step":"dropSecret","SecretId":"arn:x","ClientRequestToken":"t"}"#,
        r#"{"Step":"setSecret","SecretId":"arn:x"}"#,
        "[]",
        "",
    ] {
        assert_eq!(RotationEvent::parse(other), None, "{other}");
    }
}
