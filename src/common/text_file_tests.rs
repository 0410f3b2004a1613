use super::{decode, place};

#[test]
fn place_counts_lines_and_characters_from_one() {
    assert_eq!(place(""), "line 1, column 1");
    assert_eq!(place("é"), "line 1, column 2");
    assert_eq!(place("a\r\n\nbc"), "line 3, column 3");
}

#[test]
fn text_of_another_encoding_is_named() {
    let of = |bytes: &[u8]| decode(bytes).map(str::to_owned);
    assert_eq!(of("A: é".as_bytes()), Ok("A: é".to_owned()));
    assert!(of(b"\xef\xbb\xbfA: 1").unwrap_err().contains("byte order mark"));
    assert!(of(b"\xff\xfeA\0").unwrap_err().contains("UTF-16"));
    assert!(of(b"\xfe\xff\0A").unwrap_err().contains("UTF-16"));
    assert_eq!(
        of(b"A: 1\nB: \xe9"),
        Err("it is not UTF-8 (line 2, column 4)".to_owned())
    );
}
