//! Targets for shared modules: continuations, names, records, addresses, secrets.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use cfn_gitops::clients::http;
use cfn_gitops::common::iam_wildcard::NamePattern;
use cfn_gitops::common::ownership;
use cfn_gitops::common::password::Password;
use cfn_gitops::handler::self_invocation;
use cfn_gitops::health_check::HealthCheck;
use fuzz::{Choices, fuzz, strings_in};

const AUTHORITY: &str = include_str!("../../../src/clients/http/tests/authority.pem");

// claim: continuation-contains-a-part-of-its-event
#[test]
fn continuation_contains_a_part_of_its_event() {
    fuzz(|choices| {
        let event = choices.text(&[
            r#"{"Continuation":{"Hop":3,"Received":1795161300},"Event":{"ResponseURL":"https://x"}}"#,
            r#"{"Continuation":{"Hop":1},"Event":{"Continuation":{"Hop":14},"Event":[1.10]}}"#,
            r#"{"ResponseURL":"https://x"}"#,
        ]);
        let (inner, position) = self_invocation::parse(&event);
        assert!(event.contains(inner));
        if position == self_invocation::Position::default() {
            return;
        }
        // Lambda passes this invocation's event to the next one: nothing is lost on the way.
        let sent = serde_json::to_string(&self_invocation::Continuation {
            continuation: position.clone(),
            event: serde_json::from_str(inner).expect("JSON is handed on"),
        });
        let sent = sent.expect("JSON");
        assert_eq!(self_invocation::parse(&sent), (inner, position.clone()));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_161_400);
        assert!(position.received_at(now) <= now);
    });
}

// claim: health-check-names-a-valid-environment
#[test]
fn health_check_is_of_an_environment_that_can_be_one() {
    fuzz(|choices| {
        let event = choices.json(&[
            json!({"HealthCheck": {"EnvID": "dev", "UserNames": "user-dev-*"}}),
            json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}),
        ]);
        let arn = choices.text(&[
            "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-dev",
            "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-dev:live",
        ]);
        let Ok(HealthCheck { environment, .. }) = HealthCheck::parse(&event, &arn) else {
            return;
        };
        let is_of_letters =
            |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let id = &environment.id;
        assert!(!id.is_empty() && id.len() <= 30, "{id}");
        assert!(is_of_letters(id), "{id}");
        assert!(!environment.user_names.is_empty());
        // The function's name ends in its environment, unless it is called otherwise.
        let name = arn.split(':').nth(6).unwrap_or_default();
        let own = name.strip_prefix("cfn-gitops-");
        let is_env_id = |text: &str| {
            text.len() <= 30
                && text.starts_with(|c: char| c.is_ascii_lowercase())
                && is_of_letters(text)
        };
        let is_own = own.is_none_or(|own| own == id || !is_env_id(own));
        assert!(is_own, "{arn} {id}");
    });
}

/// The meaning of a pattern, in the simplest implementation.
fn is_like(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['*', rest @ ..], _) => (0..=name.len()).any(|at| is_like(rest, &name[at..])),
        (['?', pattern @ ..], [_, name @ ..]) => is_like(pattern, name),
        ([one, pattern @ ..], [other, name @ ..]) => one == other && is_like(pattern, name),
        _ => false,
    }
}

// claim: name-pattern-matches-like-iam
#[test]
fn name_pattern_matches_like_iam() {
    fuzz(|choices| {
        let pattern = choices.text(&["user-*-?", "*a*", "user-dev-*"]);
        let name = choices.text(&["user-dev-x", "aaa", "user-x-"]);
        let [parts, characters] = [&pattern, &name].map(|text| text.chars().collect::<Vec<_>>());
        // The simplest implementation is slow.
        if pattern.matches('*').count() > 4 || characters.len() > 40 {
            return;
        }
        let found = NamePattern::new(&pattern).matches(&name);
        assert_eq!(found, is_like(&parts, &characters), "{pattern:?} {name:?}");
    });
}

// claim: parsed-time-is-formatted-the-same
#[test]
fn time_that_is_read_is_written_the_same() {
    fuzz(|choices| {
        let text = choices.text(&["2026-11-20T07:55:00Z", "1970-01-01T00:00:00Z"]);
        if let Some(time) = ownership::read_time(&text) {
            let written = ownership::write_time(time);
            let again = ownership::read_time(&written).map(ownership::write_time);
            assert_eq!(again, Some(written));
        }
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(choices.number() >> 32);
        assert_eq!(ownership::read_time(&ownership::write_time(at)), Some(at));
    });
}

// claim: safe-address-is-encrypted-or-local
#[test]
fn safe_address_is_encrypted_or_loopback() {
    fuzz(|choices| {
        let url = choices.text(&[
            "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/r",
            "http://127.0.0.1:8080/x?y",
            "http://[::1]/",
            "http://localhost",
            "http://example.org",
        ]);
        if http::is_https_or_loopback(&url) {
            let parsed = reqwest::Url::parse(&url).expect("an address");
            let host = parsed.host_str().unwrap_or_default();
            let is_here = ["127.0.0.1", "localhost", "[::1]"].contains(&host);
            assert!(parsed.scheme() == "https" || is_here, "{url:?}");
        }
    });
}

// claim: certificates-are-all-readable-or-rejected
#[test]
fn certificates_are_all_readable_or_refused() {
    let two = format!("{AUTHORITY}text between them\n{AUTHORITY}");
    fuzz(|choices| {
        let pem = choices.text(&[AUTHORITY, &two]);
        let taken = http::is_certificate(&pem);
        // A text that was accepted once is accepted again after another, and never without an end.
        if taken {
            assert!(http::is_certificate(&format!("{AUTHORITY}{pem}")));
        }
        assert!(!taken || pem.contains("-----END CERTIFICATE-----"));
    });
}

// claim: redacted-text-does-not-contain-the-password
#[test]
fn redacted_text_does_not_contain_the_password() {
    fuzz(|choices| {
        let password = Password::new(choices.text(&["pA55/w+rd=", "aa", "x%2Fy"]));
        let raw = password.expose();
        let mut escaped = String::new();
        for byte in raw.bytes() {
            write!(escaped, "%{byte:02x}").expect("text takes text");
        }
        let around = choices.text(&["push to https://u:", "%", "", "*"]);
        let text = format!("{around}{raw}{around}{escaped}{around}");
        let redacted = password.redact(&text);
        // A part of the mask, or of the text around the password, is not a secret.
        if raw.len() > 5 && !around.contains(raw) && !raw.contains('*') {
            assert!(!redacted.contains(raw), "{redacted}");
            assert!(!redacted.contains(&escaped), "{redacted}");
        }
        if password.is_url_safe() {
            let url = format!("https://u:{raw}@example.com/r");
            let parsed = reqwest::Url::parse(&url).expect("it stands in an address");
            assert_eq!(parsed.host_str(), Some("example.com"));
        }
        assert!(!format!("{password:?}").contains(raw) || "Password(…)".contains(raw));
    });
}

#[test]
fn inputs_are_changed_and_not_always() {
    let seed = json!({"a": ["text", 1], "b": {"c": true}});
    let seeds = std::slice::from_ref(&seed);
    let inputs: Vec<Value> = (0..256).map(|number| Choices::seeded(number).json(seeds)).collect();
    let same = inputs.iter().filter(|input| **input == seed).count();
    assert!((10..200).contains(&same), "{same}");
    let has_other_strings = |input: &&Value| strings_in(input) != strings_in(&seed);
    let strings = inputs.iter().filter(has_other_strings).count();
    assert!(strings > 50, "{strings}");
}
