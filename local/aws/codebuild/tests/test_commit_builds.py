"""Builds of a repository's commits: the version, the permissions, the artifacts and the records.

https://docs.aws.amazon.com/codebuild/latest/userguide/sample-source-version.html
https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ProjectArtifacts.html
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codebuild.tests.commit_scene import BUILDSPEC, PATH, CommitScene
from local.aws.codebuild.tests.test_started_builds import ended
from local.aws.codepipeline.tests.pipeline_scene import BRANCH, one_for_many
from local.aws.testing import a_user_with, allow, error_of


@pytest.fixture(scope="module")
def shared(running: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> CommitScene:
    return one_for_many(CommitScene, running, tmp_path_factory.mktemp("commits"))


@pytest.fixture
def scene(aws: LocalAws, shared: CommitScene) -> Iterator[CommitScene]:
    """Restored after a test: the role's permissions, and the project."""
    aws.set(credential_accepted_after_seconds=0)
    yield shared
    shared.allow("build", shared.rights["build"])
    shared.codebuild.update_project(**shared.project_settings())


def test_build_of_a_commit_stores_its_artifacts(scene: CommitScene) -> None:
    commit = scene.push({"given": "pushed\n"})
    build = scene.started(commit)
    uuid = build["id"].partition(":")[2]
    assert build["buildStatus"] == "SUCCEEDED", build["phases"]
    assert (build["sourceVersion"], build["resolvedSourceVersion"]) == (commit, commit)
    assert build["artifacts"]["location"] == f"arn:aws:s3:::{scene.bucket}/{PATH}/{uuid}"
    objects = scene.objects(build)
    assert objects.keys() == {"deep/given", "environment"}
    assert objects["deep/given"] == "pushed\n"
    assert build["exportedEnvironmentVariables"] == [{"name": "MADE", "value": "yes"}]
    assert build["buildComplete"]
    lines = scene.aws.client("logs").get_log_events(
        logGroupName=build["logs"]["groupName"], logStreamName=build["logs"]["streamName"])["events"]
    assert "[Container] Phase complete: UPLOAD_ARTIFACTS State: SUCCEEDED" in [line["message"] for line in lines]


def test_build_environment_has_the_role_and_the_version(scene: CommitScene) -> None:
    commit = scene.push()
    build = scene.started(BRANCH)
    known = dict(line.split("=", 1) for line in scene.objects(build)["environment"].splitlines())
    assert known["CODEBUILD_RESOLVED_SOURCE_VERSION"] == commit
    assert known["CODEBUILD_SOURCE_VERSION"] == BRANCH
    assert known["CODEBUILD_SOURCE_REPO_URL"] == build["source"]["location"]
    assert known["AWS_ACCESS_KEY_ID"].startswith("ASIA")


@pytest.mark.parametrize("version", [
    "{commit}", "topic/a", "refs/heads/topic/a", "v1", "refs/tags/v1", "refs/heads/topic/a^{{{commit}}}"])
def test_version_is_a_commit_branch_or_tag(scene: CommitScene, version: str) -> None:
    commit = scene.push(to="refs/heads/topic/a", message=version)
    scene._git("push", "--quiet", "--force", scene.git_url, f"{commit}:refs/tags/v1")
    scene.push(message="later")
    build = scene.started(version.format(commit=commit))
    assert (build["buildStatus"], build["resolvedSourceVersion"]) == ("SUCCEEDED", commit)


def test_branch_and_commit_select_an_earlier_commit(scene: CommitScene) -> None:
    earlier = scene.push({"given": "earlier\n"})
    scene.push({"given": "later\n"})
    build = scene.started(f"refs/heads/{BRANCH}^{{{earlier}}}")
    assert (build["resolvedSourceVersion"], scene.objects(build)["deep/given"]) == (earlier, "earlier\n")


def test_build_without_a_version_is_of_the_default_branch(scene: CommitScene) -> None:
    commit = scene.push()
    build = scene.started()
    assert "sourceVersion" not in build
    assert build["resolvedSourceVersion"] == commit


def test_version_of_the_project_is_the_default(scene: CommitScene) -> None:
    commit = scene.push(to="refs/heads/other")
    scene.push(message="later")
    scene.codebuild.update_project(name=scene.project, sourceVersion="other")
    build = scene.started()
    scene.codebuild.update_project(name=scene.project, sourceVersion="")
    assert (build["sourceVersion"], build["resolvedSourceVersion"]) == ("other", commit)


@pytest.mark.parametrize("version", [
    "absent", "refs/tags/absent", "0" * 40, f"refs/heads/{BRANCH}^{{{'0' * 40}}}", f"refs/heads/{BRANCH}^{{short}}",
    "refs/heads/absent^{{commit}}", "--upload-pack=x"])
def test_absent_version_fails_the_download(scene: CommitScene, version: str) -> None:
    version = version.replace("{commit}", scene.head())
    build = scene.started(version)
    assert build["buildStatus"] == "FAILED"
    (context,) = scene.phase(build, "DOWNLOAD_SOURCE")["contexts"]
    assert context == {"statusCode": "CLIENT_ERROR", "message": "reference not found for primary source "
                                                                f"and source version {version}"}
    assert "resolvedSourceVersion" not in build


def test_denied_clone_fails_the_download(scene: CommitScene) -> None:
    scene.without("build", "codecommit:GitPull")
    commit = scene.push()
    scene.aws.forget()
    build = scene.started(commit)
    assert build["buildStatus"] == "FAILED"
    (context,) = scene.phase(build, "DOWNLOAD_SOURCE")["contexts"]
    assert context["message"] == ("authorization failed for primary source and source version "
                                  f"{commit}")
    assert [(each["action"], each["allowed"]) for each in scene.aws.decisions(scene.role_name("build"))
            if each["action"].startswith("codecommit:")] == [("codecommit:GitPull", False)]
    assert [each["phaseType"] for each in build["phases"]][-1] == "COMPLETED"
    assert "BUILD" not in [each["phaseType"] for each in build["phases"]]


def test_denied_upload_fails_its_phase(scene: CommitScene) -> None:
    scene.without("build", "s3:PutObject")
    build = scene.started()
    assert build["buildStatus"] == "FAILED"
    assert scene.phase(build, "BUILD")["phaseStatus"] == "SUCCEEDED"
    (context,) = scene.phase(build, "UPLOAD_ARTIFACTS")["contexts"]
    assert context["statusCode"] == "CLIENT_ERROR"
    assert "UPLOAD_ARTIFACTS phase: AccessDenied: " in context["message"]
    assert scene.objects(build) == {}


@pytest.mark.parametrize(("location", "reason"), [
    ("https://git-codecommit.{region}.amazonaws.com/v1/repos/{name}", ""),
    ("https://git-codecommit.{region}.amazonaws.com/v1/repos/absent", "authorization failed"),
    ("https://example.com/{name}", "repository not found"),
])
def test_source_location_is_a_clone_address(scene: CommitScene, location: str, reason: str) -> None:
    source = {"type": "CODECOMMIT", "location": location.format(region=scene.region, name=scene.name)}
    scene.codebuild.update_project(name=scene.project, source=source)
    build = scene.started()
    assert build["buildStatus"] == ("FAILED" if reason else "SUCCEEDED")
    contexts = scene.phase(build, "DOWNLOAD_SOURCE").get("contexts", [])
    assert [reason in each["message"] for each in contexts] == ([True] if reason else [])


@pytest.mark.parametrize(("artifacts", "keys"), [
    ({"path": "review/a", "name": "made"}, {"review/a/made/deep/given", "review/a/made/environment"}),
    ({"path": "review/b"}, {"review/b/{name}/deep/given", "review/b/{name}/environment"}),
    ({"path": "review/c", "namespaceType": "BUILD_ID", "name": "made.zip", "packaging": "ZIP"},
     {"review/c/{uuid}/made.zip"}),
])
def test_artifact_key_has_path_namespace_and_name(scene: CommitScene, artifacts: dict[str, str],
                                                  keys: set[str]) -> None:
    scene.codebuild.update_project(name=scene.project, artifacts={
        "type": "S3", "location": scene.bucket, **artifacts})
    build = scene.started()
    assert build["buildStatus"] == "SUCCEEDED", build["phases"]
    listed = scene.aws.client("s3").list_objects_v2(Bucket=scene.bucket, Prefix=artifacts["path"])["Contents"]
    uuid = build["id"].partition(":")[2]
    assert {each["Key"] for each in listed} == {key.format(name=scene.name, uuid=uuid) for key in keys}


@pytest.mark.parametrize(("change", "named"), [
    ({"gitCloneDepth": 1}, "gitCloneDepth"), ({"gitSubmodulesConfig": {"fetchSubmodules": True}}, "fetchSubmodules")])
def test_project_with_an_unknown_setting_is_rejected(scene: CommitScene, change: dict[str, Any], named: str) -> None:
    settings = scene.project_settings()
    scene.codebuild.update_project(name=scene.project, source={**settings["source"], **change})
    code, _, message = error_of(scene.codebuild.start_build, projectName=scene.project)
    assert (code, message) == ("InvalidInputException", f"{named}: not part of this local CodeBuild")


def test_builds_are_listed_newest_first(scene: CommitScene) -> None:
    before = scene.builds()
    made = [scene.codebuild.start_build(projectName=scene.project)["build"]["id"] for _ in range(3)]
    for each in made:
        ended(scene.aws, each)
    assert scene.builds() == [*reversed(made), *before]
    oldest_first = scene.codebuild.list_builds_for_project(projectName=scene.project, sortOrder="ASCENDING")["ids"]
    assert oldest_first == scene.builds()[::-1]
    arn = scene.arn("codebuild", f"build/{made[0]}")
    found = scene.codebuild.batch_get_builds(ids=[arn, made[1], f"{scene.project}:absent"])
    assert [each["id"] for each in found["builds"]] == made[:2]
    assert found["buildsNotFound"] == [f"{scene.project}:absent"]


def test_reading_builds_needs_the_projects_permission(scene: CommitScene) -> None:
    build = scene.started()
    project = scene.arn("codebuild", f"project/{scene.project}")
    key = a_user_with(scene.aws, f"reader-{build['id'].partition(':')[2]}",
                      allow(["codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject"], project))
    codebuild = scene.aws.client("codebuild", key)
    assert codebuild.list_builds_for_project(projectName=scene.project)["ids"][0] == build["id"]
    assert [each["id"] for each in codebuild.batch_get_builds(ids=[build["id"]])["builds"]] == [build["id"]]
    assert codebuild.batch_get_builds(ids=[build["arn"]])["builds"]
    assert error_of(codebuild.batch_get_builds, ids=[build["id"], "another:id"])[0] == "AccessDeniedException"
    assert error_of(codebuild.list_builds_for_project, projectName="another")[0] == "AccessDeniedException"
    assert error_of(codebuild.stop_build, id=build["id"])[0] == "AccessDeniedException"


def test_build_with_the_default_buildspec_missing_fails(aws: LocalAws, name: str, tmp_path: Path) -> None:
    scene = CommitScene(aws, name, tmp_path)
    scene.prepare()
    scene._git("rm", "--quiet", "buildspec.yml")
    build = scene.started(scene.push({"other.yml": BUILDSPEC}))
    assert build["buildStatus"] == "FAILED"
    assert "buildspec.yml: no such file" in scene.phase(build, "DOWNLOAD_SOURCE")["contexts"][0]["message"]
