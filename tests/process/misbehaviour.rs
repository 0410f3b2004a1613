//! A handler that panics, hangs or blocks its thread does not prevent the response, even if the
//! release profile selects the effect of a panic.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::aws_front::Mood;
use crate::function::{Function, Setup, reason};

/// In no log, no answer, no error.
const SECRET: &str = "SentinelInThePanicsText";

/// The example's binary, built once.
fn misbehaving() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // With `--workspace`, the tests' dependencies are the same, so nothing is compiled again.
        let mut cargo = Command::new(env!("CARGO"));
        // Cargo sets these for a test. Build scripts read them, so their crates would be compiled
        // again.
        let of_cargo = "CARGO_PKG_ CARGO_MANIFEST_ CARGO_CRATE_ CARGO_BIN_";
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if of_cargo.split(' ').any(|prefix| text.starts_with(prefix)) {
                cargo.env_remove(&name);
            }
        }
        let options = "build --quiet --locked --message-format=json --workspace --example misbehaving --profile test";
        let built = cargo
            .args(options.split(' '))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo");
        let messages = String::from_utf8_lossy(&built.stdout).into_owned();
        let executable = messages
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
        executable.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&built.stderr)))
    })
}

fn request(function: &Function, behaviour: &str) -> Value {
    function.request("Create", &json!({"Behaviour": behaviour, "Secret": SECRET}))
}

// claim: panic-fails-at-once-and-its-text-is-hidden
#[test]
fn panic_fails_at_once_and_hides_its_text() {
    for level in ["info", "trace"] {
        let function = Setup::of(misbehaving()).with("RUST_LOG", level).start();
        for behaviour in ["Panic", "PanicLater", "Panic"] {
            let event = request(&function, behaviour);
            let invocation = function.invoke(&event, Duration::from_mins(1));
            let (answer, took) = function.failed(&invocation);
            assert_eq!(answer["PhysicalResourceId"], "misbehaving");
            assert!(!answer.to_string().contains(SECRET), "{answer}");
            assert!(took < function.seconds(10), "{took:?}");
        }
        function.succeeds(&request(&function, "Behave"));
        let written = function.ended();
        assert!(written.contains("misbehaving.rs"), "the place: {written}");
        assert!(!written.contains(SECRET), "{written}");
    }
}

/// A panic in the binary under test, from outside: the SDK signs at the service's idea of the time
/// (its `Date` header), and panics at a time that is past the year 9999. When an SDK no longer
/// does, this fails, and another way has to be found.
#[test]
fn panic_inside_the_sdk_fails_too() {
    let function = Function::start();
    function.aws.mood(Mood::InTheLastSecond);
    for kind in ["Create", "Update", "Delete", "Create"] {
        let event = function.request(kind, &json!({"UserName": "mirror"}));
        let (answer, took) = function.failed(&function.invoke(&event, Duration::from_mins(1)));
        let reason = reason(&answer);
        let cause = "internal error. Read the function's log - CFG-106";
        assert!(reason.ends_with(cause), "{reason}");
        assert!(took < Duration::from_secs(30), "{took:?}");
    }
    let written = function.ended();
    let line = "\"message\":\"internal error\"";
    assert!(written.contains(line), "{written}");
}

/// One event of each kind that CloudFormation does not send and that calls AWS.
fn other_events() -> [Value; 3] {
    let step = json!({
        "Step": "createSecret",
        "SecretId": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mirror-AbCdE1",
        "ClientRequestToken": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    });
    let push = include_str!("../../events/first-push.json");
    let push = serde_json::from_str(push).expect("JSON");
    [step, push, json!({"HealthCheck": {"EnvID": "dev"}})]
}

// claim: panic-of-another-event-has-a-stable-name-and-no-text
#[test]
fn panic_of_another_event_has_a_stable_name_and_no_text() {
    let function = Function::start();
    function.aws.mood(Mood::InTheLastSecond);
    for event in other_events() {
        let (ended, took) = function.invoke(&event, Duration::from_mins(1)).ended();
        let error = ended.error();
        assert_eq!(error["errorType"], "InternalError", "{error}");
        let text = "handling the event: internal error. Read the function's log - CFG-106";
        assert_eq!(error["errorMessage"], text);
        assert!(took < Duration::from_secs(30), "{took:?}");
    }
    // The process continues.
    let error = function.invoke(&json!({}), Duration::from_mins(1)).error();
    assert_eq!(error["errorType"], "UnknownEvent");
    let written = function.ended();
    let places = written.matches("\"message\":\"internal error\"").count();
    assert_eq!(places, other_events().len(), "{written}");
    assert!(!written.contains("anicked"), "{written}");
}

#[test]
fn hanging_aws_ends_other_events_in_time_by_name() {
    let function = Function::start();
    function.aws.mood(Mood::Hanging);
    let time = function.seconds(3);
    let [step, push, _] = other_events();
    for event in [step, push] {
        let (ended, took) = function.invoke(&event, time).ended();
        let error = ended.error();
        assert_eq!(error["errorType"], "OutOfTime", "{error}");
        assert!(took < time, "{took:?}");
    }
}

// claim: every-event-with-a-response-url-gets-one-response-and-none-panics
#[test]
fn handler_that_hangs_or_blocks_its_thread_fails_in_time() {
    let function = Setup::of(misbehaving()).start();
    for behaviour in ["Hang", "Block", "Block", "Block", "Hang"] {
        let event = request(&function, behaviour);
        let reason = function.fails_within(&event, function.seconds(2));
        assert!(reason.starts_with("misbehaving: "), "{reason}");
        // A blocked thread is lost; the next request finds another one.
        function.succeeds(&request(&function, "Behave"));
    }
}

/// `Cargo.toml` selects it for the deployed binary. The example shows the effect.
#[test]
fn release_profile_unwinds() {
    let manifest = include_str!("../../Cargo.toml");
    assert!(!manifest.contains("panic = \"abort\""));
    let release = manifest.split("\n[profile.release]\n").nth(1);
    let release = release.and_then(|rest| rest.split("\n[").next());
    let release = release.expect("a release profile");
    assert!(release.contains("panic = \"unwind\""), "{release}");
}
