use super::{Format, Pattern};

static WORD: Format = Format::new(
    Pattern::new("^[a-z]+$").without("^no").up_to(4),
    "must be a word",
);
static EVEN: Format = Format::with_parser(Pattern::new("^[0-9]"), "must be even", |text| {
    text.len().is_multiple_of(2)
});

#[test]
fn pattern_exclusion_and_length_all_apply() {
    for text in ["a", "abcd", "mono"] {
        assert!(WORD.fits(text), "{text}");
    }
    for text in ["", "A", "abcde", "nose", "a\n"] {
        assert!(!WORD.fits(text), "{text:?}");
    }
}

#[test]
fn length_counts_characters_not_bytes() {
    static SHORT: Format = Format::new(Pattern::new("").up_to(2), "must be short");
    assert!(SHORT.fits("éé"));
    assert!(!SHORT.fits("ééé"));
}

#[test]
fn parser_rejects_what_the_pattern_accepts() {
    assert!(EVEN.fits("12"));
    assert!(!EVEN.fits("123"));
    assert!(!EVEN.fits("ab"));
}
