"""Transitions, rollbacks and starts with a commit, in a pipeline of a source and two stages that need no
other service.

https://docs.aws.amazon.com/codepipeline/latest/userguide/transitions.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-overrides.html
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import a_user_with, allow, error_of, policy
from tests.play.pipelines import accepted, developer_login
from tests.play.steps import Working
from tests.play.waiting import eventually

ACCOUNT = "123456789012"


class Held:
    """Source, Copy (which deploys the source into a bucket), Gate (which may need an approval)."""

    def __init__(
        self, aws: LocalAws, name: str, directory: Path, mode: str = "QUEUED", gate: str = "Manual"
    ) -> None:
        self.name, self.client = name, aws.client("codepipeline")
        iam = aws.client("iam")
        iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=policy(
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "codepipeline.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ),
        )
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(allow("*", "*")))
        aws.client("s3").create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region}
        )
        made = aws.client("codecommit").create_repository(repositoryName=name)["repositoryMetadata"]
        self._working, self._url = Working(directory / name, branch="main"), made["cloneUrlHttp"]
        self._login = developer_login(aws, "dev", f"developer-{name}", name)
        aws.set(credential_accepted_after_seconds=0)
        self.first = self.commit()
        self.declaration = {
            "name": name,
            "roleArn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
            "pipelineType": "V2",
            "executionMode": mode,
            "artifactStore": {"type": "S3", "location": name},
            "stages": [
                self.stage(
                    "Source",
                    "Source",
                    "CodeCommit",
                    {"RepositoryName": name, "BranchName": "main"},
                    output="Code",
                ),
                self.stage("Copy", *self.provider("S3")),
                self.stage("Gate", *self.provider(gate)),
            ],
        }
        self.client.create_pipeline(pipeline=self.declaration)
        [created] = self.executions()
        self.created: str = created["pipelineExecutionId"]

    def provider(self, provider: str) -> tuple[str, str, dict[str, str]]:
        if provider == "Manual":
            return "Approval", provider, {}
        return "Deploy", provider, {"BucketName": self.name, "Extract": "true"}

    @staticmethod
    def stage(
        name: str, category: str, provider: str, configuration: dict[str, str], output: str = ""
    ) -> dict[str, Any]:
        action = {
            "name": name,
            "configuration": configuration,
            "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        }
        if output:
            action["outputArtifacts"] = [{"name": output}]
        elif category == "Deploy":
            action["inputArtifacts"] = [{"name": "Code"}]
        return {"name": name, "actions": [action]}

    def commit(self) -> str:
        return accepted(self._working.push(self._login, self._url)).commit

    def executions(self) -> list[dict[str, Any]]:
        """Newest first."""
        return list(
            self.client.list_pipeline_executions(pipelineName=self.name)["pipelineExecutionSummaries"]
        )

    def start(self, commit: str = "", **more: Any) -> str:
        overrides = (
            {
                "sourceRevisions": [
                    {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": commit}
                ]
            }
            if commit
            else {}
        )
        return str(
            self.client.start_pipeline_execution(name=self.name, **overrides, **more)["pipelineExecutionId"]
        )

    def shown(self, stage: str) -> dict[str, Any]:
        stages = self.client.get_pipeline_state(name=self.name)["stageStates"]
        return dict(next(each for each in stages if each["stageName"] == stage))

    def inbound(self, stage: str) -> list[str]:
        return [each["pipelineExecutionId"] for each in self.shown(stage).get("inboundExecutions", [])]

    def waits_before(self, stage: str, *executions: str) -> None:
        eventually(lambda: self.inbound(stage) == list(executions), f"{len(executions)} wait before {stage}")

    def is_in(self, stage: str, execution: str) -> None:
        eventually(
            lambda: self.shown(stage).get("latestExecution", {}).get("pipelineExecutionId") == execution,
            f"it is in {stage}",
        )

    def ends(self, execution: str, status: str) -> None:
        eventually(
            lambda: (
                self.client.get_pipeline_execution(pipelineName=self.name, pipelineExecutionId=execution)[
                    "pipelineExecution"
                ]["status"]
                == status
            ),
            f"it is {status}",
        )

    def revision(self, execution: str) -> str:
        def look() -> str:
            [found] = [each for each in self.executions() if each["pipelineExecutionId"] == execution]
            return str(next((each["revisionId"] for each in found.get("sourceRevisions", [])), ""))

        return str(eventually(look, "it has read its source"))

    def transition(self, stage: str, enabled: bool, client: Any = None, **more: Any) -> None:
        call, reason = (
            ("enable_stage_transition", {})
            if enabled
            else ("disable_stage_transition", {"reason": "sale (until Monday)"})
        )
        given = {"pipelineName": self.name, "stageName": stage, "transitionType": "Inbound", **reason, **more}
        getattr(client or self.client, call)(**given)


Make = Callable[..., Held]


@pytest.fixture
def make(aws: LocalAws, name: str, tmp_path: Path) -> Make:
    return lambda **options: Held(aws, name, tmp_path, **options)


def test_disabled_transition_is_shown_and_holds_what_follows(make: Make, name: str) -> None:
    held = make()
    held.is_in("Gate", held.created)
    assert held.shown("Gate")["inboundTransitionState"] == {"enabled": True}
    held.transition("Gate", False)
    changed = held.shown("Gate")["inboundTransitionState"]
    assert changed.pop("lastChangedBy").startswith("arn:aws:") and changed.pop("lastChangedAt")
    assert changed == {"enabled": False, "disabledReason": "sale (until Monday)"}
    second, third = held.start(), held.start()
    held.waits_before("Gate", second, third)
    # The one that is in the stage goes on.
    waiting = held.shown("Gate")["actionStates"][0]["latestExecution"]["token"]
    held.client.put_approval_result(
        pipelineName=name,
        stageName="Gate",
        actionName="Gate",
        token=waiting,
        result={"status": "Approved", "summary": ""},
    )
    held.ends(held.created, "Succeeded")
    held.waits_before("Gate", second, third)
    held.transition("Gate", True)
    held.is_in("Gate", second)
    held.waits_before("Gate", third)
    changed = held.shown("Gate")["inboundTransitionState"]
    assert changed["enabled"] and changed["lastChangedBy"] and "disabledReason" not in changed


def test_superseded_mode_keeps_the_latest_of_a_transition(make: Make, name: str) -> None:
    held = make(mode="SUPERSEDED", gate="S3")
    held.ends(held.created, "Succeeded")
    held.transition("Gate", False)
    second = held.start()
    held.waits_before("Gate", second)
    third = held.start()
    held.waits_before("Gate", third)
    held.ends(second, "Superseded")
    held.transition("Gate", True)
    held.ends(third, "Succeeded")


def test_stopped_execution_does_not_wait_for_its_transition(make: Make, name: str) -> None:
    held = make()
    held.transition("Copy", False)
    second = held.start()
    eventually(lambda: second in held.inbound("Copy"), "it waits before Copy")
    held.client.stop_pipeline_execution(
        pipelineName=name, pipelineExecutionId=second, abandon=True, reason="no"
    )
    held.ends(second, "Stopped")
    assert second not in held.inbound("Copy")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"stageName": "Nowhere"}, "StageNotFoundException"),
        ({"pipelineName": "nothing"}, "PipelineNotFoundException"),
        ({"reason": "Müller"}, "ValidationException"),
        ({"reason": "x" * 301}, "ValidationException"),
        ({"transitionType": "Outbound"}, "ValidationException"),
    ],
    ids=str,
)
def test_wrong_transition_is_rejected(make: Make, name: str, given: dict[str, str], code: str) -> None:
    held = make()
    call = {"pipelineName": name, "stageName": "Gate", "transitionType": "Inbound", "reason": "sale", **given}
    assert error_of(held.client.disable_stage_transition, **call)[:2] == (code, 400)


# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodepipeline.html
def test_transition_and_rollback_need_rights_on_the_stage(aws: LocalAws, make: Make, name: str) -> None:
    held, arn = make(gate="S3"), f"arn:aws:codepipeline:{aws.region}:{ACCOUNT}:{name}"
    held.ends(held.created, "Succeeded")
    actions = [
        f"codepipeline:{each}"
        for each in ("DisableStageTransition", "EnableStageTransition", "RollbackStage")
    ]
    of_stage = aws.client("codepipeline", a_user_with(aws, f"stage-{name}", allow(actions, f"{arn}/Gate")))
    of_pipeline = aws.client("codepipeline", a_user_with(aws, f"pipeline-{name}", allow(actions, arn)))
    given = {"pipelineName": name, "stageName": "Gate", "transitionType": "Inbound"}
    of_stage.disable_stage_transition(**given, reason="sale")
    of_stage.enable_stage_transition(**given)
    target = {"pipelineName": name, "stageName": "Gate", "targetPipelineExecutionId": held.created}
    assert of_stage.rollback_stage(**target)["pipelineExecutionId"]
    for call in (
        lambda: of_pipeline.disable_stage_transition(**given, reason="sale"),
        lambda: of_pipeline.enable_stage_transition(**given),
        lambda: of_pipeline.rollback_stage(**target),
        lambda: of_stage.disable_stage_transition(**given | {"stageName": "Copy"}, reason="x"),
    ):
        assert error_of(call)[0] == "AccessDeniedException"


def test_rollback_runs_the_stage_of_an_earlier_execution(make: Make, name: str) -> None:
    held = make(gate="S3")
    held.ends(held.created, "Succeeded")
    held.commit()
    second = held.start()
    held.ends(second, "Succeeded")
    rollback = held.client.rollback_stage(
        pipelineName=name, stageName="Copy", targetPipelineExecutionId=held.created
    )["pipelineExecutionId"]
    held.ends(rollback, "Succeeded")
    [shown] = [each for each in held.executions() if each["pipelineExecutionId"] == rollback]
    assert shown["executionType"] == "ROLLBACK" and shown["trigger"]["triggerType"] == "ManualRollback"
    assert (
        shown["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": held.created}
        and held.revision(rollback) == held.first
    )
    ran = held.client.list_action_executions(pipelineName=name, filter={"pipelineExecutionId": rollback})[
        "actionExecutionDetails"
    ]
    assert [each["actionName"] for each in ran] == ["Copy"]
    again = error_of(
        held.client.rollback_stage, pipelineName=name, stageName="Copy", targetPipelineExecutionId=rollback
    )
    assert again[0] == "UnableToRollbackStageException"


@pytest.mark.parametrize(
    ("stage", "text"),
    [
        ("Source", "a source stage cannot be rolled back"),
        ("Gate", "AWS does not document a rollback of a stage with an approval"),
    ],
)
def test_stage_without_a_rollback_is_rejected(make: Make, name: str, stage: str, text: str) -> None:
    held = make()
    found = error_of(
        held.client.rollback_stage, pipelineName=name, stageName=stage, targetPipelineExecutionId=held.created
    )
    assert found[0] == "UnableToRollbackStageException" and text in found[2]


def test_rollback_needs_a_success_in_the_current_version(make: Make, name: str) -> None:
    held = make()
    held.is_in("Gate", held.created)
    held.transition("Copy", False)
    second = held.start()
    target = {"pipelineName": name, "stageName": "Copy"}
    assert (
        error_of(held.client.rollback_stage, **target, targetPipelineExecutionId=second)[0]
        == "UnableToRollbackStageException"
    )
    held.client.update_pipeline(pipeline=held.declaration)
    assert (
        error_of(held.client.rollback_stage, **target, targetPipelineExecutionId=held.created)[0]
        == "PipelineExecutionOutdatedException"
    )
    unknown = "00000000-0000-4000-8000-000000000000"
    assert (
        error_of(held.client.rollback_stage, **target, targetPipelineExecutionId=unknown)[0]
        == "PipelineExecutionNotFoundException"
    )


@pytest.mark.parametrize("mode", ["QUEUED", "SUPERSEDED"])
def test_start_with_a_commit_reads_it(make: Make, name: str, mode: str) -> None:
    held = make(mode=mode, gate="S3")
    held.ends(held.created, "Succeeded")
    held.commit()
    assert held.revision(held.start(held.first)) == held.first


def test_start_rejects_other_overrides_and_repeats_no_token(make: Make, name: str) -> None:
    held = make(gate="S3")
    of_code = {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": held.first}
    for wrong in (
        [of_code | {"actionName": "Image"}],
        [of_code | {"revisionType": "IMAGE_DIGEST"}],
        [of_code | {"revisionType": "S3_OBJECT_KEY"}],
        [of_code, of_code],
    ):
        assert (
            error_of(held.client.start_pipeline_execution, name=name, sourceRevisions=wrong)[0]
            == "ValidationException"
        )
    assert held.start(held.first, clientRequestToken="one") == held.start(
        held.first, clientRequestToken="one"
    )
    held.ends(held.start("0" * 40), "Failed")
