//! Texts that users read, as snapshots.

use regex_lite::Regex;

/// The values that another order or number of calls changes.
const CHANGING: [(&str, &str); 5] = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?", "<time>"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>"),
    (r"(:secret:[^ ]+-)[0-9A-Za-z]{6}\b", "$1<suffix>"),
    (r"(/mirrors-left-)[0-9a-f]{16}", "$1<id>"),
    (r"\b(AKIA|ASIA|ACCA)[0-9A-Z]{6,}", "<key>"),
];

/// The text for `expect![[…]]`, with placeholders for times, IDs and keys.
pub fn redacted(text: &str) -> String {
    CHANGING.iter().fold(text.to_owned(), |text, (pattern, placeholder)| {
        let pattern = Regex::new(pattern).expect("a pattern");
        pattern.replace_all(&text, *placeholder).into_owned()
    })
}
