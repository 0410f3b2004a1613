use super::*;
use aws_sdk_codebuild::types::{BuildPhaseType, LogsLocation, PhaseContext as Context};

fn phase(kind: BuildPhaseType, status: &str, contexts: &[(&str, &str)]) -> BuildPhase {
    let contexts = contexts
        .iter()
        .map(|(code, message)| Context::builder().status_code(*code).message(*message).build());
    BuildPhase::builder()
        .phase_type(kind)
        .phase_status(status.into())
        .start_time(DateTime::from_millis(1_669_015_715_809))
        .end_time(DateTime::from_millis(1_669_015_715_843))
        .set_contexts(Some(contexts.collect()))
        .build()
}

fn build(phases: Vec<BuildPhase>) -> FailedBuild {
    let logs = LogsLocation::builder().group_name("/custom/group").stream_name("s/1").build();
    let build = Build::builder().id("p:1").logs(logs).set_phases(Some(phases)).build();
    FailedBuild::of(&build, BuildEnd::Failed)
}

/// The phases of a build whose BUILD failed, with the empty contexts that CodeBuild returns:
/// <https://github.com/data-dot-all/dataall/issues/217>.
#[test]
fn phases_that_failed_are_described() {
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
        BuildPhase::builder().phase_type(BuildPhaseType::Completed).build(),
    ]);
    assert_eq!(failed.phases[0].contexts.len(), 1);
    let log = LogWindow {
        group: "/custom/group".to_owned(),
        stream: "s/1".to_owned(),
        phase: "BUILD".to_owned(),
        start: Some(1_669_015_715_809),
        end: Some(1_669_015_715_843),
    };
    assert_eq!(failed.log, Some(log));
    let text = "The build failed in phase BUILD: COMMAND_EXECUTION_ERROR: Error while executing command: npm test. \
         Reason: exit status 1; phase UPLOAD_ARTIFACTS failed";
    assert_eq!(failed.text(), text);
    let markdown = failed.markdown();
    let other = "\nAnother one failed: phase `UPLOAD_ARTIFACTS`: `CLIENT_ERROR: no matching artifact paths found`.\n";
    assert!(markdown.ends_with(other), "{markdown}");
}

/// A buildspec may let a build go on after a phase that failed.
#[test]
fn phase_that_ended_the_build_is_first() {
    use BuildPhaseType::{Build, Finalizing, PostBuild, PreBuild};
    for (statuses, expected) in [
        (["FAILED", "", ""], "PRE_BUILD"),
        (["FAILED", "FAILED", "SUCCEEDED"], "BUILD PRE_BUILD"),
        (["FAILED", "SUCCEEDED", "FAILED"], "POST_BUILD PRE_BUILD"),
        // The default.
        (["SUCCEEDED", "FAILED", "FAILED"], "BUILD POST_BUILD"),
    ] {
        let phases = [PreBuild, Build, PostBuild].into_iter().zip(statuses);
        let ran = phases.filter(|(_, status)| !status.is_empty());
        let ran = ran.chain([(Finalizing, "SUCCEEDED")]);
        let failed = build(ran.map(|(kind, status)| phase(kind, status, &[])).collect());
        let names: Vec<&str> = failed.phases.iter().map(|it| &*it.name).collect();
        assert_eq!(names.join(" "), expected);
        assert_eq!(failed.log.expect("a log").phase, names[0]);
    }
}

#[test]
fn end_of_a_build_is_named() {
    let rows = [
        ("FAILED", "The build failed in phase PRE_BUILD"),
        ("CLIENT_ERROR", "The build failed in phase PRE_BUILD"),
        ("STOPPED", "The build was stopped in phase PRE_BUILD"),
        ("TIMED_OUT", "The build timed out in phase PRE_BUILD"),
        ("FAULT", "CodeBuild had a fault in phase PRE_BUILD"),
        // No failure is known.
        ("SUCCEEDED", "The build failed in phase FAILED"),
        ("FUTURE_VALUE", "The build failed in phase FAILED"),
    ];
    for (status, text) in rows {
        let failed = build(vec![phase(BuildPhaseType::PreBuild, status, &[])]);
        assert_eq!(failed.text(), text);
        assert_eq!(failed.log.is_some(), text.contains("PRE_BUILD"));
        let is_open = failed.markdown().contains("Start the build again");
        assert_eq!(is_open, failed.end != BuildEnd::Failed, "{status}");
    }
    let queued = build(vec![phase(BuildPhaseType::Queued, "TIMED_OUT", &[])]).markdown();
    assert!(
        queued.contains("set another `Build.QueuedTimeoutInMinutes`"),
        "{queued}"
    );
    let stopped = FailedBuild::of(&Build::builder().build(), BuildEnd::Stopped);
    assert_eq!(stopped.text(), "The build was stopped");
}

#[test]
fn build_without_a_stream_has_no_log() {
    let failed = phase(BuildPhaseType::Provisioning, "FAULT", &[]);
    let build = Build::builder().phases(failed).logs(LogsLocation::builder().build());
    let failed = FailedBuild::of(&build.build(), BuildEnd::Fault);
    assert_eq!(
        (&*failed.phases[0].name, failed.log),
        ("PROVISIONING", None)
    );
}
