//! Targets for what notes show of builds.

use std::time::{Duration, Instant};

use cfn_gitops::feedback::fuzzing::{block, message, reason};
use fuzz::{Choices, fuzz};

const TOKEN: &str = "glpat-Sentinel0123456789ab";

const SEEDS: &[&str] = &[
    "/close",
    "```",
    "~~~~",
    "\u{1B}[31mred\u{1B}[0m",
    "\u{1B}]8;;https://x\u{7}link",
    "50%\r100%",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----END RSA PRIVATE KEY-----",
    "password: \r{{",
    "api-",
    "access key",
    "Authorization: Bearer abc",
    "[Container] 2026/11/27 10:00:00 Phase complete: BUILD State: FAILED",
    "a\u{2028}/close\u{202E}",
    "<details> @all",
];

fn lines(choices: &mut Choices) -> Vec<String> {
    let mut lines = vec![];
    for _ in 0..choices.below(6) {
        let mut line = choices.text(SEEDS);
        if choices.below(3) == 0 {
            line = format!("{line}{TOKEN} {}", choices.text(SEEDS));
        }
        lines.push(line.repeat(1 + choices.below(2) * choices.below(3)));
    }
    lines
}

// claim: build-output-stays-in-its-block
#[test]
fn nothing_leaves_the_block_of_a_log() {
    fuzz(|choices| {
        let lines = lines(choices);
        let block = block(&lines);
        assert!(!block.contains(TOKEN), "{block}");
        if block.is_empty() {
            return;
        }
        let shown: Vec<&str> = block.split_terminator('\n').collect();
        let fence = shown[0].strip_prefix(' ').expect("an indented fence");
        assert!(fence.len() >= 3 && fence.bytes().all(|byte| byte == b'`'));
        assert_eq!(shown.last(), Some(&shown[0]));
        let is_plain = |c: char| !c.is_control() && !matches!(c, '\u{2028}'..='\u{202E}');
        for line in &shown[1..shown.len() - 1] {
            assert!(line.is_empty() || line.starts_with(' '), "{line:?}");
            assert!(
                !line.contains(fence) && line.chars().all(is_plain),
                "{line:?}"
            );
        }
        assert!(shown.len() <= 42 && block.len() <= 8 * 1024 + 80 + 2 * fence.len());
    });
}

// claim: build-output-stays-in-its-block
#[test]
fn message_of_a_build_is_one_line_without_secrets() {
    fuzz(|choices| {
        let shown = message(&lines(choices).join("\n"));
        assert!(
            !shown.contains(TOKEN) && !shown.contains(char::is_control),
            "{shown}"
        );
    });
}

/// The 2 MB that are read of a log, in lines of 64 KB. The limit is generous for a slow build of
/// this code.
// claim: build-output-stays-in-its-block
#[test]
fn block_takes_time_by_the_size_of_a_log() {
    fuzz(|choices| {
        if choices.below(400) > 0 {
            return;
        }
        let line = |choices: &mut Choices| {
            let separators = ["-", "\"", "=", ":", " ", "\r"];
            let separator = separators.get(choices.below(12)).copied();
            let (first, seed) = (choices.text(SEEDS), choices.text(SEEDS) + ";");
            let repeated = separator.unwrap_or(&seed);
            first + &repeated.repeat(64_000 / repeated.len())
        };
        let lines: Vec<String> = (0..4).map(|_| line(choices)).collect();
        let log: Vec<String> = lines.iter().cycle().take(32).cloned().collect();
        let began = Instant::now();
        block(&log);
        message(&lines.join("\n"));
        assert!(began.elapsed() < Duration::from_secs(4), "{lines:?}");
    });
}

/// A reason of 4 KB, as a custom resource may return it, and values of up to 64 KiB, of which many
/// begin alike.
// claim: reason-takes-time-by-its-size-and-hides-values
#[test]
fn reason_takes_time_by_the_size_of_text_and_values() {
    fuzz(|choices| {
        if choices.below(40) > 0 {
            return;
        }
        let unit = choices.text(&[
            "0123456789ab ",
            "QUJDREVGR0hJ ",
            "aaaa",
            "a...",
            "word ",
            TOKEN,
        ]);
        let text = unit.repeat(4096 / unit.len().max(1));
        let beginning = choices.text(&["aaaa", "0123", "ABCD", "a", "10.0."]);
        let (mut size, most) = (0, (64 * 1024) >> choices.below(16));
        let values = (0..).map(|number| format!("{beginning}{number:x}"));
        let values = values.take_while(|value| {
            size += value.len() + 1;
            size < most
        });
        let values = vec![values.collect::<Vec<_>>().join(","), TOKEN.to_owned()];
        let began = Instant::now();
        let shown = reason(&format!("{text}{TOKEN} {text}"), values);
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{text:?} {beginning:?}"
        );
        assert!(
            !shown.contains(TOKEN) && shown.chars().count() <= 1025,
            "{shown}"
        );
    });
}
