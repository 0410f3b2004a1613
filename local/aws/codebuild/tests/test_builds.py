"""Builds that a pipeline starts.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.pipeline_scene import Scene, eventually, one_for_many
from local.aws.testing import allow, policy


@pytest.fixture
def scene(aws: LocalAws, name: str, tmp_path: Path) -> Scene:
    made = Scene(aws, name, tmp_path)
    made.prepare()
    return made


@pytest.fixture(scope="module")
def shared(running: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """For builds that differ only in the pushed files."""
    return one_for_many(Scene, running, tmp_path_factory.mktemp("builds"))


@pytest.fixture
def again(aws: LocalAws, shared: Scene) -> Iterator[Scene]:
    """The same, without a pipeline yet."""
    aws.set(credential_accepted_after_seconds=0)
    yield shared
    shared.pipelines.delete_pipeline(name=shared.pipeline)


def built(scene: Scene, buildspec: str, files: dict[str, str] | None = None, **configuration: str) -> str:
    """The execution, after its end."""
    scene.push({"buildspec.yml": buildspec, **(files or {})})
    run = scene.create([scene.build(**configuration)])
    scene.ended(run)
    return run


def artifact(scene: Scene, run: str) -> dict[str, str]:
    assert scene.status(run) == "Succeeded", scene.actions(run)
    return scene.artifact(scene.action(run, "Build")["output"]["outputArtifacts"][0]["s3location"])


def phases(scene: Scene, run: str) -> dict[str, str]:
    build = scene.action(run, "Build")["output"]["executionResult"]["externalExecutionId"]
    found = scene.aws.client("codebuild").batch_get_builds(ids=[build])["builds"][0]
    assert found["phases"][-1]["phaseType"] == "COMPLETED"  # without a status
    return {each["phaseType"]: each["phaseStatus"] for each in found["phases"][:-1]}


def test_commands_share_variables_and_directory_across_phases(scene: Scene) -> None:
    run = built(scene, """version: 0.2
env:
  variables: {SPEC: spec, EnvID: overridden}
phases:
  install: {commands: [SET=set]}
  pre_build: {commands: [mkdir -p deep, cd deep]}
  build:
    commands:
      - echo "$SET $SPEC $EnvID" > words
      - |
        if true; then
          pwd > where
        fi
  post_build: {commands: ['cd ..', 'echo done > last']}
artifacts: {files: [deep/*, last]}
""")
    made = artifact(scene, run)
    assert made["deep/words"] == "set spec dev\n"
    assert made["deep/where"].endswith("/deep\n")
    assert made["last"] == "done\n"


def test_the_commands_of_version_one_share_nothing(scene: Scene) -> None:
    run = built(scene, """version: 0.1
phases: {build: {commands: ['export SET=set', 'mkdir -p deep; cd deep', 'echo "$SET" > made']}}
artifacts: {files: [made]}
""")
    assert artifact(scene, run) == {"made": "\n"}


def test_build_environment_has_commit_and_role_and_nothing_else(scene: Scene) -> None:
    run = built(scene, """version: 0.2
phases: {build: {commands: ['env | sort > environment']}}
artifacts: {files: environment.txt}
""".replace("environment.txt", "[environment]"), EnvironmentVariables=json.dumps(
        [{"name": "RUN", "value": "#{codepipeline.PipelineExecutionId}", "type": "PLAINTEXT"}]))
    known = dict(line.split("=", 1) for line in artifact(scene, run)["environment"].splitlines())
    assert known["CODEBUILD_RESOLVED_SOURCE_VERSION"] == scene.head()
    assert known["CODEBUILD_INITIATOR"] == f"codepipeline/{scene.name}"
    assert known["CODEBUILD_BUILD_ID"].startswith(f"{scene.name}:")
    assert known["CODEBUILD_SRC_DIR"] == known["PWD"]
    assert (known["RUN"], known["EnvID"]) == (run, "dev")
    assert known["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    ours = {"PATH", "HOME", "TMPDIR", "LANG", "PWD", "OLDPWD", "SHLVL", "_", "RUN", "EnvID", "CI"}
    assert {name for name in known if not name.startswith(("CODEBUILD_", "AWS_", "LOCAL_BUILD_"))} <= ours


def test_each_build_has_an_identity_of_its_own(scene: Scene) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable
    own = f"arn:aws:s3:::{scene.bucket}/code/${{aws:userid}}/*"
    output = f"arn:aws:s3:::{scene.bucket}/{scene.pipeline[:20]}/BuildArtif/*"
    scene.allow("build", scene.rights["build"] | {"s3:PutObject": (output, {})})
    scene.aws.client("iam").put_role_policy(
        RoleName=scene.role_name("build"), PolicyName="own", PolicyDocument=policy(allow("s3:PutObject", own)))
    put = f"aws s3api put-object --bucket {scene.bucket} --body made --key"
    run = built(scene, f"""version: 0.2
phases:
  build:
    commands:
      - aws sts get-caller-identity --query UserId --output text > made
      - {put} "code/$(cat made)/code"
      - "! {put} code/another/code 2> denied"
      - "! {put} \\"code/$(cat made)x/code\\" 2>> denied"
artifacts: {{files: [made, denied]}}
""")
    made = artifact(scene, run)
    build = scene.action(run, "Build")["output"]["executionResult"]["externalExecutionId"].partition(":")[2]
    role = scene.aws.client("iam").get_role(RoleName=scene.role_name("build"))["Role"]
    assert made["made"] == f"{role['RoleId']}:AWSCodeBuild-{build}\n"
    assert made["denied"].count("AccessDenied") == 2


@pytest.mark.parametrize(("artifacts", "names"), [
    ("{files: ['**/*'], base-directory: out}", {"a.txt", "deep/b.txt", "deep/er/c.txt"}),
    ("{files: ['*'], base-directory: out}", {"a.txt"}),
    ("{files: [out/deep/*]}", {"out/deep/b.txt"}),
    ("{files: ['out/**/*.txt'], discard-paths: yes}", {"a.txt", "b.txt", "c.txt"}),
    ("{files: ['**/*'], base-directory: 'o*', exclude-paths: ['deep/**/*']}", {"a.txt"}),
])
def test_artifacts_are_the_files_that_the_buildspec_names(again: Scene, artifacts: str, names: set[str]) -> None:
    run = built(again, f"version: 0.2\nphases: {{build: {{commands: ['true']}}}}\nartifacts: {artifacts}\n",
                {f"out/{name}": name for name in ("a.txt", "deep/b.txt", "deep/er/c.txt")})
    assert set(artifact(again, run)) == names


def test_buildspec_is_inline_or_a_named_file(scene: Scene) -> None:
    inline = "version: 0.2\nphases:\n  build: {commands: ['echo inline > made']}\nartifacts: {files: [made]}\n"
    projects = scene.aws.client("codebuild")
    projects.update_project(name=scene.name, source={"type": "CODEPIPELINE", "buildspec": inline})
    assert artifact(scene, built(scene, "nonsense")) == {"made": "inline\n"}
    scene.push({"ci/spec.yml": inline.replace("inline", "other")})
    projects.update_project(name=scene.name, source={"type": "CODEPIPELINE", "buildspec": "ci/spec.yml"})
    run = scene.start()
    scene.ended(run)
    assert artifact(scene, run) == {"made": "other\n"}


def test_exported_variables_are_the_actions_variables(scene: Scene) -> None:
    run = built(scene, """version: 0.2
env: {exported-variables: [VERSION]}
phases: {build: {commands: ['VERSION=$(date +%Y)-x']}}
artifacts: {files: [template.json]}
""")
    assert scene.action(run, "Build")["output"]["outputVariables"]["VERSION"].endswith("-x")


def test_a_buildspecs_output_is_in_the_projects_log(scene: Scene) -> None:
    built(scene, "version: 0.2\nphases: {build: {commands: ['echo to be read', 'echo bad >&2']}}\n")
    assert {"to be read", "bad", "[Container] Phase complete: BUILD State: SUCCEEDED"} <= set(scene.log())


def test_failed_command_ends_build_and_stops_pipeline(scene: Scene) -> None:
    scene.push({"buildspec.yml": """version: 0.2
phases:
  build:
    commands: ['exit 3', 'echo never']
    finally: ['echo finally']
  post_build: {commands: ['echo post $CODEBUILD_BUILD_SUCCEEDING']}
artifacts: {files: [template.json]}
"""})
    run = scene.create([scene.build()], [scene.deploy()])
    assert scene.ended(run) == "Failed"
    code, message = scene.error(run, "Build")
    assert code == "JobFailed"
    assert "exit 3. Reason: exit status 3" in message
    assert phases(scene, run) == {"SUBMITTED": "SUCCEEDED", "PROVISIONING": "SUCCEEDED", "DOWNLOAD_SOURCE": "SUCCEEDED",
                                  "INSTALL": "SUCCEEDED", "PRE_BUILD": "SUCCEEDED", "BUILD": "FAILED",
                                  "POST_BUILD": "SUCCEEDED", "UPLOAD_ARTIFACTS": "SUCCEEDED"}
    assert {"finally", "post 0"} <= set(scene.log())
    assert "never" not in scene.log()
    assert scene.stacks() == []


def test_a_phase_before_the_build_that_fails_ends_it_at_once(scene: Scene) -> None:
    run = built(scene, """version: 0.2
phases: {pre_build: {commands: ['false']}, post_build: {commands: ['echo never']}}
""")
    assert scene.status(run) == "Failed"
    assert phases(scene, run)["PRE_BUILD"] == "FAILED"
    assert "never" not in scene.log()


def test_build_over_its_timeout_is_stopped(scene: Scene) -> None:
    scene.aws.set(build_minute_seconds=0.02)
    run = built(scene, "version: 0.2\nphases: {build: {commands: ['sleep 100']}}\n")
    assert scene.status(run) == "Failed"
    assert "TIMED_OUT" in scene.error(run, "Build")[1]


def a_long_build(scene: Scene, directory: Path) -> tuple[str, int]:
    """The execution, and the process that it waits for."""
    note = directory / "process"
    scene.push({"buildspec.yml": "version: 0.2\n"
                                 f"phases: {{build: {{commands: ['echo $$ > {note}; sleep 100 & wait']}}}}\n"})
    run = scene.create([scene.build()])
    eventually(lambda: note.exists() and note.read_text().strip(), bool)
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


def test_build_with_several_input_and_output_artifacts(scene: Scene) -> None:
    spec = """version: 0.2
phases: {build: {commands: ['cat $CODEBUILD_SRC_DIR_More/made >> made', 'echo more >> made']}}
artifacts: {secondary-artifacts: {One: {files: [made]}, Two: {files: [made], base-directory: .}}}
"""
    scene.push({"buildspec.yml": "version: 0.2\nphases: {build: {commands: ['echo first > made']}}\n"
                                 "artifacts: {files: [made]}\n", "second.yml": spec})
    projects = scene.aws.client("codebuild")
    projects.create_project(**{**scene.project_settings(), "name": f"{scene.name}-2", "source": {
        "type": "CODEPIPELINE", "buildspec": "second.yml"}})
    scene.rights["pipeline"] |= {f"codebuild:{action}": (scene.arn("codebuild", f"project/{scene.name}*"), {})
                                 for action in ("StartBuild", "BatchGetBuilds")}
    scene.allow("pipeline", scene.rights["pipeline"])
    group = scene.arn("logs", f"log-group:/aws/codebuild/{scene.name}*")
    scene.allow("build", scene.rights["build"] | {f"logs:{action}": (group, {}) for action in (
        "CreateLogGroup", "CreateLogStream", "PutLogEvents")})
    second = {**scene.build(ProjectName=f"{scene.name}-2", PrimarySource="SourceArtifact"), "name": "Second",
              "namespace": "Second", "inputArtifacts": [{"name": "More"}, {"name": "SourceArtifact"}],
              "outputArtifacts": [{"name": "One"}, {"name": "Two"}]}
    first = {**scene.build(), "outputArtifacts": [{"name": "More"}]}
    run = scene.create([first], [second])
    assert scene.ended(run) == "Succeeded", scene.actions(run)
    for where in scene.action(run, "Second")["output"]["outputArtifacts"]:
        assert scene.artifact(where["s3location"]) == {"made": "first\nmore\n"}


_MISTAKES: list[Any] = [
    pytest.param("nonsense", "not a mapping", id="no mapping"),
    pytest.param("version: 0.2\nphases: [", "YAML_FILE_ERROR", id="no YAML"),
    pytest.param("version: 3\n", "version must be", id="another version"),
    pytest.param("version: 0.2\nphase: {}\n", "unknown, or not part of this local CodeBuild: phase", id="unknown key"),
    pytest.param("version: 0.2\nphases: {test: {}}\n", "phases: unknown", id="unknown phase"),
    pytest.param("version: 0.2\nphases: {build: {commands: [{echo: a}]}}\n", "list of strings", id="unquoted colon"),
    pytest.param("version: 0.2\nartifacts: {files: [absent]}\n", "no matching artifact paths found", id="no artifact"),
    pytest.param("version: 0.2\nartifacts: {base-directory: out}\n", "was not made by the action", id="no files"),
]


@pytest.mark.parametrize(("buildspec", "reason"), _MISTAKES)
def test_a_buildspec_that_is_wrong_fails_with_its_reason(again: Scene, buildspec: str, reason: str) -> None:
    again.push({"buildspec.yml": buildspec})
    run = again.create([again.build()], [again.deploy()])
    assert again.ended(run) == "Failed"
    failed = again.actions(run)[-1]["output"]["executionResult"]["errorDetails"]
    assert reason in failed["message"]
    build = again.action(run, "Build")["output"]["executionResult"]["externalExecutionId"]
    status = again.aws.client("codebuild").batch_get_builds(ids=[build])["builds"][0]["buildStatus"]
    assert status == ("SUCCEEDED" if again.action(run, "Build")["status"] == "Succeeded" else "FAILED")
