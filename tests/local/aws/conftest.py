"""One local AWS for all tests here, and a custom-resource provider whose properties script its responses."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.codepipeline.tests.pipeline_scene import Scene
from tests.local.aws.testing import TRUST_LAMBDA, Stack, allow, policy, provider_code


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
    """A name that no other test uses: IAM is global, and nothing is deleted between tests."""
    return f"t-{uuid.uuid4().hex[:10]}"


@pytest.fixture(scope="session")
def provider(running: LocalAws) -> str:
    """The ARN of `sample_functions/scripted_provider.py`, which responds to a request as its properties script it."""
    iam = running.client("iam")
    role = iam.create_role(RoleName="provider", AssumeRolePolicyDocument=TRUST_LAMBDA)["Role"]["Arn"]
    iam.put_role_policy(RoleName="provider", PolicyName="log", PolicyDocument=policy(allow("logs:*", "*")))
    return running.client("lambda").create_function(
        FunctionName="provider", Runtime="provided.al2023", Handler="bootstrap", Role=role, Timeout=20,
        Code={"ZipFile": provider_code()})["FunctionArn"]


@pytest.fixture
def stack(aws: LocalAws, name: str) -> Stack:
    return Stack(aws, name)


@pytest.fixture(scope="module")
def shared_scene(request: pytest.FixtureRequest, running: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A module's `SCENE` is its kind."""
    kind = getattr(request.module, "SCENE", Scene)
    made: Scene = kind(running, f"t-{uuid.uuid4().hex[:10]}", tmp_path_factory.mktemp("scene"))
    made.prepare()
    return made


@pytest.fixture
def scene(aws: LocalAws, shared_scene: Scene) -> Iterator[Scene]:
    """The module's scene without a pipeline."""
    with shared_scene.for_one_test():
        yield shared_scene
