//! Text for places that keep only ASCII.
//!
//! CloudFormation executes text of any script. But its read calls return each character beyond
//! ASCII as `?`, in outputs, parameters, tags, reasons and templates:
//! <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/814>

use std::fmt::Write as _;

/// JSON text, or a text without a backslash, with each character beyond ASCII as JSON's `\uXXXX`.
/// JSON keeps its value.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

/// The text that [`escape`] received, if it had no backslash of its own.
pub fn unescape(text: &str) -> String {
    let json = format!("\"{}\"", text.replace('"', "\\\""));
    serde_json::from_str(&json).unwrap_or_else(|_| text.to_owned())
}

/// The form in which texts are compared that CloudFormation may have returned: ASCII, and one `?`
/// for each run of other characters. For a character beyond the Basic Multilingual Plane,
/// CloudFormation may return one or two `?`.
pub fn comparable(text: &str) -> String {
    let shown = text.chars().map(|c| if c.is_ascii() { c } else { '?' });
    let mut shown: Vec<char> = shown.collect();
    shown.dedup_by(|later, earlier| *later == '?' && *earlier == '?');
    shown.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_is_ascii_and_read_back() {
        for text in [
            "main",
            "機能/ログイン",
            "a\"b",
            "dev{1}",
            "é-😀",
            "u6a5f",
            "",
        ] {
            let escaped = escape(text);
            assert!(escaped.is_ascii(), "{escaped}");
            assert_eq!(unescape(&escaped), text);
        }
        assert_eq!(escape("機能/é"), "\\u6a5f\\u80fd/\\u00e9");
    }

    #[test]
    fn escaped_json_has_the_same_value() {
        let json = serde_json::json!({"名前": "a\\b\n\"é\u{2028}😀\u{7f}"});
        let escaped = escape(&json.to_string());
        assert!(escaped.is_ascii());
        let read: serde_json::Value = serde_json::from_str(&escaped).expect("JSON");
        assert_eq!(read, json);
    }

    #[test]
    fn comparable_text_is_the_same_as_cloudformation_returns_it() {
        for returned in ["M?nchen 😀!", "München ?!", "München ??!", "M?nchen 😀😀!"] {
            assert_eq!(comparable(returned), comparable("München 😀!"));
        }
        assert_ne!(comparable("Munchen"), comparable("München"));
    }
}
