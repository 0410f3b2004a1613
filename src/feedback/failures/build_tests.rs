use super::*;
use aws_sdk_codebuild::types::{BuildPhaseType, LogsLocation, PhaseContext as Context};

fn phase(kind: BuildPhaseType, status: &str, contexts: &[(&str, &str)]) -> BuildPhase {
    let contexts = contexts.iter().map(|(code, message)| {
        Context::builder()
            .status_code(*code)
            .message(*message)
            .build()
    });
    BuildPhase::builder()
        .phase_type(kind)
        .phase_status(status.into())
        .start_time(DateTime::from_millis(1_669_015_715_809))
        .end_time(DateTime::from_millis(1_669_015_715_843))
        .set_contexts(Some(contexts.collect()))
        .build()
}

fn build(phases: Vec<BuildPhase>) -> FailedBuild {
    let logs = LogsLocation::builder()
        .group_name("/custom/group")
        .stream_name("s/1")
        .build();
    let build = Build::builder()
        .id("p:1")
        .logs(logs)
        .set_phases(Some(phases))
        .build();
    FailedBuild::of(&build, &StatusType::Failed)
}

/// The phases of a build whose BUILD failed, with the empty contexts that CodeBuild returns:
/// <https://github.com/data-dot-all/dataall/issues/217>.
#[test]
fn first_phase_that_failed_is_the_cause() {
    let none = [("", "")];
    let command = "Error while executing command: npm test. Reason: exit status 1";
    let failed = build(vec![
        phase(BuildPhaseType::Install, "SUCCEEDED", &none),
        phase(
            BuildPhaseType::Build,
            "FAILED",
            &[("COMMAND_EXECUTION_ERROR", command)],
        ),
        phase(BuildPhaseType::PostBuild, "SUCCEEDED", &none),
        phase(
            BuildPhaseType::UploadArtifacts,
            "CLIENT_ERROR",
            &[("CLIENT_ERROR", "no matching artifact paths found")],
        ),
        BuildPhase::builder()
            .phase_type(BuildPhaseType::Completed)
            .build(),
    ]);
    let expected = FailedBuild {
        phase: "BUILD".to_owned(),
        contexts: vec![PhaseContext {
            code: "COMMAND_EXECUTION_ERROR".to_owned(),
            message: command.to_owned(),
        }],
        log: Some(LogWindow {
            group: "/custom/group".to_owned(),
            stream: "s/1".to_owned(),
            phase: "BUILD".to_owned(),
            start: Some(1_669_015_715_809),
            end: Some(1_669_015_715_843),
        }),
        values: Values::default(),
    };
    assert_eq!(failed, expected);
}

#[test]
fn only_a_known_failure_is_one() {
    for status in ["FAILED", "FAULT", "TIMED_OUT", "CLIENT_ERROR", "STOPPED"] {
        let failed = build(vec![phase(BuildPhaseType::PreBuild, status, &[])]);
        assert_eq!(failed.phase, "PRE_BUILD", "{status}");
    }
    for status in ["SUCCEEDED", "IN_PROGRESS", "FUTURE_VALUE"] {
        let failed = build(vec![phase(BuildPhaseType::PreBuild, status, &[("A", "b")])]);
        let expected = FailedBuild {
            phase: "FAILED".to_owned(),
            contexts: vec![],
            log: None,
            values: Values::default(),
        };
        assert_eq!(failed, expected, "{status}");
    }
}

#[test]
fn build_without_a_stream_has_no_log() {
    let failed = phase(BuildPhaseType::Provisioning, "FAULT", &[]);
    let build = Build::builder()
        .phases(failed)
        .logs(LogsLocation::builder().build());
    let failed = FailedBuild::of(&build.build(), &StatusType::Fault);
    assert_eq!((failed.phase.as_str(), failed.log), ("PROVISIONING", None));
}
