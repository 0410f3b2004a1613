"""Builds: the buildspec, failures, and processes.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.codebuild import buildspec
from tests.local.aws.codepipeline.tests.pipeline_scene import Scene
from tests.local.aws.testing import eventually

# --- the buildspec -----------------------------------------------------------------------


@pytest.mark.parametrize(("text", "reason"), [
    ("nonsense", "not a mapping"), ("version: 0.2\nphases: [", "YAML_FILE_ERROR"), ("version: 3\n", "version must be"),
    ("version: 0.2\nphase: {}\n", "unknown, or not part of this local CodeBuild: phase"),
    ("version: 0.2\nenv: {}\n", "unknown, or not part of this local CodeBuild: env"),
    ("version: 0.2\nphases: {test: {}}\n", "phases: unknown"),
    ("version: 0.2\nphases: {build: {finally: [a]}}\n", "phases.build: unknown"),
    ("version: 0.2\nphases: {build: {commands: [{echo: a}]}}\n", "list of strings"),  # an unquoted colon
    ("version: 0.2\nartifacts: {base-directory: out}\n", "artifacts need files"),
    ("version: 0.2\nartifacts: {files: [a], discard-paths: yes}\n", "artifacts: unknown"),
])
def test_mistake_in_a_buildspec_is_named(text: str, reason: str) -> None:
    with pytest.raises(buildspec.Malformed, match=reason):
        buildspec.read(text)


@pytest.mark.parametrize(("files", "base", "names"), [
    (["**/*"], "out", {"a.txt", "deep/b.txt", "deep/er/c.txt"}), (["*"], "out", {"a.txt"}),
    (["out/deep/*"], ".", {"out/deep/b.txt"}), (["out/a.txt", "absent"], ".", {"out/a.txt"}),
])
def test_artifacts_are_the_files_that_the_buildspec_names(tmp_path: Path, files: list[str], base: str,
                                                          names: set[str]) -> None:
    for name in ("a.txt", "deep/b.txt", "deep/er/c.txt"):
        path = tmp_path / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    assert buildspec.collect(buildspec.Artifacts(files, base), tmp_path).keys() == names


# --- a build -----------------------------------------------------------------------------


def built(scene: Scene, phases: str, artifacts: str = "") -> str:
    """The execution, after its end."""
    scene.push({"buildspec.yml": f"version: 0.2\nphases: {phases}\n{artifacts}"})
    run = scene.create([scene.build()])
    scene.ended(run)
    return run


def test_build_environment_has_only_the_build_and_its_role(scene: Scene) -> None:
    run = built(scene, "{pre_build: {commands: [SET=set]}, build: {commands: ['env > environment']}}",
                "artifacts: {files: [environment]}\n")
    assert scene.status(run) == "Succeeded", scene.actions(run)
    made = scene.artifact(scene.action(run, "Build")["output"]["outputArtifacts"][0]["s3location"])["environment"]
    known = dict(line.split("=", 1) for line in made.splitlines())
    assert known["CODEBUILD_RESOLVED_SOURCE_VERSION"] == scene.head()
    assert (known["EnvID"], known["SET"], known["AWS_ACCESS_KEY_ID"][:4]) == ("dev", "set", "ASIA")
    ours = {"PATH", "HOME", "TMPDIR", "LANG", "PWD", "OLDPWD", "SHLVL", "_", "SET", "EnvID", "CI"}
    assert {name for name in known if not name.startswith(("CODEBUILD_", "AWS_", "LOCAL_BUILD_"))} <= ours


@pytest.mark.parametrize(("phases", "artifacts", "failed", "reason", "said"), [
    ("{build: {commands: [exit 3, echo never]}, post_build: {commands: [echo post $CODEBUILD_BUILD_SUCCEEDING]}}", "",
     "BUILD", "exit 3. Reason: exit status 3", "post 0"),
    ("{pre_build: {commands: ['false']}, build: {commands: [echo never]}, post_build: {commands: [echo never]}}", "",
     "PRE_BUILD", "Reason: exit status 1", "[Container] Running command false"),
    ("{build: {commands: [echo made]}}", "artifacts: {files: [absent]}\n", "UPLOAD_ARTIFACTS",
     "no matching artifact paths found", "made"),
    ("{tests: {}}", "", "DOWNLOAD_SOURCE", "phases: unknown", "[Container] Phase complete: DOWNLOAD_SOURCE State: "
     "CLIENT_ERROR"),
])
def test_failed_phase_ends_the_build_and_the_pipeline(scene: Scene, phases: str, artifacts: str, failed: str,
                                                      reason: str, said: str) -> None:
    run = built(scene, phases, artifacts)
    code, message = scene.error(run, "Build")
    assert (code, reason in message) == ("JobFailed", True), message
    build = scene.action(run, "Build")["output"]["executionResult"]["externalExecutionId"]
    [record] = scene.aws.client("codebuild").batch_get_builds(ids=[build])["builds"]
    assert record["buildStatus"] == "FAILED"
    bad = {each["phaseType"] for each in record["phases"] if each.get("phaseStatus", "SUCCEEDED") != "SUCCEEDED"}
    assert bad == {failed}
    logs = scene.aws.client("logs").get_log_events(
        logGroupName=scene.log_group, logStreamName=record["logs"]["streamName"])["events"]
    lines = [event["message"] for event in logs]
    assert said in lines
    assert "never" not in lines


def a_long_build(scene: Scene, directory: Path) -> tuple[str, int]:
    """The execution, and the process that it waits for."""
    note = directory / "process"
    scene.push({"buildspec.yml": "version: 0.2\n"
                                 f"phases: {{build: {{commands: ['echo $$ > {note}; sleep 100 & wait']}}}}\n"})
    run = scene.create([scene.build()])
    eventually(lambda: note.exists() and note.read_text().strip())
    return run, int(note.read_text())


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_build_that_is_abandoned_is_ended(scene: Scene, tmp_path: Path) -> None:
    run, process = a_long_build(scene, tmp_path)
    assert is_running(process)
    scene.pipelines.stop_pipeline_execution(pipelineName=scene.name, pipelineExecutionId=run, abandon=True)
    assert scene.ended(run) == "Stopped"
    assert scene.action(run, "Build")["status"] == "Abandoned"
    assert not is_running(process)


def test_a_build_ends_with_the_local_aws(name: str, tmp_path: Path) -> None:
    with LocalAws() as aws:
        scene = Scene(aws, name, tmp_path)
        scene.prepare()
        _, process = a_long_build(scene, tmp_path)
        assert is_running(process)
    # Its parent does not exist any more, so its new parent may need a moment to notice its end.
    eventually(lambda: is_running(process), lambda running: not running, 10)


@pytest.mark.parametrize(("change", "message"), [
    ({"source": {"type": "NO_SOURCE"}}, "Project source type must be CODEPIPELINE"),
    ({"source": {"type": "CODEPIPELINE", "buildspec": "ci/absent.yml"}}, "stat ci/absent.yml: no such file"),
])
def test_project_that_no_pipeline_can_build_fails_the_run(scene: Scene, change: dict[str, Any], message: str) -> None:
    scene.aws.client("codebuild").update_project(name=scene.name, **change)
    run = scene.create([scene.build()])
    assert scene.ended(run) == "Failed"
    assert message in scene.error(run, "Build")[1]
