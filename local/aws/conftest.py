"""One local AWS for all tests here, and a provider of custom resources that does as its properties say."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from local.aws import LocalAws
from local.aws.testing import TRUST_LAMBDA, Stack, allow, policy, provider_code


@pytest.fixture(scope="session")
def running() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        yield aws


@pytest.fixture
def aws(running: LocalAws) -> Iterator[LocalAws]:
    running.forget()
    yield running
    running.reset()


@pytest.fixture
def name() -> str:
    """A name that no other test uses: users are global, and nothing is cleaned between tests."""
    return f"t-{uuid.uuid4().hex[:10]}"


@pytest.fixture(scope="session")
def provider(running: LocalAws) -> str:
    """The ARN of a function that answers custom-resource requests as their properties say."""
    iam = running.client("iam")
    role = iam.create_role(RoleName="provider", AssumeRolePolicyDocument=TRUST_LAMBDA)["Role"]["Arn"]
    iam.put_role_policy(RoleName="provider", PolicyName="log", PolicyDocument=policy(allow("logs:*", "*")))
    return running.client("lambda").create_function(
        FunctionName="provider", Runtime="provided.al2023", Handler="bootstrap", Role=role, Timeout=20,
        Code={"ZipFile": provider_code()})["FunctionArn"]


@pytest.fixture
def stack(aws: LocalAws, name: str) -> Stack:
    return Stack(aws, name)
