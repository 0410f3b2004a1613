"""The local AWS in China: principals and policies are those of its partition.

`tests/deployment/test_partition.py` deploys an environment there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.ec2.tests.test_instance_metadata import CREDENTIALS, a_profile, a_token, ask
from tests.local.aws.testing import TRUST_LAMBDA, a_user_with, allow, error_of


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws(region="cn-north-1") as running:
        yield running


@pytest.mark.parametrize(("partition", "error"), [("aws-cn", "RepositoryDoesNotExistException"), ("aws", "AccessDeniedException")])
def test_policy_of_another_partition_allows_nothing(aws: LocalAws, partition: str, error: str) -> None:
    key = a_user_with(aws, f"reader-{partition}", allow(
        "codecommit:GetRepository", f"arn:{partition}:codecommit:cn-north-1:123456789012:absent"))
    assert error_of(aws.client("codecommit", key).get_repository, repositoryName="absent")[0] == error


@pytest.mark.parametrize(("service", "code"), [
    ("ec2.amazonaws.com.cn", "Success"), ("ec2.amazonaws.com", "AssumeRoleUnauthorizedAccess")])
def test_ec2_is_another_principal_in_china(aws: LocalAws, service: str, code: str) -> None:
    url = aws.instance_metadata(a_profile(aws, service, TRUST_LAMBDA.replace("lambda.amazonaws.com", service)))
    _, credentials = ask(url + CREDENTIALS + service, X_aws_ec2_metadata_token=a_token(url))
    assert json.loads(credentials)["Code"] == code
