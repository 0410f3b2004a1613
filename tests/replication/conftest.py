import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.aws import LocalAws
from tests.replication.aws_cli import AwsCli
from tests.replication.scene import Scene


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as running:
        yield running


@pytest.fixture(scope="session")
def cli() -> Iterator[AwsCli]:
    with AwsCli() as running:
        yield running


@pytest.fixture
def scene(aws: LocalAws, cli: AwsCli, tmp_path: Path) -> Scene:
    return Scene(aws, cli, f"t-{uuid.uuid4().hex[:10]}", tmp_path)
