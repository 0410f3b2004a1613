use crate::mirror_credential::rotation::*;

#[test]
fn rotation_fixture_of_aws_lambda_events_is_a_step() {
    let event = include_str!(
        "../../../tests/fixtures/aws_lambda_events/example-secretsmanager-secret-rotation-event.json"
    );
    let event = serde_json::from_str(event).expect("JSON");
    let found = RotationEvent::parse(&event).expect("a step");
    assert_eq!(found.phase.step(), "createSecret");
    let secret = "arn:aws:secretsmanager:us-east-1:111122223333:secret:id-ABCD1E";
    assert_eq!(found.secret_id, secret);
    assert_eq!(found.version_id, "1ab23456-cde7-8912-34fg-h56i78j9k12l");
}
