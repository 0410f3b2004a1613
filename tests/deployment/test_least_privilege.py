"""Compares the policies of the roles with the calls of the other tests, which have to run before."""

import pytest

from tests.deployment.conftest import Transcript

FUNCTION, READER = "cfn-gitops", "cfn-gitops-read"

# Actions that AWS's documentation requires and that no test here needs: a handler's reads for drift and
# import, changes that the template never causes, CodePipeline's and CodeBuild's reads of the bucket, and the
# replacement of a change set that was rejected: here no execution follows a rejection.
NOT_NEEDED_HERE = {
    "cfn-gitops-provisioning": {
        "codebuild:BatchGetProjects",
        "codecommit:GetRepositoryTriggers",
        "codecommit:ListRepositories",
        "codecommit:ListTagsForResource",
        "codecommit:PutRepositoryTriggers",
        "codecommit:UpdateRepositoryDescription",
        "codecommit:UpdateRepositoryName",
        "codepipeline:ListTagsForResource",
        "events:DisableRule",
        "events:EnableRule",
        "events:ListTagsForResource",
        "logs:DeleteDataProtectionPolicy",
        "logs:DeleteRetentionPolicy",
        "logs:DescribeIndexPolicies",
        "logs:DescribeResourcePolicies",
        "logs:GetDataProtectionPolicy",
        "logs:ListTagsForResource",
    },
    "codepipeline-cfn": {
        "cloudformation:DeleteChangeSet",
        "cloudformation:DescribeStackResources",
        "cloudformation:GetStackPolicy",
        "cloudformation:GetTemplate",
        "cloudformation:SetStackPolicy",
        "cloudformation:UntagResource",
        "cloudformation:ValidateTemplate",
        "codecommit:CancelUploadArchive",
        "codecommit:GetRepository",
        "s3:GetBucketAcl",
        "s3:GetBucketLocation",
        "s3:GetBucketVersioning",
        "s3:GetObjectVersion",
    },
    "codebuild-cfn": {"s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetObjectVersion"},
    "eventbridge-codepipeline-exec": set(),
}


@pytest.mark.parametrize("role", [FUNCTION, READER, *NOT_NEEDED_HERE])
def test_only_expected_calls_were_denied(transcripts: list[Transcript], role: str) -> None:
    assert any(transcript.used[f"role-dev-{role}"] for transcript in transcripts)
    assert [denial for transcript in transcripts for denial in transcript.denials[f"role-dev-{role}"]] == []
    assert any(transcript.expected_denials for transcript in transcripts)


# tests/policies/test_recorded_calls.py shows it for the roles of both functions.
@pytest.mark.parametrize("role", NOT_NEEDED_HERE)
def test_every_enforced_action_of_the_other_roles_is_used(transcripts: list[Transcript], role: str) -> None:
    granted = set().union(*(transcript.granted[f"role-dev-{role}"] for transcript in transcripts))
    unused = granted.difference(*(transcript.used[f"role-dev-{role}"] for transcript in transcripts))
    assert unused <= NOT_NEEDED_HERE[role]
