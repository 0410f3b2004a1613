"""A pipeline has the permissions of its roles: a missing one fails the run and is named.

https://docs.aws.amazon.com/codepipeline/latest/userguide/how-to-custom-role.html
https://docs.aws.amazon.com/codebuild/latest/userguide/setting-up-service-role.html
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.pipeline_scene import Scene, eventually, one_for_many, trust
from local.aws.testing import a_user_with, allow, error_of


@pytest.fixture(scope="module")
def shared(running: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Roles, repository, bucket and build project with one name. Each test has a pipeline of its own."""
    return one_for_many(Scene, running, tmp_path_factory.mktemp("rights"))


@pytest.fixture
def scene(aws: LocalAws, shared: Scene) -> Iterator[Scene]:
    aws.set(credential_accepted_after_seconds=0)
    given = copy.deepcopy(shared.rights)
    yield shared
    shared.pipelines.delete_pipeline(name=shared.pipeline)
    remove_stack(shared)
    shared.rights = given
    for role, rights in given.items():
        shared.allow(role, rights)
    for role in ("pipeline", "build"):
        aws.client("iam").update_assume_role_policy(
            RoleName=shared.role_name(role), PolicyDocument=trust(f"code{role}.amazonaws.com"))


def remove_stack(scene: Scene) -> None:
    if scene.stacks():
        scene.aws.client("cloudformation").delete_stack(StackName=scene.stack_name)
        eventually(scene.stacks, lambda found: not found)


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


@pytest.mark.parametrize(("mode", "right"), [
    ("CHANGE_SET_REPLACE", "CreateChangeSet"), ("CHANGE_SET_REPLACE", "DescribeChangeSet"),
    ("CHANGE_SET_REPLACE", "DeleteChangeSet"), ("CHANGE_SET_EXECUTE", "ExecuteChangeSet"),
    ("CHANGE_SET_EXECUTE", "DescribeChangeSet"), ("CREATE_UPDATE", "UpdateStack"), ("DELETE_ONLY", "DeleteStack")])
def test_each_mode_needs_the_rights_of_the_calls_that_it_makes(scene: Scene, mode: str, right: str) -> None:
    def deploying(mode: str, word: str) -> list[dict[str, Any]]:
        named = {"ChangeSetName": "changes"} if mode.startswith("CHANGE_SET") else {}
        # The source's files with another word: a change without a build.
        return [scene.deploy(mode, artifact="SourceArtifact", **named, **(
            {} if mode in {"CHANGE_SET_EXECUTE", "DELETE_ONLY"} else {"ParameterOverrides": json.dumps({"Word": word})}))]

    assert scene.ended(scene.create(deploying("CREATE_UPDATE", "one"))) == "Succeeded"
    scene.pipelines.update_pipeline(pipeline=scene.declaration(deploying("CHANGE_SET_REPLACE", "two")))
    assert scene.ended(scene.start()) == "Succeeded"
    scene.without("pipeline", f"cloudformation:{right}")
    scene.pipelines.update_pipeline(pipeline=scene.declaration(deploying(mode, "three")))
    run = scene.start()
    assert scene.ended(run) == "Failed"
    code, message = scene.error(run, "Deploy")
    assert code == "PermissionError"
    assert f"cloudformation:{right}" in message


def test_role_is_passed_only_to_cloudformation(scene: Scene) -> None:
    arn, _ = scene.rights["pipeline"]["iam:PassRole"]
    scene.rights["pipeline"]["iam:PassRole"] = (arn, {
        "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}})
    scene.allow("pipeline", scene.rights["pipeline"])
    run = scene.create([scene.build()], [scene.deploy()])
    assert scene.ended(run) == "Failed"
    assert "iam:PassRole" in scene.error(run, "Deploy")[1]


def test_artifacts_under_customer_key_need_key_permissions(scene: Scene) -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#require-sse-kms
    key = scene.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    pipeline = scene.declaration([scene.build()], [scene.deploy()])
    pipeline["artifactStore"]["encryptionKey"] = {"id": key, "type": "KMS"}
    scene.pipelines.create_pipeline(pipeline=pipeline)
    first = scene.executions()[0]["pipelineExecutionId"]
    assert scene.ended(first) == "Failed"
    assert "kms:GenerateDataKey" in scene.error(first, "Source")[1]
    both = {f"kms:{action}": (key, {}) for action in ("GenerateDataKey", "Decrypt")}
    scene.allow("pipeline", scene.rights["pipeline"] | both)
    second = scene.start()
    assert scene.ended(second) == "Failed"
    assert "kms:Decrypt" in scene.error(second, "Build")[1]
    scene.allow("build", scene.rights["build"] | both)
    third = scene.start()
    assert scene.ended(third) == "Succeeded", scene.actions(third)
    where = scene.action(third, "Build")["output"]["outputArtifacts"][0]["s3location"]
    held = scene.aws.client("s3").head_object(Bucket=where["bucket"], Key=where["key"])
    assert (held["ServerSideEncryption"], held["SSEKMSKeyId"]) == ("aws:kms", key)


def test_an_approvals_topic_needs_the_right_to_publish(scene: Scene) -> None:
    topic = scene.aws.client("sns").create_topic(Name=scene.name)["TopicArn"]
    run = scene.create([scene.approval(NotificationArn=topic)])
    assert scene.ended(run) == "Failed"
    code, message = scene.error(run, "Approval")
    assert code == "PermissionError"
    assert "SNS:Publish" in message or "sns:Publish" in message


def test_a_role_that_admits_codepipeline_no_more_fails_the_run(scene: Scene) -> None:
    scene.ended(scene.create([scene.build()]))
    scene.aws.client("iam").update_assume_role_policy(
        RoleName=f"pipeline-{scene.name}", PolicyDocument=trust("codebuild.amazonaws.com"))
    run = scene.start()
    assert scene.ended(run) == "Failed"
    assert scene.error(run, "Source")[0] == "PermissionError"


def test_a_build_needs_a_service_role_that_admits_codebuild(scene: Scene) -> None:
    scene.aws.client("iam").update_assume_role_policy(
        RoleName=f"build-{scene.name}", PolicyDocument=trust("codepipeline.amazonaws.com"))
    run = scene.create([scene.build()])
    assert scene.ended(run) == "Failed"
    assert "CodeBuild is not authorized to perform: sts:AssumeRole" in scene.error(run, "Build")[1]


def test_an_actions_own_role_is_assumed_by_the_pipelines(scene: Scene) -> None:
    iam = scene.aws.client("iam")
    # The account as principal: within one account, a trust policy with the role as principal would be enough.
    iam.create_role(RoleName=f"own-{scene.name}", AssumeRolePolicyDocument=trust("x").replace(
        '{"Service": "x"}', f'{{"AWS": "arn:aws:iam::{scene.account}:root"}}'))
    scene.rights["own"] = {key: value for key, value in scene.rights["pipeline"].items()
                           if key.startswith(("codecommit:", "s3:"))}
    scene.allow("own", scene.rights["own"])
    scene.rights["pipeline"] = {key: value for key, value in scene.rights["pipeline"].items()
                                if not key.startswith("codecommit:")}
    scene.allow("pipeline", scene.rights["pipeline"])
    pipeline = scene.declaration([scene.approval()])
    pipeline["stages"][0]["actions"][0]["roleArn"] = scene.role_arn("own")
    scene.pipelines.create_pipeline(pipeline=pipeline)
    run = scene.executions()[0]["pipelineExecutionId"]
    assert scene.ended(run) == "Failed"
    assert "sts:AssumeRole" in scene.error(run, "Source")[1]
    scene.allow("pipeline", scene.rights["pipeline"] | {"sts:AssumeRole": (scene.role_arn("own"), {})})
    again = scene.start()
    scene.decide(again)
    assert scene.ended(again) == "Succeeded"


_REQUESTS: list[Any] = [
    ("GetPipeline", "get_pipeline", {"name": "{}"}), ("GetPipelineState", "get_pipeline_state", {"name": "{}"}),
    ("StartPipelineExecution", "start_pipeline_execution", {"name": "{}"}),
    ("ListPipelineExecutions", "list_pipeline_executions", {"pipelineName": "{}"}),
    ("ListActionExecutions", "list_action_executions", {"pipelineName": "{}"}),
    ("ListRuleExecutions", "list_rule_executions", {"pipelineName": "{}"}),
    ("DeletePipeline", "delete_pipeline", {"name": "{}"}),
]


@pytest.mark.parametrize(("action", "method", "arguments"), _REQUESTS, ids=[each[0] for each in _REQUESTS])
def test_a_request_needs_its_right_for_that_pipeline(scene: Scene, name: str, action: str, method: str,
                                                     arguments: dict[str, str]) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodepipeline.html
    scene.create([scene.approval()])
    arn = scene.arn("codepipeline", scene.name)
    mine = scene.aws.client("codepipeline", a_user_with(scene.aws, name, allow(
        f"codepipeline:{action}", arn)))
    given = {key: value.format(scene.name) for key, value in arguments.items()}
    other = {key: f"{value}-not" for key, value in given.items()}
    code, status, message = error_of(getattr(mine, method), **other)
    assert (code, status) == ("AccessDeniedException", 400)
    assert f"codepipeline:{action} on resource: {arn}-not" in message
    getattr(mine, method)(**given)


def test_reading_one_execution_needs_its_permission(scene: Scene, name: str) -> None:
    run, arn = scene.create([scene.approval()]), scene.arn("codepipeline", scene.name)
    which = {"pipelineName": scene.name, "pipelineExecutionId": run}
    reads = scene.aws.client("codepipeline", a_user_with(scene.aws, name, allow(
        "codepipeline:GetPipelineExecution", arn)))
    assert reads.get_pipeline_execution(**which)["pipelineExecution"]["pipelineExecutionId"] == run
    lists = scene.aws.client("codepipeline", a_user_with(scene.aws, f"{name}-2", allow(
        "codepipeline:ListPipelineExecutions", arn)))
    assert f"codepipeline:GetPipelineExecution on resource: {arn}" in error_of(lists.get_pipeline_execution, **which)[2]


def test_changing_a_stage_needs_the_permission_for_it(scene: Scene, name: str) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodepipeline.html
    run, stage = scene.create([scene.approval()]), scene.arn("codepipeline", f"{scene.name}/Approval")
    which = {"pipelineName": scene.name, "stageName": "Approval"}
    actions = ["codepipeline:RollbackStage", "codepipeline:OverrideStageCondition"]
    may = scene.aws.client("codepipeline", a_user_with(scene.aws, name, allow(actions, stage)))
    may_not = scene.aws.client("codepipeline", a_user_with(scene.aws, f"{name}-2", allow(actions, f"{stage}2")))
    scene.decide(run)
    scene.ended(run)
    rollback, override = {"targetPipelineExecutionId": run}, {"pipelineExecutionId": run, "conditionType": "ON_SUCCESS"}
    assert f"RollbackStage on resource: {stage}" in error_of(may_not.rollback_stage, **which, **rollback)[2]
    assert f"OverrideStageCondition on resource: {stage}" in error_of(
        may_not.override_stage_condition, **which, **override)[2]
    assert error_of(may.override_stage_condition, **which, **override)[0] == "ConditionNotOverridableException"
    may.rollback_stage(**which, **rollback)


def test_who_creates_a_pipeline_must_be_allowed_to_pass_its_role(scene: Scene, name: str) -> None:
    arn = scene.arn("codepipeline", scene.name)
    mine = scene.aws.client("codepipeline", a_user_with(scene.aws, name, allow(
        "codepipeline:CreatePipeline", arn)))
    code, _, message = error_of(mine.create_pipeline, pipeline=scene.declaration([scene.build()]))
    assert code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {scene.role_arn('pipeline')}" in message
