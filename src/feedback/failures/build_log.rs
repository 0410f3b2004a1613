//! The end of the log of a failed phase, and its Markdown. A log is written by the code of every
//! branch, so no text of it may have an effect in GitLab.

use super::build::LogWindow;
use super::masks::{masked, without_keys, word_end};
use crate::clients::aws::{Aws, CallError, EventRange};
use crate::clients::gitlab::without_logins;
use crate::common::one_line::{is_invisible, shortened};

/// No page is read after this many bytes of messages. `POST_BUILD` may print much after the phase
/// that failed.
const MAX_READ_BYTES: usize = 2 * 1024 * 1024;

/// The most events on a page, so that one has some hundred kilobytes.
const PAGE_EVENTS: u32 = 2000;

/// The most pages to read. A page may be empty or short although more follow:
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html>.
const MAX_PAGES: u32 = 20;

/// CodeBuild sends lines in groups, and each has the time of its group: in recorded logs up to ten
/// seconds after the line was printed. So a phase's lines are dated after its end, and without
/// this margin a short phase would have none: assumption `build-log-lags-less-than-30s`.
const MAX_LAG_MILLIS: i64 = 30_000;

/// The most lines and bytes of a block.
const MAX_LINES: usize = 40;
const MAX_BYTES: usize = 8 * 1024;

/// The most bytes of a line in a block. The beginning is shown.
const MAX_LINE_BYTES: usize = 2000;

/// The lines in which a private key is searched: one that ends in the block may begin before it.
const MAX_KEPT_LINES: usize = 200;

/// The most characters of a message on one line.
const MAX_MESSAGE_CHARACTERS: usize = 500;

/// The end of a phase's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogEnd {
    /// As the build printed them: they may contain secrets. Some more than a block shows.
    pub lines: Vec<String>,
    /// Whether the log has CodeBuild's line about the end of the phase. If not, the log may arrive
    /// later, or the phase was stopped.
    pub is_complete: bool,
    /// Whether the log was read to the beginning of the phase.
    pub has_beginning: bool,
}

/// Reads the end of the log of a phase. Without lines if the log does not exist, or not yet.
pub async fn read(aws: &Aws, window: &LogWindow) -> Result<LogEnd, CallError> {
    let mut range = EventRange {
        log_group_name: &window.group,
        log_stream_name: &window.stream,
        start_time: window.start.map(|start| (start - MAX_LAG_MILLIS).max(0)),
        end_time: window.end.map(|end| end + MAX_LAG_MILLIS),
        limit: PAGE_EVENTS,
        next_token: None,
    };
    let (mut messages, mut bytes) = (vec![], 0);
    let mut end = LogEnd::default();
    for _ in 0..MAX_PAGES {
        let page = aws.logs.get_log_events(&range).await?;
        let Some(page) = page else {
            end.has_beginning = true;
            break;
        };
        bytes += page.events.iter().map(|event| event.message.len()).sum::<usize>();
        messages.splice(0..0, page.events.into_iter().map(|event| event.message));
        end = LogEnd::of(&lines(&messages), &window.phase);
        // The token of the beginning repeats. An empty page does not show the beginning.
        let before = page.next_backward_token;
        let is_beginning = before.is_none() || before == range.next_token;
        end.has_beginning |= is_beginning;
        if end.is_enough() || is_beginning || bytes >= MAX_READ_BYTES {
            break;
        }
        range.next_token = before;
    }
    Ok(end)
}

impl LogEnd {
    /// Cuts the lines of other phases off, and CodeBuild's last two lines about the phase: they
    /// repeat its contexts. A build can print such a line itself, but not after the phase.
    fn of(lines: &[String], phase: &str) -> Self {
        let is_end = |line: &String| {
            let of_phase = agent_text(line).and_then(|text| text.strip_prefix("Phase complete: "));
            of_phase.is_some_and(|text| text.split_whitespace().next() == Some(phase))
        };
        let end = lines.iter().rposition(is_end);
        let lines = lines.get(..end.unwrap_or(lines.len())).unwrap_or_default();
        let entering = format!("Entering phase {phase}");
        let begin = lines.iter().position(|line| agent_text(line) == Some(&entering));
        let lines = begin.and_then(|begin| lines.get(begin + 1..)).unwrap_or(lines);
        let lines = match end {
            Some(_) => without_command(lines),
            None => lines,
        };
        let is_blank = |line: &String| line.trim().is_empty();
        let length = lines.iter().rposition(|line| !is_blank(line)).map_or(0, |last| last + 1);
        let first = length.saturating_sub(MAX_KEPT_LINES);
        LogEnd {
            lines: lines.get(first..length).unwrap_or_default().to_vec(),
            is_complete: end.is_some(),
            has_beginning: begin.is_some(),
        }
    }

    fn is_enough(&self) -> bool {
        self.is_complete && (self.has_beginning || self.lines.len() >= MAX_LINES)
    }
}

/// CodeBuild's text in a line such as `[Container] 2026/11/27 10:00:00.12 Entering phase BUILD`.
fn agent_text(line: &str) -> Option<&str> {
    let text = line.trim().strip_prefix("[Container] ")?;
    let (_date, text) = text.split_once(' ')?;
    let (_time, text) = text.split_once(' ')?;
    Some(text)
}

/// Without the lines of the failed command, which CodeBuild repeats at the end, but with the first
/// one: a command may be a script with more lines than a block.
fn without_command(lines: &[String]) -> &[String] {
    let is_of_command = |line: &String| {
        agent_text(line).is_some_and(|text| text.starts_with("Command did not exit successfully"))
    };
    let last = lines.iter().rposition(is_of_command);
    last.and_then(|last| lines.get(..=last)).unwrap_or(lines)
}

/// The lines of messages. CodeBuild's end with a line break, so a message without one is a part of
/// a line.
fn lines(messages: &[String]) -> Vec<String> {
    let has_breaks = messages.iter().any(|message| message.ends_with('\n'));
    let text = messages.join(if has_breaks { "" } else { "\n" });
    text.lines().map(ToOwned::to_owned).collect()
}

/// The end of `lines` as a code block in Markdown, without secrets, and with at most 40 lines and
/// 8 KB. Empty if the lines are.
///
/// Each line is indented by a space, as the fence is, so that Markdown does not show it. GitLab
/// reads quick actions, quotes and includes at the beginning of a line, and some versions with
/// regular expressions that do not find a block with a longer fence
/// (`lib/gitlab/quick_actions/extractor.rb`).
pub fn block(lines: &[String]) -> String {
    let lines = shown_lines(lines);
    if lines.is_empty() {
        return String::new();
    }
    let longest = lines.iter().map(|line| longest_run(line)).max();
    let fence = "`".repeat(longest.unwrap_or(0).max(2) + 1);
    let lines: Vec<String> =
        lines.iter().map(|line| format!(" {line}").trim_end().to_owned()).collect();
    format!(" {fence}\n{}\n {fence}\n", lines.join("\n"))
}

/// A message of CodeBuild on one line, without secrets. Its own words follow the command, which may
/// contain an address with a login.
pub fn message(text: &str) -> String {
    const REASON: &str = ". Reason: ";
    let (command, reason) = text.rsplit_once(REASON).unwrap_or((text, ""));
    let [mut line, reason] = [command, reason].map(|text| {
        let lines: Vec<String> = text.lines().map(plain).collect();
        let lines = without_keys(&lines);
        let shown = lines.iter().map(|line| without_logins(&masked(line)));
        let shown: Vec<String> = shown.collect();
        shown.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    });
    if !reason.is_empty() {
        line.extend([REASON, &reason]);
    }
    shortened(&line, MAX_MESSAGE_CHARACTERS)
}

/// The lines of a block.
fn shown_lines(lines: &[String]) -> Vec<String> {
    let first = lines.len().saturating_sub(MAX_KEPT_LINES);
    let kept = lines.get(first..).unwrap_or_default();
    let kept: Vec<String> = kept.iter().map(|line| plain(line)).collect();
    let (mut shown, mut bytes) = (vec![], 0);
    for line in without_keys(&kept).iter().rev().take(MAX_LINES) {
        let line = masked(&cut(line));
        bytes += line.len() + 1;
        if bytes > MAX_BYTES {
            break;
        }
        shown.push(line);
    }
    shown.reverse();
    let is_blank = |line: &String| line.trim().is_empty();
    let first = shown.iter().position(|line| !is_blank(line));
    shown.split_off(first.unwrap_or(shown.len()))
}

/// The beginning of a line that is longer than a block shows. Its last word may be a part of a
/// secret, which no mask recognizes.
fn cut(line: &str) -> String {
    if line.len() <= MAX_LINE_BYTES {
        return line.to_owned();
    }
    let beginning = line.get(..line.floor_char_boundary(MAX_LINE_BYTES)).unwrap_or_default();
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || "-_.+/=~%".contains(c);
    format!(
        "{}… (the line is cut)",
        beginning.trim_end_matches(is_of_word)
    )
}

/// The longest run of a character that begins or ends a code block.
fn longest_run(line: &str) -> usize {
    let runs = line.split(|c| c != '`' && c != '~').map(str::len);
    runs.max().unwrap_or(0)
}

/// A line as a terminal shows it in the end: without overwritten text, colours, and characters that
/// change others. A text with the word of a secret stays, because the secret may overwrite it.
fn plain(line: &str) -> String {
    let (mut plain, mut rest) = (String::with_capacity(line.len()), line.chars());
    let (mut is_overwritten, mut is_kept) = (false, false);
    while let Some(c) = rest.next() {
        match c {
            '\u{1B}' | '\u{9B}' => is_overwritten |= skip_sequence(c, &mut rest),
            '\r' => is_overwritten = true,
            '\t' => plain.push_str("    "),
            c if c.is_whitespace() => plain.push(' '),
            c if c.is_control() || is_invisible(c) => {}
            c => {
                if is_overwritten {
                    is_kept = is_kept || word_end(&plain).is_some();
                    if is_kept {
                        plain.push(' ');
                    } else {
                        plain.clear();
                    }
                    is_overwritten = false;
                }
                plain.push(c);
            }
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

/// Skips the rest of an escape sequence (ECMA-48). Whether it moves the cursor to the beginning of
/// the line or erases the line, as progress bars do.
fn skip_sequence(first: char, rest: &mut std::str::Chars<'_>) -> bool {
    let kind = if first == '\u{9B}' {
        Some('[')
    } else {
        rest.next()
    };
    match kind {
        Some('[') => {
            let mut parameters = String::new();
            for c in rest.by_ref() {
                if ('\u{40}'..='\u{7E}').contains(&c) {
                    return c == 'G' || c == 'K' && parameters == "2";
                }
                parameters.push(c);
            }
        }
        // A text for the terminal, for example a title or an address.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            let mut previous = ' ';
            for c in rest.by_ref() {
                if c == '\u{7}' || c == '\u{9C}' || previous == '\u{1B}' && c == '\\' {
                    break;
                }
                previous = c;
            }
        }
        // A character set has one more character.
        Some('(' | ')' | '#' | '%') => drop(rest.next()),
        _ => {}
    }
    false
}

#[cfg(test)]
#[path = "build_log_tests.rs"]
mod tests;
