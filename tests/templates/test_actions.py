"""Compares every policy with AWS's published list of actions, resources and condition keys.

parliament contains the list.
"""

import json

import parliament
import pytest

from tests.policies.vocabulary import YOUNGER_ACTIONS, YOUNGER_WILDCARDS
from tests.templates.deployed import ACCOUNT, BOUNDARY, REGION, Deployed
from tests.templates.named import APPROVAL_TOPIC, IN_A_VPC, OTHER_ACCOUNTS, PRINCIPALS
from tests.templates.permissions import documents, is_documented_for_a_vpc

# Findings of parliament that AWS documents otherwise: transforms of AWS belong to the account "aws",
# and AWS's examples compare a boundary with StringEquals.
DOCUMENTED = {
    ("INVALID_ARN", f"arn:aws:cloudformation:{REGION}:aws:transform/*"),
    ("MISMATCHED_TYPE_BUT_USABLE", None),
}


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_every_action_exists_with_its_resources_and_keys(principal):
    stack = Deployed(
        EnvID="dev",
        PermissionsBoundaryArn=BOUNDARY,
        DeployedRoles="Bounded",
        MirrorSecretKmsKeyArn=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd",
        GitLabTokenKmsKeyArn=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/5678efab",
        ApprovalTopicArn=APPROVAL_TOPIC,
        **OTHER_ACCOUNTS,
        **IN_A_VPC,
    )
    for document in documents(stack, principal):
        findings = parliament.analyze_policy_string(json.dumps(document)).findings
        found = {
            (finding.issue, finding.location.get("string")) for finding in findings if not is_documented_for_a_vpc(finding)
        }
        assert found <= DOCUMENTED | {("UNKNOWN_ACTION", action) for action in YOUNGER_ACTIONS | YOUNGER_WILDCARDS}
