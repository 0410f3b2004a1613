//! The content of a note about a change set that waits for an approval, read from its Markdown.
//!
//! A Maintainer of the project can edit every note, so a decision compares its content with the
//! change set. Its wording may be that of another version of the function. Only the
//! forms that the function writes are read: with another one, for example an HTML comment or a
//! code block around the table, GitLab may hide a part that is still in the text.

use crate::common::one_line::is_invisible;

/// The line before the change set.
pub const CHANGE_SET: &str = "<!-- change set -->";

/// Characters that begin another form of Markdown: HTML, an escape, a code block or a text that is
/// struck out, another column and another link.
const OTHER_FORMS: [char; 6] = ['<', '\\', '~', '|', '[', ']'];

/// The beginnings of an address that GitLab links without brackets, and of formulas.
const OTHER_BEGINNINGS: [&str; 4] = ["://", "www.", "$$", "$`"];

/// Stands for a code span in a line.
const SPAN: char = '`';

#[derive(Debug, Default, PartialEq, Eq)]
struct NoteContent {
    /// The code of the headline and of the lines about the commit: environment, commit and stack.
    /// Also the other words of these lines, which count the changes.
    subject: Vec<String>,
    /// The rows of the table: a resource and its properties, and the kind of its change. The head
    /// has its text instead: GitLab hides the cells of a row for which it has no column.
    rows: Vec<(Vec<String>, String)>,
    /// The targets of the links, with the code that is their text, sorted.
    links: Vec<(String, String)>,
}

/// Whether the `note` shows the same as the `expected` one.
pub fn shows_the_same(note: &str, expected: &str) -> bool {
    let parsed = NoteContent::parse(expected);
    parsed.is_some() && NoteContent::parse(note) == parsed
}

/// `text` without the characters that the notes have only in their own forms.
pub fn plain(text: &str) -> String {
    let is_plain = |c: &char| !matches!(*c, SPAN | '$') && !is_other_form(*c);
    text.chars().filter(is_plain).collect()
}

fn is_other_form(c: char) -> bool {
    OTHER_FORMS.contains(&c) || c.is_control() || is_invisible(c)
}

fn has_other_form(text: &str) -> bool {
    let mut beginnings = OTHER_BEGINNINGS.iter();
    text.contains(is_other_form) || beginnings.any(|it| text.contains(it))
}

impl NoteContent {
    /// `None` if a line has another form than those of the function.
    fn parse(note: &str) -> Option<Self> {
        let (marker, rest) = note.split_once('\n')?;
        let marker = marker.trim_end().strip_prefix("<!--")?;
        if marker.strip_suffix("-->")?.contains(['<', '>']) {
            return None;
        }
        let mut content = NoteContent::default();
        for (number, line) in rest.lines().enumerate() {
            if line != CHANGE_SET {
                content.read(number, line)?;
            }
        }
        content.links.sort_unstable();
        Some(content)
    }

    fn read(&mut self, number: usize, line: &str) -> Option<()> {
        let (text, spans) = without_spans(line)?;
        // Other lines that begin so are a code block.
        if text.starts_with("    ") {
            return None;
        }
        if let Some(row) = text.strip_prefix('|') {
            let cells: Vec<&str> = row.trim_end().split('|').collect();
            let kind = match cells[..] {
                [..] if spans.is_empty() => row.trim_end().to_owned(),
                [" ` ", " ` ", change, ""] if !has_other_form(change) => kind_of(change),
                _ => return None,
            };
            self.rows.push((spans, kind));
            return Some(());
        }
        let rest = self.read_links(&text, &spans)?;
        if has_other_form(&rest) {
            return None;
        }
        if number == 0 {
            self.subject.extend(spans);
        } else if text.starts_with("Commit ") {
            self.subject.extend(spans);
            self.subject.push(text.trim_end().to_owned());
        }
        Some(())
    }

    /// Reads the links of a line. Returns its other text.
    fn read_links(&mut self, text: &str, spans: &[String]) -> Option<String> {
        let (mut rest, mut others) = (text, String::new());
        while let Some((before, link)) = rest.split_once('[') {
            let (name, link) = link.split_once("](")?;
            let (target, after) = link.split_once(')')?;
            others.push_str(before);
            let is_target = |c: char| c.is_ascii_graphic() && !matches!(c, '(' | '<' | '"' | '\'');
            let is_plain = !name.contains(is_other_form) && target.chars().all(is_target);
            if !is_plain || target.contains(SPAN) || before.ends_with('!') {
                return None;
            }
            let code = match name.contains(SPAN) {
                true if name.len() == SPAN.len_utf8() => spans.get(others.matches(SPAN).count())?,
                true => return None,
                false => "",
            };
            self.links.push((target.to_owned(), code.to_owned()));
            // The code of the text counts for the next link.
            others.extend(name.chars().filter(|c| *c == SPAN));
            rest = after;
        }
        Some(others + rest)
    }
}

/// A line with [`SPAN`] instead of each code span, and the code. `None` if Markdown could read
/// the spans in another way.
fn without_spans(line: &str) -> Option<(String, Vec<String>)> {
    let (mut text, mut spans) = (String::new(), vec![]);
    let pieces: Vec<&str> = line.split('`').collect();
    let last = pieces.len() - 1;
    for (at, piece) in pieces.iter().enumerate() {
        let is_span = at % 2 == 1;
        // Two marks beside each other begin another kind of span, and one alone none.
        let is_left = piece.is_empty() && at != 0 && at != last;
        if is_left || is_span && at == last {
            return None;
        }
        if is_span {
            text.push(SPAN);
            spans.push((*piece).to_owned());
        } else {
            text.push_str(piece);
        }
    }
    Some((text, spans))
}

/// The kind of the change in a cell, without the properties that follow.
fn kind_of(cell: &str) -> String {
    let kind = cell.split([':', ',', SPAN]).next().unwrap_or_default();
    let kind = kind.split_once(" because ").map_or(kind, |(kind, _)| kind);
    kind.replace('*', "").trim().to_owned()
}

#[cfg(test)]
#[path = "note_content_tests.rs"]
mod tests;
