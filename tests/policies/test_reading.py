"""The function that only reads changes nothing. And the policy for `cfn-gitops undo`, `freeze` and `thaw`."""

import json
import re
from pathlib import Path

import pytest

from tests.local.policies.evaluation import Caller
from tests.local.policies.statements import as_list
from tests.policies import scene
from tests.policies.collected import ADMINISTRATOR, statements
from tests.policies.rows_people import (
    APPROVALS,
    APPROVE,
    AROUND_AN_APPROVAL,
    FUNCTIONS,
    INVOKE,
    READ_A_PIPELINE,
    READ_FUNCTION,
)
from tests.policies.scene import PIPELINES
from tests.policies.tables import FUNCTION_ROLE, PIPELINE, regional
from tests.policies.vocabulary import changes
from tests.templates.deployed import REGION
from tests.templates.named import MADE_INTERFACES

PAGE = Path(__file__).parents[2] / "docs/how-to/undo-a-deployment.md"
# Actions that AWS's list has as changes.
CHANGES = {"logs:CreateLogStream", "logs:PutLogEvents", "kms:Decrypt", *MADE_INTERFACES.split()}


# claim: function-that-only-reads-changes-nothing
def test_role_has_no_other_action_that_changes_something():
    """Lambda writes its log and attaches it to a VPC, and Secrets Manager decrypts tokens."""
    allowed = {
        action
        for policy in scene.world().policies
        if f"{FUNCTION_ROLE}-read" in policy.principals
        for statement in statements(policy)
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
    }
    assert len(allowed) > 30
    assert {action for action in allowed if action in changes(action.split(":")[0])} == CHANGES


def operator(command, is_controlled):
    """With the statements of the page that remain for one of its commands."""
    (text,) = re.findall("^```json\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    for placeholder, value in (("<Region>", REGION), ("<AccountID>", PIPELINES), ("<EnvID>", "dev")):
        text = text.replace(placeholder, value)
    policy = json.loads(text)
    policy["Statement"] = [each for each in policy["Statement"] if each["Sid"].startswith(("Look", command))]
    levels = ((ADMINISTRATOR,), (ADMINISTRATOR, *scene.world().controls)) if is_controlled else ()
    return Caller(account=PIPELINES, user="operator", identity=(policy,), control_policies=levels)


CHANGE_A_STAGE = """codepipeline:DisableStageTransition codepipeline:EnableStageTransition
    codepipeline:OverrideStageCondition codepipeline:RetryStageExecution codepipeline:RollbackStage"""
RULES = [
    regional("events", f"rule/event-rule-dev-codepipeline-exec-{kind}-shop") for kind in ("cfn", "ecr", "rev")
]
UNDO = {("lambda:InvokeFunction", READ_FUNCTION), ("codepipeline:StartPipelineExecution", PIPELINE)}
FREEZE = {
    ("lambda:InvokeFunction", READ_FUNCTION),
    *((f"events:{call}", rule) for call in ("DisableRule", "EnableRule") for rule in RULES),
    *(
        (f"codepipeline:{call}", f"{PIPELINE}/{stage}")
        for call in ("DisableStageTransition", "EnableStageTransition")
        for stage in ("Deploy", "Approval")
    ),
}


@pytest.mark.parametrize("is_controlled", [False, True])
@pytest.mark.parametrize(("command", "may"), [("Undo", UNDO), ("Freeze", FREEZE)])
def test_policy_of_the_page_allows_a_command_and_nothing_else(command, may, is_controlled):
    others = [
        (APPROVE, APPROVALS[0]),
        (READ_A_PIPELINE, PIPELINE),
        *[(INVOKE, function) for function in FUNCTIONS],
        *AROUND_AN_APPROVAL,
        *[
            (" ".join(sorted(changes(service))), resource)
            for service, resource in (
                ("lambda", READ_FUNCTION),
                ("codepipeline", PIPELINE),
                *(
                    ("events", regional("events", f"rule/event-rule-dev-{name}"))
                    for name in ("codepipeline-exec-cfn-shop", "cfn-gitops-health")
                ),
            )
        ],
        *[(CHANGE_A_STAGE, f"{PIPELINE}/{stage}") for stage in ("Build", "Deploy")],
        *[(action, resource.replace("-dev-", "-prd-")) for action, resource in may],
    ]
    calls = {*may, *((action, resource) for actions, resource in others for action in actions.split())}
    assert {call for call in calls if scene.world().may(operator(command, is_controlled), *call)} == may
