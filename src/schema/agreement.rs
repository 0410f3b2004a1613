//! Schema and decoder say the same: of each form of text, and of a table of properties which
//! `tests/templates/test_schemas.py` holds against the schemas.

use std::path::Path;

use proptest::prelude::*;
use proptest::string::string_regex;
use regex_lite::Regex;
use serde_json::Value;

use super::{RESOURCES, probe};
use crate::cfn::recorder::Kind;
use crate::cfn::{Format, Pattern};

/// These are read by parsers of their own, of which a pattern says only the beginning.
const WIDER: [&str; 2] = ["GitLab.Url", "GitLab.CaCertificate"];

fn forms() -> Vec<(String, Format)> {
    let mut forms = Vec::new();
    for resource in &RESOURCES {
        for (path, kind) in probe::everything_asked(resource.faults).recording.kinds {
            if let Kind::Text(form) = kind {
                forms.push((path, form));
            }
        }
    }
    forms
}

struct Compiled {
    found: Regex,
    not_found: Option<Regex>,
    most: usize,
}

impl Compiled {
    fn of(pattern: Pattern) -> Self {
        let compiled = |regex| Regex::new(regex).expect("a regular expression");
        Compiled {
            found: compiled(pattern.found),
            not_found: pattern.not_found.map(compiled),
            most: pattern.most.unwrap_or(usize::MAX),
        }
    }

    fn takes(&self, text: &str) -> bool {
        text.chars().count() <= self.most
            && self.found.is_match(text)
            && !self
                .not_found
                .as_ref()
                .is_some_and(|regex| regex.is_match(text))
    }
}

/// Says where a form and its pattern do not agree on `text`.
fn disagreement(path: &str, form: &Format, compiled: &Compiled, text: &str) -> Option<String> {
    let (fits, takes) = ((form.fits)(text), compiled.takes(text));
    let agree = fits == takes || (takes && WIDER.contains(&path));
    (!agree).then(|| format!("{path}: {text:?} fits: {fits}, pattern: {takes}"))
}

/// Text at which the limits of all forms lie.
fn chosen() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        "a",
        "ab",
        "abc",
        "A",
        "7",
        "7.5",
        "true",
        "-",
        "--",
        "a-",
        "-a",
        ".",
        "..",
        "a.b",
        "_",
        "/",
        "/a",
        "a/",
        "a/b",
        "a//b",
        "-/b",
        "a/-",
        "a::b",
        "a:b",
        "@",
        "a b",
        "a\nb",
        "\n",
        "\u{e9}",
        "a\u{e9}",
        "windows",
        "a/windows-1",
        "BUILD_GENERAL1_SMALL",
        "BUILD_GENERAL1_TINY",
        "https://",
        "https://h",
        "https://h/p",
        "http://h",
        "http://localhost",
        "http://localhostess",
        "http://127.0.0.1:8080/p",
        "http://127.1",
        "https:h",
        "HTTPS://h",
        "https://u@h",
        "https://h?q",
        "arn:aws:iam::123456789012:role/r",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam:r:123456789012:role/r",
        "arn:aws:kms:r:123456789012:key/k",
        "arn:aws:kms::123456789012:key/k",
        "arn:aws-cn:sns:r:123456789012:t",
        "arn:aws:sns:r:1234:t",
        "arn:aws:codecommit:r:123456789012:c",
        "arn:aws:ecr:r:123456789012:repository/e",
        "arn:gov:sns:r:123456789012:t",
        "arn:aws:sns:r:123456789012:a:b:c",
        "arn:aws:sns:r:123456789012:",
        "arn:aws:iam::123456789012:role/a b",
    ]
    .map(str::to_owned)
    .into();
    for most in [
        2, 3, 20, 21, 63, 64, 100, 128, 255, 256, 512, 1000, 1024, 2048,
    ] {
        for long in [most, most + 1] {
            texts.push("a".repeat(long));
            texts.push("7".repeat(long));
            texts.push("\u{e9}".repeat(long));
            texts.push(format!("a/{}", "b".repeat(long - 2)));
            texts.push(format!("{}/b", "a".repeat(long - 2)));
            for start in [
                "https://h/",
                "http://h/",
                "arn:aws:iam::123456789012:role/",
                "arn:aws:sns:r:123456789012:",
            ] {
                texts.push(format!(
                    "{start}{}",
                    "a".repeat(long.saturating_sub(start.len()))
                ));
            }
        }
    }
    texts
}

#[test]
fn each_form_and_its_pattern_agree_on_chosen_text() {
    let forms = forms();
    assert!(forms.len() > 30, "only {}", forms.len());
    let mut found = Vec::new();
    for (path, form) in &forms {
        let compiled = Compiled::of(form.pattern);
        let texts = chosen();
        found.extend(
            texts
                .iter()
                .filter_map(|text| disagreement(path, form, &compiled, text)),
        );
        // A pattern that takes everything, or nothing, would agree with too much.
        let taken = texts.iter().filter(|text| compiled.takes(text)).count();
        let needs_more = path == "GitLab.CaCertificate";
        assert!(
            (needs_more || taken > 0) && taken < texts.len(),
            "{path} takes {taken}"
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn each_form_and_its_pattern_agree_on_text_that_is_almost_right() {
    let config = ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    for (path, form) in forms() {
        let compiled = Compiled::of(form.pattern);
        // Generators know no beginning and no end.
        let found = form.pattern.found.trim_matches(['^', '$']);
        let right = string_regex(&found.replace("|$)", ")?")).expect("a strategy");
        let other = r"[a-zA-Z0-9 /:._@=+,#?*\\\n{}~-]{0,3}|::|//|windows|\.\.";
        let almost = (right, any::<prop::sample::Index>(), 0..3usize, other);
        let mut runner = proptest::test_runner::TestRunner::new(config.clone());
        let result = runner.run(&almost, |(right, at, cut, other)| {
            let mut changed: Vec<char> = right.chars().collect();
            let at = at.index(changed.len() + 1);
            let end = changed.len().min(at + cut);
            changed.splice(at..end, other.chars());
            for text in [right, changed.into_iter().collect()] {
                if let Some(disagreement) = disagreement(&path, &form, &compiled, &text) {
                    return Err(TestCaseError::fail(disagreement));
                }
            }
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

#[test]
fn the_table_of_examples_is_right_about_the_decoders() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas");
    for resource in &RESOURCES {
        let text = std::fs::read_to_string(directory.join(resource.file)).expect("the table");
        let examples: Vec<Value> = serde_json::from_str(&text).expect("a list");
        assert!(examples.len() > 10, "{} examples", examples.len());
        for example in &examples {
            let name = example["name"].as_str().expect("a name");
            let faults = (resource.faults)(&example["properties"]).0;
            let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
            let expected: Vec<&str> = example["faults"].as_array().map_or(vec![], |faults| {
                faults.iter().filter_map(Value::as_str).collect()
            });
            assert_eq!(paths, expected, "{name}");
        }
    }
}
