use super::parse_json;

#[test]
fn json_has_the_same_value_as_of_serde() {
    for text in [
        r#"{"a": [1, -2, 0.5, true, null, "x", {}], "b": {"a": 18446744073709551615}}"#,
        "null",
        "\"\\u0041\"",
    ] {
        assert_eq!(parse_json(text).ok(), serde_json::from_str(text).ok());
    }
}

#[test]
fn error_names_line_and_column_but_no_text() {
    for (text, error) in [
        ("", "it is not JSON (line 1, column 1)"),
        ("secret", "it is not JSON (line 1, column 1)"),
        ("{\n  \"a\": 1,\n}", "it is not JSON (line 3, column 1)"),
        ("{} x", "it is not JSON (line 1, column 4)"),
        ("{\n\"名前\": ü}", "it is not JSON (line 2, column 7)"),
        (
            "{\"a\": 1e400}",
            "a number in it is too large. Put it in quotes (line 1, column 11)",
        ),
        (
            "\u{feff}{}",
            "it begins with a byte order mark (line 1, column 1)",
        ),
        (
            "{\n  \"a\": 1,\n  \"\\u0061\": 2\n}",
            "an object in it has a name twice (line 3, column 10)",
        ),
        (
            r#"[{"a": {"b": 1, "b": 1}}]"#,
            "an object in it has a name twice (line 1, column 19)",
        ),
    ] {
        assert_eq!(parse_json(text), Err(error.to_owned()), "{text:?}");
    }
}
