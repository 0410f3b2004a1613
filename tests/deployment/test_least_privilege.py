"""Compares the policies of the roles with the calls of the other tests, which have to run before."""

from __future__ import annotations

import pytest

from local.aws import LocalAws
from tests.deployment import steps
from tests.deployment.conftest import Transcript
from tests.deployment.steps import Environment

ROLES = ["cfn-gitops", "cfn-gitops-provisioning", "codepipeline-cfn", "codebuild-cfn", "eventbridge-codepipeline-exec"]

# Actions that AWS's documentation requires and that no test here needs: a handler's reads for drift and import,
# changes that the template never causes, and CodePipeline's and CodeBuild's reads of the bucket.
NOT_NEEDED_HERE = {
    "cfn-gitops-provisioning": {
        "codebuild:BatchGetProjects", "codecommit:GetRepositoryTriggers", "codecommit:ListRepositories",
        "codecommit:ListTagsForResource", "codecommit:PutRepositoryTriggers", "codecommit:UpdateRepositoryDescription",
        "codecommit:UpdateRepositoryName",
        "codepipeline:ListTagsForResource", "events:DisableRule", "events:EnableRule", "events:ListTagsForResource",
        "logs:DeleteDataProtectionPolicy", "logs:DeleteRetentionPolicy", "logs:DescribeIndexPolicies",
        "logs:DescribeResourcePolicies", "logs:GetDataProtectionPolicy", "logs:ListTagsForResource"},
    "codepipeline-cfn": {
        "cloudformation:DescribeStackResources", "cloudformation:GetStackPolicy", "cloudformation:GetTemplate",
        "cloudformation:SetStackPolicy", "cloudformation:UntagResource", "cloudformation:ValidateTemplate",
        "codecommit:CancelUploadArchive", "codecommit:GetRepository",
        "s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:GetObjectVersion"},
    "codebuild-cfn": {"s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetObjectVersion"},
    "eventbridge-codepipeline-exec": set(),
}


def test_every_action_of_the_policy_is_used(aws: LocalAws, environment: Environment, transcript: Transcript) -> None:
    # Including logs:*, which the platform uses with the role whenever the function runs.
    used = {decision["action"] for decision in steps.decisions_of(aws, environment.function_role)
            if decision["allowed"]}
    granted = transcript.granted | steps.granted_actions(aws, environment.function_role)
    # Only the rollback of a replacement that CloudFormation has no record of removes tags from a user. The other two
    # follow a lost event: tests/health_check and tests/faults lose events, and so does `make run`.
    assert granted - used <= {"iam:UntagUser", "codebuild:StartBuild", "events:DescribeRule"}
    print(f"{len(granted)} actions granted, all but {len(granted - used)} used")


@pytest.mark.parametrize("role", ROLES)
def test_only_expected_calls_were_denied(aws: LocalAws, environment: Environment,
                                                            transcript: Transcript, role: str) -> None:
    decisions = steps.decisions_of(aws, f"role-{environment.env_id}-{role}")
    assert any(decision["allowed"] for decision in decisions)
    assert [decision for decision in decisions if not decision["allowed"] and not decision.get("late")
            and decision not in transcript.expected_denials] == []
    assert transcript.expected_denials


@pytest.mark.parametrize("role", NOT_NEEDED_HERE)
def test_every_enforced_action_of_the_other_roles_is_used(aws: LocalAws, environment: Environment, role: str) -> None:
    name = f"role-{environment.env_id}-{role}"
    used = {decision["action"] for decision in steps.decisions_of(aws, name) if decision["allowed"]}
    assert steps.granted_actions(aws, name) - used <= NOT_NEEDED_HERE[role]
