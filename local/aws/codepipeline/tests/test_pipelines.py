"""Valid pipelines, from their first run to the stack that they deploy.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference.html
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.pipeline_scene import Scene, eventually
from local.aws.testing import a_user_with, allow, error_of


@pytest.fixture
def scene(aws: LocalAws, name: str, tmp_path: Path) -> Scene:
    made = Scene(aws, name, tmp_path)
    made.prepare()
    return made


def test_new_pipeline_deploys_branch_commit_after_approval(scene: Scene) -> None:
    run = scene.create([scene.build()], [scene.approval()], [scene.deploy()])
    scene.decide(run, summary="fine")
    assert scene.ended(run) == "Succeeded"
    assert scene.deployed() == f"{scene.head()} first"
    summary = scene.executions()[0]
    assert summary["trigger"]["triggerType"] == "CreatePipeline"
    assert [(each["actionName"], each["revisionId"], each["revisionSummary"])
            for each in summary["sourceRevisions"]] == [("Source", scene.head(), "A change")]
    assert [each["actionName"] for each in scene.actions(run)] == ["Source", "Build", "Approval", "Deploy"]
    assert scene.action(run, "Deploy")["output"]["outputVariables"] == {"Name": scene.name}
    assert scene.action(run, "Approval")["updatedBy"].endswith(":root")
    stages = scene.pipelines.get_pipeline_state(name=scene.name)["stageStates"]
    assert [each["latestExecution"] for each in stages] == [
        {"pipelineExecutionId": run, "status": "Succeeded"}] * 4


def test_every_right_that_its_roles_have_is_used(scene: Scene) -> None:
    # test_permissions tests the opposite, each of them missing.
    run = scene.create([scene.build()], [scene.deploy()])
    assert scene.ended(run) == "Succeeded"
    used = {decision["action"] for decision in scene.aws.decisions(f"assumed-role/pipeline-{scene.name}/")}
    assert used == {
        "s3:GetObject", "s3:PutObject", "codecommit:GetBranch", "codecommit:GetCommit", "codecommit:UploadArchive",
        "codecommit:GetUploadArchiveStatus", "codebuild:StartBuild", "codebuild:BatchGetBuilds", "iam:PassRole",
        "cloudformation:CreateStack", "cloudformation:DescribeStacks", "cloudformation:TagResource"}
    assert not [decision for decision in scene.aws.decisions(scene.name) if not decision["allowed"]]


def test_second_run_updates_stack_and_empty_change_succeeds(scene: Scene) -> None:
    scene.ended(scene.create([scene.build()], [scene.deploy()]))
    scene.push({"parameter.json": json.dumps({"Parameters": {"Word": "second"}})})
    assert scene.ended(scene.start()) == "Succeeded"
    assert scene.deployed() == f"{scene.head()} second"
    again = scene.start()
    assert scene.ended(again) == "Succeeded"
    result = scene.action(again, "Deploy")["output"]["executionResult"]
    assert result["externalExecutionSummary"] == "No updates are to be performed."


def test_change_set_is_replaced_approved_and_executed(scene: Scene) -> None:
    names = {"ChangeSetName": "changes"}
    stage = [scene.deploy("CHANGE_SET_REPLACE", name="Replace", **names), {**scene.approval(), "runOrder": 2},
             scene.deploy("CHANGE_SET_EXECUTE", name="Execute", order=3, **names)]
    run = scene.create([scene.build()], stage)
    scene.approval_state(run)
    cloudformation = scene.aws.client("cloudformation")
    assert cloudformation.describe_stacks(StackName=scene.stack_name)["Stacks"][0]["StackStatus"] == (
        "REVIEW_IN_PROGRESS")
    # A second push during approval waits before the stage, and changes nothing in it.
    first = scene.head()
    scene.push(message="Second")
    second = scene.start()
    eventually(lambda: [each["actionName"] for each in scene.actions(second)],
               lambda names: names == ["Source", "Build"])
    scene.decide(run)
    assert scene.ended(run) == "Succeeded"
    assert scene.deployed() == f"{first} first"
    scene.decide(second)
    assert scene.ended(second) == "Succeeded"
    assert scene.deployed() == f"{scene.head()} first"


def test_an_empty_change_set_is_a_failure_only_if_that_is_set(scene: Scene) -> None:
    names = {"ChangeSetName": "changes"}
    scene.ended(scene.create([scene.build()], [
        scene.deploy("CHANGE_SET_REPLACE", name="Replace", **names),
        scene.deploy("CHANGE_SET_EXECUTE", name="Execute", order=2, **names)]))
    again = scene.start()
    assert scene.ended(again) == "Succeeded"
    assert "didn't contain changes" in scene.action(
        again, "Replace")["output"]["executionResult"]["externalExecutionSummary"]
    scene.aws.set(empty_change_set_fails=1)
    again = scene.start()
    assert scene.ended(again) == "Failed"
    assert "didn't contain changes" in scene.error(again, "Replace")[1]


def test_pipeline_variables_have_start_value_or_default(scene: Scene) -> None:
    pipeline = scene.declaration([scene.approval(CustomData="#{variables.WORD}")])
    pipeline["variables"] = [{"name": "WORD", "defaultValue": "default"}]
    scene.pipelines.create_pipeline(pipeline=pipeline)
    for run, word in ((scene.executions()[0]["pipelineExecutionId"], "default"),
                      (scene.start(variables=[{"name": "WORD", "value": "given"}]), "given")):
        scene.decide(run)
        scene.ended(run)
        assert scene.action(run, "Approval")["input"]["resolvedConfiguration"]["CustomData"] == word
        assert scene.pipelines.get_pipeline_execution(pipelineName=scene.name, pipelineExecutionId=run)[
            "pipelineExecution"]["variables"] == [{"name": "WORD", "resolvedValue": word}]


def test_failed_stack_is_replaced_only_by_replace_on_failure(scene: Scene) -> None:
    broken = json.dumps({"Resources": {"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {
        "Name": "aws-not-allowed/", "Type": "Nonsense", "Value": "x"}}}})
    good = (scene.work / "template.json").read_text()
    scene.push({"template.json": broken, "parameter.json": "{}"})
    first = scene.create([scene.build()], [scene.deploy()])
    assert scene.ended(first) == "Failed"
    scene.push({"template.json": good})
    assert scene.ended(scene.start()) == "Failed"
    scene.pipelines.update_pipeline(pipeline=scene.declaration([scene.build()], [scene.deploy("REPLACE_ON_FAILURE")]))
    assert scene.ended(scene.start()) == "Succeeded"
    assert scene.deployed() == f"{scene.head()} none"


def test_delete_only_deletes_and_missing_stack_succeeds(scene: Scene) -> None:
    scene.ended(scene.create([scene.build()], [scene.deploy()]))
    scene.pipelines.update_pipeline(pipeline=scene.declaration([scene.deploy("DELETE_ONLY")]))
    assert scene.ended(scene.start()) == "Succeeded"
    assert scene.stacks() == []
    assert scene.ended(scene.start()) == "Succeeded"


def test_overrides_beat_configuration_and_take_variables(scene: Scene) -> None:
    scene.push({"more.json": json.dumps({"word": "from-a-file"})})
    deploy = scene.deploy(artifact="SourceArtifact", ParameterOverrides=json.dumps(
        {"Word": "#{SourceVariables.CommitId}#{codepipeline.PipelineExecutionId}"}))
    run = scene.create([deploy])
    assert scene.ended(run) == "Succeeded"
    assert scene.deployed() == f"COMMIT {scene.head()}{run}"
    assert scene.head() in scene.action(run, "Deploy")["input"]["resolvedConfiguration"]["ParameterOverrides"]
    deploy["configuration"]["ParameterOverrides"] = json.dumps(
        {"Word": {"Fn::GetParam": ["SourceArtifact", "more.json", "word"]}})
    scene.pipelines.update_pipeline(pipeline=scene.declaration([deploy]))
    assert scene.ended(scene.start()) == "Succeeded"
    assert scene.deployed() == "COMMIT from-a-file"


def test_the_configuration_files_tags_and_policy_are_the_stacks(scene: Scene) -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-cfn-artifacts.html
    policy = {"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}
    scene.push({"parameter.json": json.dumps({"Tags": {"word": "tagged"}, "StackPolicy": policy})})
    assert scene.ended(scene.create([scene.deploy(artifact="SourceArtifact")])) == "Succeeded"
    cloudformation = scene.aws.client("cloudformation")
    stack = cloudformation.describe_stacks(StackName=scene.stack_name)["Stacks"][0]
    assert stack["Tags"] == [{"Key": "word", "Value": "tagged"}]
    assert json.loads(cloudformation.get_stack_policy(StackName=scene.stack_name)["StackPolicyBody"]) == policy
    assert stack["RoleARN"] == scene.role_arn("deploy")


def test_a_stacks_outputs_are_a_file_of_the_output_artifact(scene: Scene) -> None:
    deploy = {**scene.deploy(artifact="SourceArtifact", OutputFileName="outputs.json"),
              "outputArtifacts": [{"name": "Outputs"}]}
    run = scene.create([deploy])
    assert scene.ended(run) == "Succeeded"
    where = scene.action(run, "Deploy")["output"]["outputArtifacts"][0]["s3location"]
    assert json.loads(scene.artifact(where)["outputs.json"]) == {"Name": scene.name}


def test_artifact_is_commit_tree_below_pipeline_and_name(scene: Scene) -> None:
    scene.push({"deep/er/file.txt": "x"})
    run = scene.create([scene.build()])
    assert scene.ended(run) == "Succeeded"
    where = scene.action(run, "Source")["output"]["outputArtifacts"][0]["s3location"]
    assert where["key"].rsplit("/", 1)[0] == f"{scene.name[:20]}/SourceArti"
    assert set(scene.artifact(where)) == {"buildspec.yml", "template.json", "parameter.json", "deep/er/file.txt"}


def test_start_revision_runs_although_branch_has_moved(scene: Scene) -> None:
    pinned = scene.head()
    scene.push(message="Newer")
    scene.ended(scene.create([scene.build()], [scene.deploy()]))
    run = scene.start(sourceRevisions=[
        {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": pinned}])
    assert scene.ended(run) == "Succeeded"
    assert scene.deployed() == f"{pinned} first"
    assert scene.executions()[0]["sourceRevisions"][0]["revisionId"] == pinned


def test_the_same_request_token_is_one_execution(scene: Scene) -> None:
    scene.ended(scene.create([scene.build()]))
    token = str(uuid.uuid4())
    assert scene.start(clientRequestToken=token) == scene.start(clientRequestToken=token)
    assert len(scene.executions()) == 2


def test_a_rejected_approval_deploys_nothing(scene: Scene) -> None:
    run = scene.create([scene.build()], [scene.approval()], [scene.deploy()])
    scene.decide(run, "Rejected", "not today")
    assert scene.ended(run) == "Failed"
    assert "not today" in scene.error(run, "Approval")[1]
    assert scene.stacks() == []
    assert [each["actionName"] for each in scene.actions(run)] == ["Source", "Build", "Approval"]


def test_waiting_approval_is_published_to_the_topic(scene: Scene) -> None:
    topic = scene.aws.client("sns").create_topic(Name=scene.name)["TopicArn"]
    sqs = scene.aws.client("sqs")
    queue = sqs.create_queue(QueueName=scene.name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage",
                                                "Resource": scene.arn("sqs", scene.name)}]})})
    scene.aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=scene.arn("sqs", scene.name),
                                      Attributes={"RawMessageDelivery": "true"})
    scene.allow("pipeline", scene.rights["pipeline"] | {"sns:Publish": (topic, {})})
    run = scene.create([scene.approval(NotificationArn=topic, CustomData="look at #{SourceVariables.CommitId}",
                                       ExternalEntityLink="https://example.com/-/commit/#{SourceVariables.CommitId}")])
    received = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), bool)
    about = json.loads(received[0]["Body"])["approval"]
    assert about["customData"] == f"look at {scene.head()}"
    assert (about["pipelineName"], about["stageName"], about["externalEntityLink"]) == (
        scene.name, "Approval", f"https://example.com/-/commit/{scene.head()}")
    assert about["approvalReviewLink"].endswith(f"/Approval/Approval/approve/{about['token']}")
    assert about["token"] == scene.approval_state(run)["token"]
    scene.decide(run)
    assert scene.ended(run) == "Succeeded"


def test_approval_needs_permission_and_single_use_token(scene: Scene) -> None:
    run = scene.create([scene.build()], [scene.approval()])
    token = scene.approval_state(run)["token"]
    arn = scene.arn("codepipeline", f"{scene.name}/Approval/Approval")
    answer = {"pipelineName": scene.name, "stageName": "Approval", "actionName": "Approval", "token": token,
              "result": {"status": "Approved", "summary": ""}}
    outsider = scene.aws.client("codepipeline", a_user_with(scene.aws, f"s-{scene.name}", allow(
        "codepipeline:PutApprovalResult", f"{arn}-not")))
    code, status, message = error_of(outsider.put_approval_result, **answer)
    assert (code, status) == ("AccessDeniedException", 400)
    assert f"codepipeline:PutApprovalResult on resource: {arn}" in message
    approver = scene.aws.client("codepipeline", a_user_with(scene.aws, f"a-{scene.name}", allow(
        "codepipeline:PutApprovalResult", arn)))
    wrong = {**answer, "token": str(uuid.uuid4())}
    assert error_of(approver.put_approval_result, **wrong)[0] == "InvalidApprovalTokenException"
    approver.put_approval_result(**answer)
    assert error_of(approver.put_approval_result, **answer)[0] == "ApprovalAlreadyCompletedException"
    for key, error in (("stageName", "StageNotFoundException"), ("pipelineName", "PipelineNotFoundException")):
        assert error_of(scene.pipelines.put_approval_result, **{**answer, key: "none"})[0] == error
    assert error_of(scene.pipelines.put_approval_result,
                   **{**answer, "actionName": "none"})[0] == "ActionNotFoundException"
    assert scene.ended(run) == "Succeeded"
    assert scene.action(run, "Approval")["updatedBy"].endswith(f":user/a-{scene.name}")


def test_failed_stage_is_retried_with_former_artifacts(scene: Scene) -> None:
    scene.without("pipeline", "cloudformation:CreateStack")
    run = scene.create([scene.build()], [scene.deploy()])
    assert scene.ended(run) == "Failed"
    again = {"pipelineName": scene.name, "pipelineExecutionId": run, "retryMode": "FAILED_ACTIONS"}
    assert error_of(scene.pipelines.retry_stage_execution, **again, stageName="Build")[0] == (
        "StageNotRetryableException")
    scene.allow("pipeline", scene.rights["pipeline"])
    scene.pipelines.retry_stage_execution(**again, stageName="Deploy")
    assert scene.ended(run) == "Succeeded"
    assert [each["actionName"] for each in scene.actions(run)] == ["Source", "Build", "Deploy", "Deploy"]
    assert scene.deployed() == f"{scene.head()} first"
