use crate::self_invocation::*;

#[test]
fn other_event_has_position_0() {
    for event in ["{}", "7", r#"{"Continuation":{"Hop":1}}"#, "", "[[["] {
        assert_eq!(parse(event), (event, Position::default()));
    }
}

#[test]
fn time_of_receipt_is_never_in_the_future() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
    let at = |received| Position { hop: 1, received }.received_at(now);
    assert_eq!(at(None), now);
    assert_eq!(at(Some(90)), now - Duration::from_secs(10));
    assert_eq!(at(Some(101)), now);
    assert_eq!(at(Some(u64::MAX)), now);
}

#[test]
fn event_in_a_continuation_is_unchanged() {
    let inner = r#"{"a": 1.10, "ResponseURL": "x"}"#;
    let event = format!(r#"{{"Continuation":{{"Hop":3}},"Event":{inner}}}"#);
    let position = Position {
        hop: 3,
        received: None,
    };
    assert_eq!(parse(&event), (inner, position));
}
