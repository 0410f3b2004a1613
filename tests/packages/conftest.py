"""The packages of the built function, created once for all tests here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

ROOT = Path(__file__).parents[2]
BOOTSTRAP = ROOT / "target/lambda/cfn-gitops/bootstrap"
sys.path.insert(0, str(ROOT / "scripts"))

import dist  # noqa: E402


@pytest.fixture(scope="session")
def architecture() -> str:
    assert BOOTSTRAP.exists(), "`make build` comes first"
    with BOOTSTRAP.open("rb") as file:
        return {"EM_X86_64": "x86_64", "EM_AARCH64": "arm64"}[ELFFile(file)["e_machine"]]


@pytest.fixture(scope="session")
def packages(architecture: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `dist`, without the build."""
    directory = tmp_path_factory.mktemp("dist")
    dist.write_package(BOOTSTRAP, architecture, directory)
    dist.write_what_goes_with_it(directory, [dist.TARGETS[architecture]])
    return directory
