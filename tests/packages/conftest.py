"""The packages of the built function, created once for all tests here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.aws import LocalAws
from tools.release import dist

ROOT = Path(__file__).parents[2]
BOOTSTRAP = ROOT / "target/lambda/cfn-gitops/bootstrap"


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `dist`, without the build."""
    assert BOOTSTRAP.exists(), "`make build` comes first"
    directory = tmp_path_factory.mktemp("dist")
    dist.write_package(BOOTSTRAP, directory)
    dist.write_what_goes_with_it(directory)
    return directory


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    with LocalAws() as running:
        yield running
