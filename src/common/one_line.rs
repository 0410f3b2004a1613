//! Texts of others on one line and shortened, for statuses, notes, findings and logs.

/// `text` with one space for each gap, and without backticks and characters that are not shown or
/// change how others are.
pub fn one_line(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        let is_kept = |c: &char| !c.is_control() && !is_invisible(*c) && *c != '`';
        word.chars().filter(is_kept).collect::<String>()
    });
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// At most `max` characters of `text`. The last one is `…` if others are left out.
pub fn shortened(text: &str, max: usize) -> String {
    let mut kept: String = text.chars().take(max).collect();
    if kept.len() < text.len() {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// Whether a character changes how others are shown: text directions, joiners, byte order marks,
/// tags.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{61C}' | '\u{E0000}'..='\u{E007F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortened_text_ends_in_an_ellipsis() {
        for (text, expected) in [("冬の雪", "冬の雪"), ("冬の雪 ", "冬の…"), ("", "")]
        {
            assert_eq!(shortened(text, 3), expected);
        }
    }
}
