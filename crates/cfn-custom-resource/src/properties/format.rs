//! The formats that text can have.

use std::sync::OnceLock;

use regex_lite::Regex;

/// A format as a regular expression, in the syntax that ECMA 262, Python and Rust have in common.
/// JSON Schemas contain the same expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The expression that matches the text; empty if every text matches.
    pub matches: &'static str,
    /// An expression that must not match the text.
    pub excludes: Option<&'static str>,
    /// The maximum number of characters.
    pub max_chars: Option<usize>,
}

impl Pattern {
    /// Text that `matches` matches. Anchor the expression with `^` and `$`.
    pub const fn new(matches: &'static str) -> Self {
        Pattern {
            matches,
            excludes: None,
            max_chars: None,
        }
    }

    /// Rejects text that `excludes` matches.
    #[must_use]
    pub const fn without(self, excludes: &'static str) -> Self {
        Pattern {
            excludes: Some(excludes),
            ..self
        }
    }

    /// Rejects text of more than `max_chars` characters.
    #[must_use]
    pub const fn up_to(self, max_chars: usize) -> Self {
        Pattern {
            max_chars: Some(max_chars),
            ..self
        }
    }
}

/// A format, and its description for the author of a template. Declare one as a `static`: each
/// expression is compiled when it is first used, and only once.
#[derive(Debug)]
pub struct Format {
    /// The format, as far as a regular expression can describe it.
    pub pattern: Pattern,
    /// The error of text in another format: "must be …".
    pub must_be: &'static str,
    parser: Option<fn(&str) -> bool>,
    place: Option<fn(&str) -> Option<String>>,
    /// `matches` and `excludes`.
    compiled: OnceLock<(Regex, Option<Regex>)>,
}

impl Format {
    /// The format of `pattern`.
    pub const fn new(pattern: Pattern, must_be: &'static str) -> Self {
        Format {
            pattern,
            must_be,
            parser: None,
            place: None,
            compiled: OnceLock::new(),
        }
    }

    /// Text that `pattern` and `parser` accept: for addresses, certificates and other formats that
    /// a regular expression cannot describe.
    pub const fn with_parser(
        pattern: Pattern,
        must_be: &'static str,
        parser: fn(&str) -> bool,
    ) -> Self {
        let mut format = Format::new(pattern, must_be);
        format.parser = Some(parser);
        format
    }

    /// Also names the place in the text where the format ends. `None` if it is not in one place.
    #[must_use]
    pub const fn with_place(mut self, place: fn(&str) -> Option<String>) -> Self {
        self.place = Some(place);
        self
    }

    /// The error of `text` in another format.
    pub fn error_of(&self, text: &str) -> String {
        let place = self.place.and_then(|place| place(text));
        let place = place.map(|place| format!("; {place}"));
        format!("{}{}", self.must_be, place.unwrap_or_default())
    }

    /// Whether `text` has this format.
    ///
    /// # Panics
    /// If an expression has a mistake. Expressions are constants: a test that uses the format finds
    /// the mistake.
    pub fn fits(&self, text: &str) -> bool {
        if let Some(max) = self.pattern.max_chars
            && text.chars().count() > max
        {
            return false;
        }
        let compile = |expression| Regex::new(expression).expect("a regular expression");
        let (matches, excludes) = self.compiled.get_or_init(|| {
            let Pattern {
                matches, excludes, ..
            } = self.pattern;
            (compile(matches), excludes.map(compile))
        });
        matches.is_match(text)
            && !excludes.as_ref().is_some_and(|r| r.is_match(text))
            && self.parser.is_none_or(|parser| parser(text))
    }
}

#[cfg(test)]
mod tests {
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
}
