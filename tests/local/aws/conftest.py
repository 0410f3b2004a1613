"""One local AWS for all tests here."""

import uuid
from collections.abc import Iterator

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import Stack


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


@pytest.fixture
def stack(aws: LocalAws, name: str) -> Stack:
    return Stack(aws, name)
