"""The packages of the built function, created once for all tests here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BOOTSTRAP = ROOT / "target/lambda/cfn-gitops/bootstrap"
sys.path.insert(0, str(ROOT / "tools"))

import dist  # noqa: E402


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `dist`, without the build."""
    assert BOOTSTRAP.exists(), "`make build` comes first"
    directory = tmp_path_factory.mktemp("dist")
    dist.write_package(BOOTSTRAP, directory)
    dist.write_what_goes_with_it(directory)
    return directory
