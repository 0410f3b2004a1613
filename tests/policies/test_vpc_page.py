"""The table "What the function must reach" of docs/how-to/vpc.md: each service that the roles of both
functions may call."""

import re
from pathlib import Path

from tests.local.policies.statements import as_list
from tests.policies import scene
from tests.policies.tables import FUNCTION_ROLE

PAGE = Path(__file__).parents[2] / "docs/how-to/vpc.md"
# Calls that leave from elsewhere than the VPC.
OF_OTHERS = {
    "ec2": "Lambda connects the function to the VPC",
    "kms": "Secrets Manager calls KMS",
    "logs:CreateLogStream": "Lambda writes the log",
    "logs:PutLogEvents": "Lambda writes the log",
}
# Endpoints without an action of their own: git's check of a login needs the mirror's user.
WITHOUT_ACTION = {"git-codecommit"}


def called_services():
    for policy in scene.world().policies:
        if policy.side == "identity" and {FUNCTION_ROLE, f"{FUNCTION_ROLE}-read"} & {*policy.principals}:
            for statement in as_list(policy.document["Statement"]):
                for action in as_list(statement["Action"]) if statement["Effect"] == "Allow" else []:
                    if not {action, action.split(":")[0]} & OF_OTHERS.keys():
                        yield action.split(":")[0]


def test_table_has_an_endpoint_for_each_called_service():
    endpoints = re.findall(r"`com\.amazonaws\.(?:eu-central-1\.)?([a-z0-9-]+)`", PAGE.read_text())
    assert {*endpoints} - WITHOUT_ACTION == {*called_services()}
