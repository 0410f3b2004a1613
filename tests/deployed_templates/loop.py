"""A pipeline made from the child stack template, from a push to a deployed stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.local.aws import LocalAws
from tests.local.aws.codepipeline.tests.pipeline_scene import BUILDSPEC, Scene, template
from tests.local.aws.testing import Stack, eventually

CHILD = (Path(__file__).parents[2] / "templates/pipeline.yaml").read_text()
_ROLES = {"pipeline": "codepipeline-cfn", "build": "codebuild-cfn", "deploy": "codedeploy-cfn",
          "events": "eventbridge-codepipeline-exec"}


class Loop(Scene):
    """One project in one environment, with the names that the child stack's parameters and outputs have."""

    def __init__(self, aws: LocalAws, env: str, directory: Path) -> None:
        super().__init__(aws, env, directory)
        self.env = env
        self.bucket = f"s3-{env}-codepipeline-artifact-{aws.account_id}-{aws.region}"
        self.repository, self.project = f"codecommit-{env}-cfn-shop", f"codebuild-{env}-cfn-shop"
        self.pipeline, self.stack_name = f"codepipeline-{env}-cfn-shop", f"cfnstack-{env}-shop"
        self.log_group = f"/aws/codebuild/{self.project}"
        self.rights = self._all_rights()
        self.child = Stack(aws, f"gitops-{env}-shop")

    def role_name(self, what: str) -> str:
        return f"role-{self.name}-{_ROLES[what]}"

    def files(self) -> dict[str, str]:
        return {"buildspec.yml": BUILDSPEC.replace("template.json > out/template.json",
                                                   "template.json > out/root-stack-shop.yaml"),
                "template.json": template(self.name), "parameter.json": "{}"}

    def change_child(self, action: str, branch_exists: str) -> str:
        cloudformation = self.aws.client("cloudformation")
        # Each test needs an environment name of its own.
        body = CHILD.replace("\n    dev:\n", f"\n    {self.env}:\n")
        getattr(cloudformation, f"{action}_stack")(
            StackName=self.child.name, TemplateBody=body, Tags=[{"Key": "owner", "Value": "me"}], Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in (
                    ("EnvID", self.env), ("ProjectID", "shop"), ("BranchExists", branch_exists))])
        return self.child.wait()


def begun(loop: Loop) -> str:
    """The first push, and the pipeline's first execution for it."""
    loop.push(loop.files())
    # Otherwise the rule that starts the pipeline could meet this push's event, too.
    loop.aws.wait_for_events()
    assert loop.change_child("update", "true") == "UPDATE_COMPLETE", loop.child.events()
    return str(loop.executions()[0]["pipelineExecutionId"])


def runs(loop: Loop, count: int) -> list[dict[str, Any]]:
    """The executions, oldest first, once there are this many."""
    return list(eventually(loop.executions, lambda found: len(found) >= count))[::-1]
