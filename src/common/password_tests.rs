use super::Password;

#[test]
fn base64_password_without_slash_is_url_safe() {
    assert!(Password::new("aZ09+=").is_url_safe());
    assert!(Password::new("-._~!$&'()*,;").is_url_safe());
}

#[test]
fn password_with_reserved_character_is_not_url_safe() {
    for character in "/?#:@%[] \n\t\0\"<>\\^`{|}ä€".chars() {
        let password = Password::new(format!("ab{character}cd"));
        assert!(!password.is_url_safe(), "{character:?}");
    }
    assert!(!Password::new("").is_url_safe());
}

// claim: password-is-redacted-in-every-escaping
#[test]
fn password_is_redacted_in_every_escaping() {
    let password = Password::new("a/b+c=ä");
    for escaped in [
        "a/b+c=ä",
        "a%2Fb%2Bc%3D%C3%A4",
        "a%2fb+c%3dä",
        "%61%2F%62%2B%63%3D%c3%a4",
    ] {
        let text = format!("ö {escaped} and {escaped}{escaped}.");
        assert_eq!(password.redact(&text), "ö ***** and **********.");
    }
    let password = Password::new("x%2Fy%25");
    for escaped in ["x%2Fy%25", "%78%25%32%46%79%25%32%35", "x%252Fy%2525"] {
        assert_eq!(password.redact(escaped), "*****", "{escaped}");
    }
}

// claim: secret-types-cannot-show-their-value
#[test]
fn secret_types_cannot_show_what_they_hold() {
    use std::marker::PhantomData;

    /// `IS_DISPLAY` is the inherent one if it exists, and otherwise the trait's.
    trait Otherwise {
        const IS_DISPLAY: bool = false;
    }
    struct Probe<T>(PhantomData<T>);
    impl<T> Otherwise for Probe<T> {}
    impl<T: std::fmt::Display> Probe<T> {
        const IS_DISPLAY: bool = true;
    }
    const { assert!(Probe::<String>::IS_DISPLAY) };
    const { assert!(!Probe::<Password>::IS_DISPLAY) };
    const { assert!(!Probe::<cfn_custom_resource::ResponseUrl>::IS_DISPLAY) };
    assert_eq!(format!("{:?}", Password::new("sentinel")), "Password(…)");
    let event = r#"{"ResponseURL":"https://sentinel/"}"#;
    let request = cfn_custom_resource::Request::parse(event, std::time::SystemTime::UNIX_EPOCH);
    let url = request.expect("a request").response_url;
    assert_eq!(format!("{url:?}"), "ResponseUrl(…)");
}

#[test]
fn text_without_the_password_is_unchanged() {
    for text in ["", "a/b+c", "a/b%2Bc%3", "%", "%2", "äöü%C3"] {
        assert_eq!(Password::new("a/b+c=").redact(text), text);
        assert_eq!(Password::new("").redact(text), text);
    }
}
