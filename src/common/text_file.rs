//! Text that a user wrote, and the places in it that errors name.

/// The line and the column behind the text `before`. Both begin at 1, and columns count characters.
pub fn place(before: &str) -> String {
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let column = before[start..].chars().count() + 1;
    format!("line {line}, column {column}")
}

/// The text of a file. The error names the problem and its place. A byte order mark is an error,
/// because some parsers skip it and others do not.
pub fn decode(bytes: &[u8]) -> Result<&str, String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("it is UTF-16. Save it as UTF-8 without a byte order mark".to_owned());
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        format!("it is not UTF-8 ({})", place(&valid))
    })?;
    if text.starts_with('\u{feff}') {
        return Err(
            "it begins with a byte order mark (line 1, column 1). Save it as UTF-8 without one"
                .to_owned(),
        );
    }
    Ok(text)
}

#[cfg(test)]
#[path = "text_file_tests.rs"]
mod tests;
