"""A pipeline with code and an image: pushed, started with the digest, built with both, deployed.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-ECR.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-overrides.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.image_scene import TAG, ImageScene, digest_of
from local.aws.codepipeline.tests.pipeline_scene import eventually, one_for_many
from local.aws.testing import error_of

ABSENT = digest_of("nobody pushed this")
_STAMP = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4}")


@pytest.fixture
def scene(aws: LocalAws, name: str, tmp_path: Path) -> ImageScene:
    made = ImageScene(aws, name, tmp_path)
    made.prepare()
    return made


@pytest.fixture(scope="module")
def shared(running: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> ImageScene:
    return one_for_many(ImageScene, running, tmp_path_factory.mktemp("shared"))


def files(scene: ImageScene, run: str, action: str) -> dict[str, str]:
    return scene.artifact(scene.action(run, action)["output"]["outputArtifacts"][0]["s3location"])


def variables(scene: ImageScene, run: str) -> dict[str, str]:
    found: dict[str, str] = scene.action(run, "Image")["output"]["outputVariables"]
    return found


def revisions(scene: ImageScene, run: str) -> dict[str, str]:
    summary = next(each for each in scene.executions() if each["pipelineExecutionId"] == run)
    return {each["actionName"]: each["revisionId"] for each in summary["sourceRevisions"]}


def pinned(digest: str) -> list[dict[str, str]]:
    return [{"actionName": "Image", "revisionType": "IMAGE_DIGEST", "revisionValue": digest}]


# --- from a push to a stack --------------------------------------------------------------


def test_push_starts_pipeline_with_digest_for_build_and_stack(scene: ImageScene) -> None:
    first = scene.push_image("one")
    run = scene.create([scene.build()], [scene.deploy()])
    assert scene.ended(run) == "Succeeded", scene.actions(run)
    assert scene.deployed() == f"{first} first"
    scene.start_on_push()
    second = scene.push_image("two")
    started = eventually(scene.executions, lambda found: len(found) == 2)[0]
    assert started["trigger"]["triggerType"] == "CloudWatchEvent"
    run = started["pipelineExecutionId"]
    assert scene.ended(run) == "Succeeded", scene.actions(run)
    assert scene.deployed() == f"{second} first"
    assert revisions(scene, run) == {"Source": scene.head(), "Image": second}
    built = files(scene, run, "Build")
    assert json.loads(built["imageDetail.json"])["ImageDigest"] == second
    assert built["variables"].split() == [second, TAG, scene.head()]


def test_pushed_digest_runs_although_tag_has_moved(scene: ImageScene) -> None:
    scene.push_image("one")
    scene.ended(scene.create([scene.build()], [scene.deploy()]))
    scene.start_on_push()
    pushed = [scene.push_image("two"), scene.push_image("three")]
    found = eventually(scene.executions, lambda executions: len(executions) == 3)[:2][::-1]
    deployed = []
    for each in found:
        assert scene.ended(each["pipelineExecutionId"]) == "Succeeded"
        deployed.append(revisions(scene, each["pipelineExecutionId"])["Image"])
    assert deployed == pushed
    assert scene.deployed() == f"{pushed[1]} first"


def test_other_tag_repository_or_deletion_starts_nothing(scene: ImageScene) -> None:
    scene.push_image("one")
    scene.ended(scene.create([scene.build()]))
    scene.start_on_push()
    scene.push_image("other", "elsewhere")
    scene.ecr.batch_delete_image(repositoryName=scene.images, imageIds=[{"imageTag": "elsewhere"}])
    here = scene.push_image("here")
    eventually(scene.executions, lambda found: len(found) >= 2)
    run = scene.executions()[0]["pipelineExecutionId"]
    scene.ended(run)
    assert revisions(scene, run)["Image"] == here
    assert len(scene.executions()) == 2


# --- the action --------------------------------------------------------------------------


def test_the_artifact_is_the_images_detail_alone(scene: ImageScene) -> None:
    digest = scene.push_image("one")
    scene.push_image("one", "v1")
    run = scene.create([scene.build()])
    scene.ended(run)
    made = files(scene, run, "Image")
    assert set(made) == {"imageDetail.json"}
    detail = json.loads(made["imageDetail.json"])
    size = scene.ecr.describe_images(repositoryName=scene.images)["imageDetails"][0]["imageSizeInBytes"]
    assert _STAMP.fullmatch(detail.pop("ImagePushedAt"))
    assert sorted(detail.pop("ImageTags")) == [TAG, "v1"]
    assert detail == {
        "ImageSizeInBytes": str(size), "ImageDigest": digest, "Version": "1.0", "RegistryId": scene.account,
        "RepositoryName": scene.images,
        "ImageURI": f"{scene.account}.dkr.ecr.{scene.region}.amazonaws.com/{scene.images}@{digest}"}


def test_tag_variable_is_missing_for_a_digest_start(scene: ImageScene) -> None:
    digest = scene.push_image("one")
    run = scene.create([scene.build()])
    scene.ended(run)
    uri = f"{scene.account}.dkr.ecr.{scene.region}.amazonaws.com/{scene.images}"
    always = {"RegistryId": scene.account, "RepositoryName": scene.images, "ImageDigest": digest}
    assert variables(scene, run) == {**always, "ImageTag": TAG, "ImageURI": f"{uri}:{TAG}"}
    run = scene.start(sourceRevisions=pinned(digest))
    scene.ended(run)
    assert variables(scene, run) == {**always, "ImageURI": f"{uri}@{digest}"}


def test_build_using_tag_variable_fails_for_a_digest_start(scene: ImageScene) -> None:
    digest = scene.push_image("one")
    build = scene.build()
    build["configuration"]["EnvironmentVariables"] = json.dumps([
        {"name": "ImageTag", "value": "#{ImageVariables.ImageTag}"},
        {"name": "ImageDigest", "value": "#{ImageVariables.ImageDigest}"}])
    first = scene.create([build])
    assert scene.ended(first) == "Succeeded", scene.actions(first)
    assert files(scene, first, "Build")["variables"].split()[:2] == [digest, TAG]
    second = scene.start(sourceRevisions=pinned(digest))
    assert scene.ended(second) == "Failed"
    assert "#{ImageVariables.ImageTag}" in scene.error(second, "Build")[1]


def test_without_a_tag_it_is_latest(scene: ImageScene) -> None:
    scene.push_image("one")
    latest = scene.push_image("two", "latest")
    pipeline = scene.declaration([scene.build()])
    del pipeline["stages"][0]["actions"][1]["configuration"]["ImageTag"]
    scene.pipelines.create_pipeline(pipeline=pipeline)
    run = scene.executions()[0]["pipelineExecutionId"]
    scene.ended(run)
    assert (variables(scene, run)["ImageDigest"], variables(scene, run)["ImageTag"]) == (latest, "latest")


def test_source_without_override_uses_the_latest_revision(scene: ImageScene) -> None:
    old = scene.push_image("one")
    older_commit = scene.head()
    scene.ended(scene.create([scene.build()]))
    new = scene.push_image("two")
    commit = scene.push({"note": "newer"})
    by_image = scene.start(sourceRevisions=pinned(old))
    by_code = scene.start(sourceRevisions=[{"actionName": "Source", "revisionType": "COMMIT_ID",
                                            "revisionValue": older_commit}])
    both = scene.start(sourceRevisions=[*pinned(old), {"actionName": "Source", "revisionType": "COMMIT_ID",
                                                       "revisionValue": older_commit}])
    for run in (by_image, by_code, both):
        assert scene.ended(run) == "Succeeded", scene.actions(run)
    assert revisions(scene, by_image) == {"Source": commit, "Image": old}
    assert revisions(scene, by_code) == {"Source": older_commit, "Image": new}
    assert revisions(scene, both) == {"Source": older_commit, "Image": old}


def test_an_override_has_the_type_of_its_source(scene: ImageScene) -> None:
    digest = scene.push_image("one")
    scene.create([scene.approval()])
    for action, kind, value in (("Image", "COMMIT_ID", scene.head()), ("Source", "IMAGE_DIGEST", digest)):
        code, _, message = error_of(scene.pipelines.start_pipeline_execution, name=scene.pipeline, sourceRevisions=[
            {"actionName": action, "revisionType": kind, "revisionValue": value}])
        assert (code, kind in message) == ("ValidationException", True)


@pytest.mark.parametrize("primary", ["SourceArtifact", "ImageArtifact"])
def test_build_version_is_primary_source_in_any_order(scene: ImageScene, primary: str) -> None:
    digest = scene.push_image("one")
    scene.aws.client("codebuild").update_project(name=scene.project, source={"type": "CODEPIPELINE", "buildspec": (
        "version: 0.2\nphases:\n  build:\n    commands:\n"
        "      - echo \"$CODEBUILD_RESOLVED_SOURCE_VERSION $CODEBUILD_SOURCE_VERSION\" > told\n"
        "artifacts: {files: [told]}\n")})
    pipeline = scene.declaration([scene.build()])
    pipeline["stages"][0]["actions"].reverse()
    pipeline["stages"][1]["actions"][0]["inputArtifacts"].reverse()
    pipeline["stages"][1]["actions"][0]["configuration"]["PrimarySource"] = primary
    scene.pipelines.create_pipeline(pipeline=pipeline)
    run = scene.executions()[0]["pipelineExecutionId"]
    assert scene.ended(run) == "Succeeded", scene.actions(run)
    where = {each["name"]: each["s3location"] for each in scene.action(run, "Build")["input"]["inputArtifacts"]}
    version = {"SourceArtifact": scene.head(), "ImageArtifact": digest}[primary]
    assert files(scene, run, "Build")["told"].split() == [
        version, f"arn:aws:s3:::{where[primary]['bucket']}/{where[primary]['key']}"]


# --- what fails --------------------------------------------------------------------------


def test_the_first_run_fails_where_nothing_has_been_pushed_yet(scene: ImageScene) -> None:
    run = scene.create([scene.build()])
    assert scene.ended(run) == "Failed"
    code, message = scene.error(run, "Image")
    assert code == "ConfigurationError"
    assert (f"imageTag:'{TAG}'}} does not exist within the repository with name '{scene.images}' in the registry with "
            f"id '{scene.account}'") in message
    assert [each["actionName"] for each in scene.actions(run) if each["status"] == "Succeeded"] == ["Source"]


def test_a_digest_that_is_not_there_fails_the_run(scene: ImageScene) -> None:
    scene.push_image("one")
    scene.ended(scene.create([scene.build()]))
    run = scene.start(sourceRevisions=pinned(ABSENT))
    assert scene.ended(run) == "Failed"
    code, message = scene.error(run, "Image")
    assert (code, ABSENT in message) == ("RevisionUnavailable", True)


def test_a_repository_that_is_not_there_fails_the_run(scene: ImageScene) -> None:
    scene.ecr.delete_repository(repositoryName=scene.images)
    run = scene.create([scene.build()])
    assert scene.ended(run) == "Failed"
    assert f"repository with name '{scene.images}' does not exist" in scene.error(run, "Image")[1]


@pytest.mark.parametrize(("right", "action"), [
    ("ecr:DescribeImages", "Image"), ("codecommit:GetBranch", "Source"), ("s3:PutObject", "Image")])
def test_each_source_fails_for_the_right_that_it_lacks(scene: ImageScene, right: str, action: str) -> None:
    scene.push_image("one")
    scene.without("pipeline", right)
    run = scene.create([scene.build()])
    assert scene.ended(run) == "Failed"
    code, message = scene.error(run, action)
    assert code == "PermissionError"
    # S3 names neither the action nor the resource.
    assert right in message or (right.startswith("s3:") and "Access Denied" in message)


def test_repository_permission_excludes_other_repositories(scene: ImageScene) -> None:
    scene.push_image("one")
    scene.allow("pipeline", {**scene.rights["pipeline"], "ecr:DescribeImages": (f"{scene.image_arn}-other", {})})
    run = scene.create([scene.build()])
    assert scene.ended(run) == "Failed"
    code, message = scene.error(run, "Image")
    assert (code, f"ecr:DescribeImages on resource: {scene.image_arn}" in message) == ("PermissionError", True)


Mistake = Callable[[dict[str, Any]], Any]


def changed(**changes: Any) -> Mistake:
    return lambda pipeline: pipeline["stages"][0]["actions"][1].update(changes)


def configured(**changes: str | None) -> Mistake:
    def mistake(pipeline: dict[str, Any]) -> None:
        given = pipeline["stages"][0]["actions"][1]["configuration"]
        for key, value in changes.items():
            given.pop(key) if value is None else given.update({key: value})

    return mistake


def without_primary_source(pipeline: dict[str, Any]) -> None:
    del pipeline["stages"][1]["actions"][0]["configuration"]["PrimarySource"]


def in_a_later_stage(pipeline: dict[str, Any]) -> None:
    pipeline["stages"][1]["actions"].append({**pipeline["stages"][0]["actions"].pop(), "name": "Late"})


@pytest.mark.parametrize(("mistake", "message"), [
    (configured(RepositoryName=None), "missing required configuration 'RepositoryName'"),
    (configured(RegistryId="111122223333"), "unknown configuration 'RegistryId'"),
    (configured(PollForSourceChanges="false"), "unknown configuration 'PollForSourceChanges'"),
    (configured(ImageTag="#{SourceVariables.CommitId}"), "cannot have a variable reference"),
    (changed(outputArtifacts=[]), "0 output artifacts which is less"),
    (changed(outputArtifacts=[{"name": "ImageArtifact"}, {"name": "More"}]), "2 output artifacts which is more"),
    (changed(inputArtifacts=[{"name": "SourceArtifact"}]), "1 input artifacts which is more"),
    (changed(region="eu-west-3"), "cannot create cross-Region actions for source actions"),
    (changed(name="Source"), "has been used more than once"),
    (changed(namespace="SourceVariables"), "Namespaces must be unique"),
    (changed(outputArtifacts=[{"name": "SourceArtifact"}]), "must be unique within the pipeline"),
    (without_primary_source, "missing required configuration 'PrimarySource'"),
    (in_a_later_stage, "is not the first stage, and contains a source action"),
])
def test_invalid_image_source_is_rejected(shared: ImageScene, mistake: Mistake, message: str) -> None:
    pipeline = shared.declaration([shared.build()])
    mistake(pipeline)
    assert message in error_of(shared.pipelines.create_pipeline, pipeline=pipeline)[2]
