use super::*;

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// The text inside of the fence of a block, as Markdown shows it. The fence ends at the first line
/// that may end it (`CommonMark`, "Fenced code blocks").
fn inside(block: &str) -> String {
    let mut lines = block.lines();
    let opening = lines.next().expect("a fence");
    let fence = opening.strip_prefix(' ').expect("an indented fence");
    assert!(
        fence.len() >= 3 && fence.chars().all(|c| c == '`'),
        "{fence}"
    );
    let is_end = |line: &str| {
        let bare = line.trim_start_matches(' ');
        let marks = bare.trim_end();
        let is_fence = marks.len() >= fence.len() && marks.chars().all(|c| c == '`');
        line.len() - bare.len() < 4 && is_fence
    };
    let mut shown = vec![];
    for line in lines.by_ref() {
        if is_end(line) {
            assert_eq!(lines.next(), None, "{block}");
            return shown.join("\n");
        }
        assert!(line.is_empty() || line.starts_with(' '), "{line:?}");
        shown.push(line.strip_prefix(' ').unwrap_or(line));
    }
    panic!("the block does not end: {block}");
}

fn shown(lines: &[&str]) -> String {
    inside(&block(&owned(lines)))
}

#[test]
fn block_shows_the_lines() {
    assert_eq!(
        block(&owned(&["a", "  b", "", "c"])),
        " ```\n a\n   b\n\n c\n ```\n"
    );
    assert_eq!(block(&[]), "");
    assert_eq!(block(&owned(&["", " \t"])), "");
}

#[test]
fn no_line_leaves_the_block() {
    for attack in [
        "```",
        "~~~",
        "`````````",
        "   ````",
        "~~~~~~~~ruby",
        "``` ``` ```",
        "</pre></code><script>alert(1)</script>",
        "<details><summary>x</summary>",
        "> quote",
        ">>>",
        "@all @group/subgroup !1 #2 ~bug %1 $1",
        "[link](https://example.com) ![](x.png)",
        "<!-- cfn-gitops:dev:shop -->",
        "::include{file=README.md}",
        "[[_TOC_]]",
        "---",
    ] {
        assert_eq!(
            shown(&["before", attack, "after"]),
            format!("before\n{attack}\nafter")
        );
        assert_eq!(shown(&[attack]), attack);
    }
}

/// GitLab reads a quick action only at the beginning of a line (`^\/`), also in a block whose fence
/// is longer than three: `lib/gitlab/quick_actions/extractor.rb`.
#[test]
fn no_line_begins_a_quick_action() {
    let lines = [
        "/close",
        "/approve",
        "/merge\r",
        "\r/merge",
        "\u{1B}[1m/close",
        "\u{200B}/close",
        "x\u{2028}/close",
        "x\u{85}/close",
        "x\u{B}/close",
    ];
    for text in [block(&owned(&lines)), block(&owned(&["/close"; 3]))] {
        let is_break = |c: char| {
            matches!(
                c,
                '\n' | '\r' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}'
            )
        };
        let mut lines = text.split(is_break);
        assert!(!lines.any(|line| line.starts_with('/')), "{text}");
    }
    assert_eq!(shown(&["/close"]), "/close");
}

#[test]
fn characters_without_a_glyph_are_left_out() {
    for (line, expected) in [
        ("\u{1B}[31;1mred\u{1B}[0m", "red"),
        ("\u{9B}31mred", "red"),
        (
            "\u{1B}]8;;https://x.example\u{7}link\u{1B}]8;;\u{1B}\\",
            "link",
        ),
        ("\u{1B}(Bplain\u{1B}c", "plain"),
        ("a\0b\u{8}c\u{7F}", "abc"),
        ("10%\r 50%\r100%", "100%"),
        ("100%\r", "100%"),
        ("50%\u{1B}[2K\u{1B}[1Gdone", "done"),
        ("50%\u{1B}[Kdone", "50%done"),
        ("a\tb", "a    b"),
        ("a\u{2028}b\u{2029}c\u{85}d\u{A0}e", "a b c d e"),
        (
            "a\u{202E}b\u{2066}c\u{200B}d\u{FEFF}e\u{61C}f\u{E0041}g",
            "abcdefg",
        ),
        ("\u{1B}[31", ""),
        ("a\u{1B}", "a"),
    ] {
        assert_eq!(plain(line), expected, "{line:?}");
    }
}

#[test]
fn token_with_characters_inside_is_masked() {
    let lines = ["glpat-\u{1B}[0mabcdefgh\u{200B}ijklmnop", "x"];
    assert_eq!(shown(&lines), "glpat-*****\nx");
}

/// A terminal shows neither the name nor the value as the log has it.
#[test]
fn overwritten_word_of_a_secret_hides_the_line() {
    for line in [
        "Password: \r12",
        "1%\rPassword: \u{1B}[G12\r12",
        "pass\0word\u{200B}:\u{1B}[1m 12",
        "\u{1B}]8;;https://x\u{7}password\u{1B}]8;;\u{7}: 12",
    ] {
        assert_eq!(shown(&[line]).to_lowercase(), "password*****", "{line:?}");
    }
}

#[test]
fn block_has_forty_lines_and_8_kb_at_most() {
    let lines: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let shown = inside(&block(&lines));
    assert_eq!(
        (shown.lines().next(), shown.lines().count()),
        (Some("60"), MAX_LINES)
    );
    let lines = vec!["x".repeat(900); 100];
    let shown = inside(&block(&lines));
    assert_eq!(shown.lines().count(), 9);
    assert!(shown.len() <= MAX_BYTES);
}

#[test]
fn long_line_is_cut_and_says_so() {
    let million = "é".repeat(5_000_000);
    let text = shown(&["before", &million, "after"]);
    let line = text.lines().nth(1).expect("the line");
    assert_eq!(line, format!("{}… (the line is cut)", "é".repeat(1000)));
    assert!(text.starts_with("before\n") && text.ends_with("\nafter"));
    // A fence of backticks is as long as the shown part of the line.
    let ticks = block(&owned(&[&"`".repeat(100_000)]));
    assert!(ticks.len() < 4 * MAX_LINE_BYTES, "{}", ticks.len());
    inside(&ticks);
}

/// A cut must not leave the beginning of a secret, which no mask recognizes.
#[test]
fn cut_leaves_no_part_of_a_secret() {
    let token = format!("\"glpat-{}\"", "s".repeat(24));
    for before in MAX_LINE_BYTES - 40..MAX_LINE_BYTES + 10 {
        let text = shown(&[&format!("{}{token}{token}", "\"".repeat(before))]);
        assert!(!text.contains("ss"), "{before}");
    }
    let mut lines = vec!["-----BEGIN PRIVATE KEY-----".to_owned()];
    lines.extend((0..60).map(|number| format!("'Aa1{number:061}' +")));
    lines.push("-----END PRIVATE KEY-----".to_owned());
    lines.push("next".to_owned());
    assert_eq!(
        inside(&block(&lines)),
        "-----BEGIN PRIVATE KEY*****\n*****\nnext"
    );
}

#[test]
fn message_is_one_masked_line() {
    for (text, expected) in [
        ("a\n b\t\u{1B}[1mc", "a b c"),
        (
            "Error while executing command: curl -H 'Authorization: Bearer abc'",
            "Error while executing command: curl -H 'Authorization*****",
        ),
        (
            "login --password hunter2\nexit 0. Reason: exit status 1",
            "login --password ***** exit 0. Reason: exit status 1",
        ),
        (
            "git clone https://shop:hunter2@example.com/a. Reason: exit status 128",
            "git clone https://*****@example.com/a. Reason: exit status 128",
        ),
    ] {
        assert_eq!(message(text), expected);
    }
    let long = message(&"word ".repeat(1000));
    assert_eq!(long.chars().count(), MAX_MESSAGE_CHARACTERS);
    assert!(long.ends_with('…'));
}

#[test]
fn message_without_a_break_is_a_part_of_a_line() {
    let of = |messages: &[&str]| lines(&owned(messages));
    assert_eq!(of(&["a\n", "b", "c\n", "\n", "d\n"]), ["a", "bc", "", "d"]);
    assert_eq!(of(&["a", "b\nc", "d"]), ["a", "b", "c", "d"]);
}

/// CodeBuild's line at a time.
fn agent(text: &str) -> String {
    format!("[Container] 2026/11/27 10:00:00.123456 {text}")
}

#[test]
fn build_cannot_end_its_phase_itself() {
    let fake = agent("Phase complete: BUILD State: FAILED");
    let real = agent("Command did not exit successfully npm test exit status 1");
    let lines = [
        agent("Entering phase BUILD"),
        fake.clone(),
        "the cause".to_owned(),
        real.clone(),
        agent("Phase complete: BUILD State: FAILED"),
        agent("Phase context status code: COMMAND_EXECUTION_ERROR Message: x"),
        agent("Entering phase POST_BUILD"),
        "after".to_owned(),
    ];
    let log = LogEnd::of(&lines, "BUILD");
    assert!(log.is_enough());
    assert_eq!(log.lines, [fake, "the cause".to_owned(), real]);
}

/// A log that was read to its beginning, without lines.
const EMPTY: LogEnd = LogEnd {
    lines: vec![],
    is_complete: false,
    has_beginning: true,
};

#[test]
fn log_without_the_end_of_the_phase_is_not_complete() {
    let of = |lines: &[String]| LogEnd::of(lines, "BUILD");
    assert_eq!(of(&[]), LogEnd::default());
    let started = [agent("Entering phase BUILD"), "first".to_owned()];
    let expected = LogEnd {
        lines: vec!["first".to_owned()],
        ..EMPTY
    };
    assert_eq!(of(&started), expected);
    for other in [
        "Phase complete: BUILDER State: FAILED",
        "Phase complete: PRE_BUILD State: SUCCEEDED",
    ] {
        let lines = [started.as_slice(), &[agent(other)]].concat();
        assert!(!of(&lines).is_complete, "{other}");
    }
}

#[test]
fn failed_script_is_not_repeated() {
    let lines = [
        "Error: the cause".to_owned(),
        agent("Command did not exit successfully set -e"),
        "npm ci".to_owned(),
        "npm test exit status 1".to_owned(),
        agent("Phase complete: BUILD State: FAILED"),
    ];
    let log = LogEnd::of(&lines, "BUILD");
    assert_eq!(log.lines, lines[..2]);
}

/// Logs from public issues: the phase that failed, CodeBuild's lines with its texts of several
/// years, and how many of the phase are shown from which one on.
const RECORDED: [(&str, &str, std::ops::Range<usize>); 4] = [
    // https://github.com/aws-samples/aws-modern-application-workshop/issues/290
    (
        "BUILD",
        "\
[Container] 2023/08/28 19:16:45 Entering phase BUILD
[Container] 2023/08/28 19:16:45 Running command docker build -t mythicalmysfits/service:latest .
Step 1/13 : FROM ubuntu:latest
missing signature key

[Container] 2023/08/28 19:16:45 Command did not exit successfully docker build -t mythicalmysfits/service:latest . exit status 1
[Container] 2023/08/28 19:16:45 Phase complete: BUILD State: FAILED
[Container] 2023/08/28 19:16:45 Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: docker build -t mythicalmysfits/service:latest .. Reason: exit status 1
[Container] 2023/08/28 19:16:45 Entering phase POST_BUILD
[Container] 2023/08/28 19:16:45 Running command echo Build completed on `date`
Build completed on Mon Aug 28 19:16:45 UTC 2023",
        1..6,
    ),
    // https://github.com/aws/aws-codebuild-docker-images/issues/154
    (
        "INSTALL",
        "\
[Container] 2018/12/21 14:09:24 Entering phase INSTALL\u{20}
[Container] 2018/12/21 14:09:24 Running command pip install --upgrade pip\u{20}
/codebuild/output/tmp/script.sh: 4: /codebuild/output/tmp/script.sh: pip: not found\u{20}
\u{20}
[Container] 2018/12/21 14:09:24 Command did not exit successfully pip install --upgrade pip exit status 127\u{20}
[Container] 2018/12/21 14:09:24 Phase complete: INSTALL Success: false\u{20}",
        1..5,
    ),
    // https://github.com/aws/aws-cdk/issues/28519
    (
        "UPLOAD_ARTIFACTS",
        "\
[Container] 2023/12/29 07:11:16.684920 Phase complete: POST_BUILD State: SUCCEEDED
[Container] 2023/12/29 07:11:16.776932 Skipping invalid file path cdk/cdk.out
[Container] 2023/12/29 07:11:16.777023 Phase complete: UPLOAD_ARTIFACTS State: FAILED
[Container] 2023/12/29 07:11:16.777033 Phase context status code: CLIENT_ERROR Message: no matching base directory path found for cdk/cdk.out",
        0..2,
    ),
    // If the buildspec is wrong, CodeBuild's message is in the phase's context alone:
    // https://github.com/aws-samples/mlops-e2e/issues/68
    (
        "DOWNLOAD_SOURCE",
        "\
[Container] 2024/06/05 02:04:08.786311 Phase is DOWNLOAD_SOURCE
[Container] 2024/06/05 02:04:08.787251 CODEBUILD_SRC_DIR=/codebuild/output/src2740/src/s3/00
[Container] 2024/06/05 02:04:08.791498 Phase complete: DOWNLOAD_SOURCE State: FAILED
[Container] 2024/06/05 02:04:08.791520 Phase context status code: YAML_FILE_ERROR Message: stat /codebuild/output/src2740/src/s3/00/buildspecs/build.yml: no such file or directory",
        0..2,
    ),
];

#[test]
fn recorded_log_ends_with_the_cause() {
    for (phase, log, shown) in RECORDED {
        let lines: Vec<String> = log.lines().map(ToOwned::to_owned).collect();
        let end = LogEnd::of(&lines, phase);
        assert!(end.is_complete, "{phase}");
        assert_eq!(end.lines, lines[shown]);
    }
}

mod over_aws {
    use std::time::Duration;

    use fake_aws::clients::sdk_config;
    use fake_aws::{FakeAws, Options};

    use super::*;
    use crate::clients::aws::SdkClients;
    use crate::clients::http::Http;
    use crate::feedback::failures::build;

    /// A build that failed in BUILD after it printed `lines`, and the log that was read. Also the
    /// number of calls of CloudWatch Logs.
    async fn failed(
        options: impl FnOnce(&mut Options),
        lines: &[&str],
    ) -> (FakeAws, Aws, LogWindow) {
        let fake = FakeAws::new();
        fake.options(options);
        let connector = fake.connector("note");
        let aws = SdkClients::new(&sdk_config(connector.clone()), &Http::new(connector));
        let id = fake.start_build("codebuild-dev-cfn-shop");
        tokio::time::advance(Duration::from_secs(60)).await;
        let message = "Error while executing command: npm test. Reason: exit status 1";
        fake.fail_build(&id, "BUILD", message, lines);
        let read = build::read(&aws, &id).await.expect("an answer").expect("a failed build");
        assert_eq!(read.phases[0].name, "BUILD");
        assert_eq!(read.phases[0].contexts[0].message, message);
        (fake, aws, read.log.expect("a log"))
    }

    fn calls(fake: &FakeAws) -> usize {
        let mut calls = fake.journal_of("note");
        calls.retain(|call| call.operation == "GetLogEvents");
        calls.len()
    }

    /// The log is dated after the phase, and `POST_BUILD` follows.
    #[tokio::test(start_paused = true)]
    async fn end_of_the_phase_is_read_at_once() {
        let (fake, aws, window) = failed(|_| {}, &["first", "the cause"]).await;
        let read = read(&aws, &window).await.expect("a log");
        assert!(read.is_complete);
        assert_eq!(read.lines, ["first", "the cause"]);
        assert_eq!(calls(&fake), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn pages_are_read_backward_until_they_suffice() {
        let lines: Vec<String> = (0..60).map(|number| format!("line {number}")).collect();
        let lines: Vec<&str> = lines.iter().map(|line| &**line).collect();
        let (fake, aws, window) = failed(|it| it.page_length = Some(30), &lines).await;
        let found = read(&aws, &window).await.expect("a log");
        assert!(found.is_complete && found.lines.ends_with(&["line 59".to_owned()]));
        assert!(found.lines.len() >= MAX_LINES, "{}", found.lines.len());
        assert_eq!(calls(&fake), 2);
        // An empty page is not the beginning.
        fake.options(|it| it.empty_log_pages = true);
        let found = read(&aws, &window).await.expect("a log");
        assert!(found.is_complete && found.lines.ends_with(&["line 59".to_owned()]));
        assert_eq!(calls(&fake), 2 + 4);
    }

    /// A build may print much in one line, and after the phase.
    #[tokio::test(start_paused = true)]
    async fn pages_are_limited() {
        let (long, lines) = ("x".repeat(100 * 1024), 25);
        let long = vec![&*long; lines];
        let (fake, aws, window) = failed(|it| it.page_length = Some(1), &long).await;
        let found = read(&aws, &window).await.expect("a log");
        assert!(!found.lines.is_empty() && !found.has_beginning);
        assert_eq!(calls(&fake), 20);
        fake.options(|it| it.page_length = Some(8));
        read(&aws, &window).await.expect("a log");
        // Eight are 800 KB, and the last page begins with the lines of the agent.
        assert_eq!(calls(&fake), 20 + 4);
    }

    #[tokio::test(start_paused = true)]
    async fn repeated_token_ends_the_log() {
        let (fake, aws, window) = failed(|_| {}, &[]).await;
        fake.change(|aws| aws.logs.values_mut().for_each(Vec::clear));
        assert_eq!(read(&aws, &window).await, Ok(EMPTY));
        assert_eq!(calls(&fake), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn late_log_is_not_complete() {
        let late = Duration::from_secs(20);
        let (_, aws, window) = failed(|it| it.logs_late = late, &["the cause"]).await;
        assert_eq!(read(&aws, &window).await, Ok(EMPTY));
        tokio::time::advance(late).await;
        assert!(read(&aws, &window).await.expect("a log").is_complete);
    }

    #[tokio::test(start_paused = true)]
    async fn missing_log_has_no_lines() {
        let (_, aws, window) = failed(|_| {}, &["the cause"]).await;
        for missing in [
            LogWindow {
                group: "/other".to_owned(),
                ..window.clone()
            },
            LogWindow {
                stream: "other".to_owned(),
                ..window
            },
        ] {
            assert_eq!(read(&aws, &missing).await, Ok(EMPTY));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn denied_log_names_the_action() {
        let (fake, aws, window) = failed(|_| {}, &["the cause"]).await;
        fake.deny("logs:GetLogEvents", "");
        let error = read(&aws, &window).await.expect_err("a denial");
        assert!(error.is_denied() && !error.is_transient(), "{error}");
        assert_eq!(error.denied_action(), ("logs", "GetLogEvents"));
    }
}
