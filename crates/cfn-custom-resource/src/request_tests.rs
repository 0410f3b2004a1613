use serde_json::Map;

use super::*;

fn request(event: &str) -> Option<Request> {
    Request::parse(event, SystemTime::UNIX_EPOCH)
}

#[test]
fn half_a_surrogate_pair_in_one_member_hides_no_other() {
    let event = r#"{"\ud800":1,"StackId":"\ud800","ResponseURL":"https://x/","RequestId":"r"}"#;
    assert_eq!(request(event).expect("a request").request_id, "r");
}

#[test]
fn fixtures_of_aws_lambda_events_are_requests() {
    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!(
                "../../../tests/fixtures/aws_lambda_events/example-cloudformation-custom-resource-",
                $name,
                "-request.json"
            ))
        };
    }
    for (event, request_type) in [
        (fixture!("create"), RequestType::Create),
        (fixture!("update"), RequestType::Update),
        (fixture!("delete"), RequestType::Delete),
    ] {
        let request = request(event).expect("a request");
        assert_eq!(request.request_type, Some(request_type));
        assert!(request.missing_members().is_empty());
        let sent: Value = serde_json::from_str(event).expect("JSON");
        assert_eq!(request.response_url.expose(), sent["ResponseURL"]);
        assert_eq!(request.stack_id, sent["StackId"]);
        assert_eq!(request.request_id, sent["RequestId"]);
        assert_eq!(request.logical_resource_id, sent["LogicalResourceId"]);
        assert_eq!(request.resource_type, sent["ResourceType"]);
        let physical_id = sent["PhysicalResourceId"].as_str();
        assert_eq!(request.physical_resource_id.as_deref(), physical_id);
        assert_eq!(request.properties.as_ref(), Ok(&sent["ResourceProperties"]));
        assert_eq!(request.old_properties, sent["OldResourceProperties"]);
    }
    // An event that the CDK's provider framework sends has no `ResponseURL`.
    assert!(request(fixture!("provider-create")).is_none());
}

#[test]
fn missing_members_are_absent_null_empty_or_no_string() {
    const ALL: [&str; 4] = ["StackId", "RequestId", "LogicalResourceId", "ResourceType"];
    let missing = |members: Map<String, Value>| {
        let mut event = Value::Object(members);
        event["ResponseURL"] = "https://x/".into();
        let request = request(&event.to_string()).expect("a request");
        request.missing_members()
    };
    let complete = Map::from_iter(ALL.map(|name| (name.to_owned(), "x".into())));
    for name in ALL {
        for value in [Value::Null, "".into(), 7.into(), vec!["x"].into()] {
            let mut members = complete.clone();
            members.insert(name.to_owned(), value.clone());
            assert_eq!(missing(members), [name], "{value}");
        }
    }
    assert!(missing(complete).is_empty());
    assert_eq!(missing(Map::new()), ALL);
}

#[test]
fn signing_time_is_read_from_the_response_url() {
    let event = r#"{"ResponseURL":"https://b/k?X-Amz-Date=20261120T075500Z&X-Amz-Expires=7200&X-Amz-Signature=s"}"#;
    let signed_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_161_300);
    let request = Request::parse(event, signed_at).expect("a request");
    assert_eq!(request.signed_at, signed_at);
    // A request that is dated ahead outranks none that arrives later.
    for ahead in [1, 280, 300, 3600] {
        let early = signed_at - Duration::from_secs(ahead);
        let forged = Request::parse(event, early).expect("a request");
        assert_eq!(forged.signed_at, early, "{ahead}");
    }
    assert_eq!(
        request.response_url.valid_for(),
        Some(Duration::from_secs(7200))
    );
}

#[test]
fn service_timeout_may_be_a_string_or_a_number() {
    for (properties, seconds) in [
        (r#"{"ServiceTimeout":"90"}"#, 90),
        (r#"{"ServiceTimeout":90}"#, 90),
        (r#"{"ServiceTimeout":"0"}"#, 3600),
        (r#"{"ServiceTimeout":"soon"}"#, 3600),
        ("{}", 3600),
    ] {
        let event = format!(r#"{{"ResponseURL":"https://x/","ResourceProperties":{properties}}}"#);
        let timeout = request(&event).expect("a request").service_timeout();
        assert_eq!(timeout, Duration::from_secs(seconds), "{properties}");
    }
}

#[test]
fn dates_are_counted_across_leap_years() {
    for (date, expected) in [
        ("19700101T000000Z", Some(0)),
        ("20000229T000000Z", Some(951_782_400)),
        ("20261120T075500Z", Some(1_795_161_300)),
        ("21000301T000000Z", Some(4_107_542_400)),
        ("20261320T075500Z", None),
        ("20261120T245500Z", None),
        ("00000101T000000Z", None),
        ("20261120 075500Z", None),
        ("20261120T075500", None),
        ("2026112\u{e9}T07550Z", None),
    ] {
        assert_eq!(unix_time(date), expected, "{date}");
    }
}

#[test]
fn member_may_be_repeated_escaped_and_after_a_large_one() {
    let large = format!("[{}0]", "{\"a\":0},".repeat(100_000));
    let event = format!(
        r#"{{"StackId":"first","x":{large},"ResourceProperties":{large},"StackId":"last",
            "Request\u0054ype":"Delete","ResponseURL":"https:\/\/x\u002f"}}"#
    );
    let request = request(&event).expect("a request");
    assert_eq!(request.stack_id, "last");
    assert_eq!(request.request_type, Some(RequestType::Delete));
    assert_eq!(request.response_url.expose(), "https://x/");
    let error = request.properties.expect_err("too large");
    assert!(
        error.starts_with(&format!("the request has {} bytes", event.len())),
        "{error}"
    );
}

#[test]
fn properties_are_decoded_up_to_the_largest_event() {
    let event = |size: usize| {
        let event =
            r#"{"ResponseURL":"u","ResourceProperties":{"a":""},"OldResourceProperties":7}"#;
        let long = format!(r#""a":"{}""#, "x".repeat(size - event.len()));
        request(&event.replace(r#""a":"""#, &long)).expect("a request")
    };
    let largest = event(MAX_EVENT_BYTES);
    assert!(largest.properties.is_ok());
    assert_eq!(largest.old_properties, 7);
    // The old properties, of one byte, do not count.
    let larger = event(MAX_EVENT_BYTES + 1);
    assert!(larger.properties.is_ok());
    assert_eq!(larger.old_properties, Value::Null);
    let larger = event(MAX_EVENT_BYTES + 2);
    assert!(larger.properties.is_err());
    assert_eq!(larger.old_properties, Value::Null);
}

#[test]
fn generated_id_has_the_names_of_stack_and_resource() {
    let stack = "arn:aws:cloudformation:eu-central-1:123456789012:stack/shop/5f3b2c10";
    let is_generated = |stack: &str, id: &str| {
        let event = format!(
            r#"{{"ResponseURL":"https://b/","StackId":"{stack}","LogicalResourceId":"MirrorLogin",
               "PhysicalResourceId":"{id}"}}"#
        );
        let request = Request::parse(&event, SystemTime::UNIX_EPOCH).expect("a request");
        request.has_generated_id()
    };
    assert!(is_generated(stack, "shop-MirrorLogin-1A2B3C4D5E6F"));
    assert!(
        is_generated(stack, "sho-MirrorLogin-1A2B3C4D5E6F"),
        "shortened"
    );
    assert!(
        is_generated(stack, "shop-MirrorLo-1A2B3C4D5E6F"),
        "shortened"
    );
    assert!(is_generated("no-arn", "shop-MirrorLogin-1A2B3C4D5E6F"));
    for response in [
        "",
        "codecommit-mirror/user-dev-shop",
        "shop-MirrorLogin",
        "shop-Mirror-1A2B3C4D5E6F",
        "shop-MirrorLo-1A2B3",
        "shop-Other-1A2B3C4D5E6F",
        "-MirrorLogin-1A2B3C4D5E6F",
        "gitops-dev-MirrorLogin-shop",
        "shop-MirrorLogin-in-the-middle",
    ] {
        assert!(!is_generated(stack, response), "{response}");
    }
}

#[test]
fn old_properties_do_not_count_in_an_update() {
    let list = |bytes: usize| format!("[{}0]", "0,".repeat(bytes / 2));
    // Neither exceeds the limit alone. An old one that does was rejected, and is rolled back.
    for (new, old) in [(200_000, 200_000), (250_000, 250_000), (10, 300_000)] {
        let (new, old) = (list(new), list(old));
        let event = format!(
            r#"{{"ResponseURL":"u","ResourceProperties":{new},"OldResourceProperties":{old}}}"#
        );
        assert!(event.len() > MAX_EVENT_BYTES);
        let request = request(&event).expect("a request");
        assert_eq!(request.properties.map(|it| it.is_array()), Ok(true));
        assert_eq!(request.old_properties, Value::Null);
    }
}

#[test]
fn delete_is_compared_by_the_date_of_its_url() {
    let signed_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_161_300);
    let behind = signed_at - Duration::from_mins(5);
    for (request_type, compared_at) in [("Delete", signed_at), ("Update", behind)] {
        let event = format!(
            r#"{{"ResponseURL":"https://b/k?X-Amz-Date=20261120T075500Z","RequestType":"{request_type}"}}"#
        );
        let request = Request::parse(&event, behind).expect("a request");
        assert_eq!(request.signed_at, behind);
        assert_eq!(request.compared_at(), compared_at, "{request_type}");
    }
}

#[test]
fn request_introduces_the_texts_that_the_old_properties_lack() {
    let old = r#"{"UserName": "u", "Mirrors": [{"RepositoryName": "r"}], "Count": 7}"#;
    let event = format!(r#"{{"ResponseURL": "https://x/", "OldResourceProperties": {old}}}"#);
    let update = request(&event).expect("a request");
    let create = request(r#"{"ResponseURL": "https://x/"}"#).expect("a request");
    for (text, is_new) in [
        ("u", false),
        ("r", false),
        ("v", true),
        ("UserName", true),
        ("7", true),
    ] {
        assert_eq!(update.introduces(text), is_new, "{text}");
        assert!(create.introduces(text), "{text}");
    }
}
