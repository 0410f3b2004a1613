"""Every policy held against AWS's published list of actions, resources and condition keys.

The list is the one that parliament ships.
"""

import json

import parliament
import pytest

from deployed import ACCOUNT, BOUNDARY, REGION, Deployed
from named import OTHER_ACCOUNTS, PRINCIPALS
from permissions import documents

# What parliament reports and AWS documents: its own transforms belong to the account "aws",
# and a boundary is compared with StringEquals in every example.
DOCUMENTED = {
    ("INVALID_ARN", f"arn:aws:cloudformation:{REGION}:aws:transform/*"),
    ("MISMATCHED_TYPE_BUT_USABLE", None),
}


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_every_action_exists_and_takes_the_resources_and_keys_it_is_given(principal):
    stack = Deployed(
        EnvID="dev",
        PermissionsBoundaryArn=BOUNDARY,
        MirrorSecretKmsKeyArn=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd",
        MirrorSecretFormerKmsKeyArns=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0987dcba",
        GitLabTokenKmsKeyArn=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/5678efab",
        **OTHER_ACCOUNTS,
    )
    for document in documents(stack, principal):
        findings = parliament.analyze_policy_string(json.dumps(document)).findings
        found = {(finding.issue, finding.location.get("string")) for finding in findings}
        assert found <= DOCUMENTED
