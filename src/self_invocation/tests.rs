use crate::self_invocation::*;

#[test]
fn what_is_no_continuation_has_not_been_handed_over() {
    for event in ["{}", "7", r#"{"Continuation":{"Hop":1}}"#, "", "[[["] {
        assert_eq!(read(event), (event, Position::default()));
    }
}

#[test]
fn the_time_of_the_original_invocation_is_in_the_past_or_now() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
    let at = |received| Position { hop: 1, received }.received_at(now);
    assert_eq!(at(None), now);
    assert_eq!(at(Some(90)), now - Duration::from_secs(10));
    assert_eq!(at(Some(101)), now);
    assert_eq!(at(Some(u64::MAX)), now);
}

#[test]
fn the_event_comes_out_as_it_went_in() {
    let inner = r#"{"a": 1.10, "ResponseURL": "x"}"#;
    let event = format!(r#"{{"Continuation":{{"Hop":3}},"Event":{inner}}}"#);
    let position = Position {
        hop: 3,
        received: None,
    };
    assert_eq!(read(&event), (inner, position));
}
