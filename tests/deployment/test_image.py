"""An image of the same account beside the code, with the environment's own roles."""

from collections.abc import Iterator

import pytest

from tests.local.aws import LocalAws
from tests.play.images import push_image
from tests.play.pipelines import ProjectStack
from tests.play.steps import Environment


@pytest.fixture
def images(aws: LocalAws, name: str) -> Iterator[str]:
    ecr = aws.client("ecr")
    repository = str(ecr.create_repository(repositoryName=f"ecr-dev-{name}")["repository"]["repositoryName"])
    yield repository
    ecr.delete_repository(repositoryName=repository, force=True)


def test_image_push_starts_build_with_the_digest(
    aws: LocalAws, environment: Environment, stack: ProjectStack, images: str
) -> None:
    first = push_image(aws.client("ecr"), images, "one", "stable")
    status = stack.make(
        ImageSource={"RepositoryName": images, "ImageTag": "stable"}, Approval={"Required": False}
    )
    assert status == "CREATE_COMPLETE", stack.failures()
    project = stack.project
    # The image's rule is created with the pipeline, after the first push of code.
    rules = aws.client("events").list_rules(NamePrefix="event-rule-dev-codepipeline-exec-")["Rules"]
    assert [rule["Name"] for rule in rules if rule["Name"].endswith(f"-{project.project_id}")] == [
        project.event_rule
    ]
    buildspec = project.buildspec.replace(
        "      - mkdir out\n",
        '      - mkdir out\n      - echo "image $ImageURI $ImageTag"; cat'
        " $CODEBUILD_SRC_DIR_ImageArtifact/imageDetail.json\n",
    )
    pushed = project.push(buildspec=buildspec)
    assert project.ended(project.execution_of(pushed.commit)) == "Succeeded", project.said()
    second = push_image(aws.client("ecr"), images, "two", "stable")
    execution = project.execution_of(second)
    assert project.ended(execution) == "Succeeded", project.said()
    assert project.deployed_commit() == pushed.commit
    uri = f"{aws.account_id}.dkr.ecr.{aws.region}.amazonaws.com/{images}"
    for digest in (first, second):
        assert f"image {uri}@{digest} stable" in project.build_log()
        assert f'"ImageDigest": "{digest}"' in project.build_log()
