"""A pipeline has the permissions of its roles: a missing one fails the run and is named.

https://docs.aws.amazon.com/codepipeline/latest/userguide/how-to-custom-role.html
https://docs.aws.amazon.com/codebuild/latest/userguide/setting-up-service-role.html
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.aws.codepipeline.tests.pipeline_scene import Scene
from tests.local.aws.testing import a_user_with, allow, error_of, trust


@pytest.mark.parametrize(("role", "right", "action"), [
    ("pipeline", "codecommit:GetBranch", "Source"), ("pipeline", "codecommit:GetCommit", "Source"),
    ("pipeline", "codecommit:UploadArchive", "Source"), ("pipeline", "codecommit:GetUploadArchiveStatus", "Source"),
    ("pipeline", "s3:PutObject", "Source"), ("pipeline", "codebuild:StartBuild", "Build"),
    ("pipeline", "codebuild:BatchGetBuilds", "Build"), ("build", "s3:GetObject", "Build"),
    ("build", "s3:PutObject", "Build"), ("build", "logs:CreateLogStream", "Build"),
    ("build", "logs:PutLogEvents", "Build"), ("pipeline", "s3:GetObject", "Deploy"),
    ("pipeline", "cloudformation:DescribeStacks", "Deploy"), ("pipeline", "cloudformation:CreateStack", "Deploy"),
    ("pipeline", "iam:PassRole", "Deploy"), ("pipeline", "cloudformation:TagResource", "Deploy"),
    ("deploy", "ssm:PutParameter", "Deploy"),
])
def test_missing_permission_is_the_error_of_the_run(scene: Scene, role: str, right: str, action: str) -> None:
    scene.without(role, right)
    run = scene.create([scene.build()], [scene.deploy()])
    assert scene.ended(run) == "Failed"
    assert scene.actions(run)[-1]["actionName"] == action
    code, message = scene.error(run, action)
    # S3 names neither the action nor the resource.
    assert right in message or (role == "pipeline" and right.startswith("s3:") and "Access Denied" in message)
    assert code == ("PermissionError" if role == "pipeline" else "JobFailed")


@pytest.mark.parametrize(("role", "service", "action", "message"), [
    ("pipeline", "codebuild", "Source", "CodePipeline is not authorized to perform AssumeRole on role"),
    ("build", "codepipeline", "Build", "CodeBuild is not authorized to perform: sts:AssumeRole"),
])
def test_role_that_no_longer_trusts_its_service_fails_the_run(scene: Scene, role: str, service: str, action: str,
                                                              message: str) -> None:
    scene.ended(scene.create([scene.build()]))
    scene.trust(role, trust(f"{service}.amazonaws.com"))
    run = scene.start()
    assert scene.ended(run) == "Failed"
    assert message in scene.error(run, action)[1]


_REQUESTS: list[Any] = [
    ("GetPipeline", "get_pipeline", {"name": "{}"}), ("GetPipelineState", "get_pipeline_state", {"name": "{}"}),
    ("StartPipelineExecution", "start_pipeline_execution", {"name": "{}"}),
    ("ListPipelineExecutions", "list_pipeline_executions", {"pipelineName": "{}"}),
    ("ListActionExecutions", "list_action_executions", {"pipelineName": "{}"}),
    ("DeletePipeline", "delete_pipeline", {"name": "{}"}),
]


@pytest.mark.parametrize(("action", "method", "arguments"), _REQUESTS, ids=[each[0] for each in _REQUESTS])
def test_a_request_needs_its_right_for_that_pipeline(scene: Scene, name: str, action: str, method: str,
                                                     arguments: dict[str, str]) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodepipeline.html
    scene.create([scene.approval()])
    arn = scene.arn("codepipeline", scene.name)
    mine = scene.aws.client("codepipeline", a_user_with(scene.aws, name, allow(f"codepipeline:{action}", arn)))
    given = {key: value.format(scene.name) for key, value in arguments.items()}
    other = {key: f"{value}-not" for key, value in given.items()}
    code, status, message = error_of(getattr(mine, method), **other)
    assert (code, status) == ("AccessDeniedException", 400)
    assert f"codepipeline:{action} on resource: {arn}-not" in message
    getattr(mine, method)(**given)


def test_approval_needs_its_permission_and_its_token(scene: Scene, name: str) -> None:
    run = scene.create([scene.approval()])
    token = scene.approval_state(run)["token"]
    arn = scene.arn("codepipeline", f"{scene.name}/Approval/Approval")
    answer = {"pipelineName": scene.name, "stageName": "Approval", "actionName": "Approval", "token": token,
              "result": {"status": "Approved", "summary": ""}}
    users = [scene.aws.client("codepipeline", a_user_with(scene.aws, f"{name}{each}", allow(
        "codepipeline:PutApprovalResult", f"{arn}{each}"))) for each in ("-not", "")]
    code, _, message = error_of(users[0].put_approval_result, **answer)
    assert (code, f"codepipeline:PutApprovalResult on resource: {arn}" in message) == ("AccessDeniedException", True)
    assert error_of(users[1].put_approval_result, **{**answer, "token": run})[0] == "InvalidApprovalTokenException"
    users[1].put_approval_result(**answer)
    assert error_of(users[1].put_approval_result, **answer)[0] == "ApprovalAlreadyCompletedException"
    assert scene.ended(run) == "Succeeded"
    assert scene.action(run, "Approval")["updatedBy"].endswith(f":user/{name}")


def test_who_creates_a_pipeline_must_be_allowed_to_pass_its_role(scene: Scene, name: str) -> None:
    arn = scene.arn("codepipeline", scene.name)
    mine = scene.aws.client("codepipeline", a_user_with(scene.aws, name, allow("codepipeline:CreatePipeline", arn)))
    code, _, message = error_of(mine.create_pipeline, pipeline=scene.declaration([scene.build()]))
    assert code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {scene.role_arn('pipeline')}" in message
