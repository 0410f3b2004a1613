"""The loop of a project with an image, from the child stack's rendering: push of the image, event, pipeline, build,
approval, stack.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.image_scene import push_image
from local.aws.codepipeline.tests.pipeline_scene import eventually
from tests.deployed_templates.loop import Loop, begun, runs
from tests.templates.renderings import rendering

RENDERED = json.dumps(rendering("image"))
SAYS = """      - python3 -c "import json, os; print(json.load(open(os.environ['CODEBUILD_SRC_DIR_ImageArtifact'] +
        '/imageDetail.json'))['ImageDigest'])" > out/digest
      - echo "$ImageURI $ImageDigest $ImageTag" > out/image
"""


class ImageLoop(Loop):
    def __init__(self, aws: LocalAws, env: str, directory: Path) -> None:
        super().__init__(aws, env, directory)
        self.ecr, self.images = aws.client("ecr"), f"team/{env}"
        self.rights["pipeline"]["ecr:DescribeImages"] = (self.arn("ecr", f"repository/{self.images}"), {})

    def files(self) -> dict[str, str]:
        made = super().files()
        buildspec = made["buildspec.yml"].replace("      - cp parameter.json out/\n",
                                                  f"      - cp parameter.json out/\n{SAYS}")
        return {**made, "buildspec.yml": buildspec}

    def change_child(self, action: str, branch_exists: str) -> str:
        rendered = json.loads(RENDERED.replace("team/base", self.images))
        # Each test needs an environment name of its own.
        rendered["Mappings"]["BranchMap"] = {self.env: rendered["Mappings"]["BranchMap"]["dev"]}
        getattr(self.aws.client("cloudformation"), f"{action}_stack")(
            StackName=self.child.name, TemplateBody=json.dumps(rendered), Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in (
                    ("EnvID", self.env), ("ProjectID", "shop"), ("BranchExists", branch_exists))])
        return self.child.wait()

    def built(self, execution: str) -> dict[str, str]:
        return self.artifact(self.action(execution, "Build")["output"]["outputArtifacts"][0]["s3location"])


@pytest.fixture
def loop(aws: LocalAws, name: str, tmp_path: Path) -> ImageLoop:
    made = ImageLoop(aws, f"e{name[2:]}", tmp_path)
    made.make_surroundings()
    made.ecr.create_repository(repositoryName=made.images)
    assert made.change_child("create", "false") == "CREATE_COMPLETE", made.child.events()
    made.clone()
    return made


def test_pushed_image_is_built_and_deployed_after_approval(loop: ImageLoop) -> None:
    uri = f"{loop.account}.dkr.ecr.{loop.region}.amazonaws.com/{loop.images}"
    first = push_image(loop.ecr, loop.images, "one", "latest")
    run = begun(loop)
    loop.decide(run)
    assert loop.ended(run) == "Succeeded", loop.actions(run)
    second = push_image(loop.ecr, loop.images, "two", "latest")
    by_image = runs(loop, 2)[1]
    assert by_image["trigger"]["triggerType"] == "CloudWatchEvent"
    loop.decide(by_image["pipelineExecutionId"])
    assert loop.ended(by_image["pipelineExecutionId"]) == "Succeeded"
    commit = loop.push(message="Another")
    by_code = runs(loop, 3)[2]["pipelineExecutionId"]
    loop.decide(by_code)
    assert loop.ended(by_code) == "Succeeded"
    # However the execution started, the build gets the image's address with its digest, and the tag.
    for each, digest in ((run, first), (by_image["pipelineExecutionId"], second), (by_code, second)):
        made = loop.built(each)
        assert made["image"].split() == [f"{uri}@{digest}", digest, "latest"]
        assert made["digest"].strip() == digest
    assert loop.deployed() == f"{commit} none"


def test_pushed_image_starts_nothing_while_branch_is_missing(loop: ImageLoop) -> None:
    push_image(loop.ecr, loop.images, "early", "latest")
    rules = [each["Name"] for each in loop.aws.client("events").list_rules(NamePrefix=f"event-rule-{loop.env}-")["Rules"]]
    assert rules == [f"event-rule-{loop.env}-codepipeline-exec-cfn-shop"]
    run = begun(loop)
    eventually(lambda: loop.actions(run), lambda found: len(found) >= 3)
    assert loop.action(run, "Image")["output"]["outputVariables"]["ImageDigest"] == (
        loop.ecr.describe_images(repositoryName=loop.images)["imageDetails"][0]["imageDigest"])
    assert len(loop.executions()) == 1
