"""A pipeline made from the child stack template, from a push to a deployed stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.local.aws import LocalAws
from tests.local.aws.testing import Stack, allow, eventually, policy, trust
from tests.deployed_templates.scene import Scene

CHILD = (Path(__file__).parents[2] / "templates/pipeline.yaml").read_text()
BUILDSPEC = """version: 0.2
phases:
  build:
    commands: [mkdir out, cp template.json out/root-stack-shop.yaml, cp parameter.json out/]
artifacts:
  base-directory: out
  files: ['**/*']
"""
# The roles that all of an environment's pipelines use, each with its service.
_ROLES = {"codepipeline-cfn": "codepipeline", "codebuild-cfn": "codebuild", "codedeploy-cfn": "cloudformation",
          "eventbridge-codepipeline-exec": "events"}


class Loop(Scene):
    """One project in one environment, with the names that the child stack's parameters and outputs have."""

    def __init__(self, aws: LocalAws, env: str, directory: Path) -> None:
        super().__init__(aws, f"codecommit-{env}-cfn-shop", directory)
        self.env = env
        self.pipelines, self.pipeline = aws.client("codepipeline"), f"codepipeline-{env}-cfn-shop"
        self.child = Stack(aws, f"gitops-{env}-shop")

    def make_surroundings(self) -> None:
        """The roles, and the bucket. tests/policies evaluates the permissions of the real roles."""
        self.aws.set(credential_accepted_after_seconds=0)
        iam = self.aws.client("iam")
        for name, service in _ROLES.items():
            role = f"role-{self.env}-{name}"
            iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(f"{service}.amazonaws.com"))
            iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=policy(allow("*", "*")))
        self.aws.client("s3").create_bucket(
            Bucket=f"s3-{self.env}-codepipeline-artifact-{self.aws.account_id}-{self.aws.region}",
            CreateBucketConfiguration={"LocationConstraint": self.aws.region})

    def files(self) -> dict[str, str]:
        parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}
        return {"buildspec.yml": BUILDSPEC, "template.json": json.dumps({"Resources": {"Parameter": parameter}}),
                "parameter.json": "{}"}

    def change_child(self, action: str, branch_exists: str) -> str:
        cloudformation = self.aws.client("cloudformation")
        # Each test needs an environment name of its own.
        body = CHILD.replace("\n    dev:\n", f"\n    {self.env}:\n")
        getattr(cloudformation, f"{action}_stack")(
            StackName=self.child.name, TemplateBody=body, Tags=[{"Key": "owner", "Value": "me"}], Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in (
                    ("EnvID", self.env), ("ProjectID", "shop"), ("BranchExists", branch_exists))])
        return self.child.wait()

    def executions(self) -> list[dict[str, Any]]:
        """The executions, newest first."""
        return self.pipelines.list_pipeline_executions(pipelineName=self.pipeline)["pipelineExecutionSummaries"]

    def status(self, execution: str) -> str:
        return str(self.pipelines.get_pipeline_execution(
            pipelineName=self.pipeline, pipelineExecutionId=execution)["pipelineExecution"]["status"])

    def ended(self, execution: str) -> str:
        """Waits for its end and returns the status."""
        found = eventually(lambda: self.status(execution), lambda status: status not in {"InProgress", "Stopping"})
        return str(found)

    def actions(self, execution: str) -> list[dict[str, Any]]:
        """The actions, oldest first."""
        return self.pipelines.list_action_executions(pipelineName=self.pipeline, filter={
            "pipelineExecutionId": execution})["actionExecutionDetails"][::-1]

    def action(self, execution: str, name: str) -> dict[str, Any]:
        return next(each for each in reversed(self.actions(execution)) if each["actionName"] == name)

    def error(self, execution: str, name: str) -> tuple[str, str]:
        told = self.action(execution, name)["output"]["executionResult"]["errorDetails"]
        return told["code"], told["message"]

    def approval_state(self, execution: str) -> dict[str, Any]:
        """The token of the approval that this execution waits for."""
        def state() -> dict[str, Any] | None:
            for stage in self.pipelines.get_pipeline_state(name=self.pipeline)["stageStates"]:
                for each in stage["actionStates"]:
                    if each.get("latestExecution", {}).get("token") and (
                            stage["latestExecution"]["pipelineExecutionId"] == execution):
                        return {"stage": stage["stageName"], "action": each["actionName"], **each["latestExecution"]}
            assert self.status(execution) == "InProgress", self.actions(execution)
            return None

        found: dict[str, Any] = eventually(state, bool)
        return found

    def decide(self, execution: str, status: str = "Approved", summary: str = "") -> None:
        waiting = self.approval_state(execution)
        self.pipelines.put_approval_result(
            pipelineName=self.pipeline, stageName=waiting["stage"], actionName=waiting["action"],
            token=waiting["token"], result={"status": status, "summary": summary})


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
