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
    let no_json = "it is not JSON";
    let large = "a number in it is too large. Put it in quotes";
    let marked = "it begins with a byte order mark";
    let twice = "an object in it has a name twice";
    for (text, what, line, column) in [
        ("", no_json, 1, 1),
        ("secret", no_json, 1, 1),
        ("{\n  \"a\": 1,\n}", no_json, 3, 1),
        ("{} x", no_json, 1, 4),
        ("{\n\"名前\": ü}", no_json, 2, 7),
        ("{\"a\": 1e400}", large, 1, 11),
        ("\u{feff}{}", marked, 1, 1),
        ("{\n  \"a\": 1,\n  \"\\u0061\": 2\n}", twice, 3, 10),
        (r#"[{"a": {"b": 1, "b": 1}}]"#, twice, 1, 19),
    ] {
        let error = format!("{what} (line {line}, column {column})");
        assert_eq!(parse_json(text), Err(error), "{text:?}");
    }
}
