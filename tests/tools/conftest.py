"""The scripts of `make deploy` and its kin without AWS: checks and arguments."""

from pathlib import Path

import pytest

from tests.cli.conftest import FakeAccount, secrets  # noqa: F401 - a fixture
from tools.run import deploy

ROOT = Path(__file__).parents[2]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> FakeAccount:
    fake = FakeAccount()
    monkeypatch.setattr(deploy, "connect", lambda *_: fake)
    return fake


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A directory with a samconfig.toml, which the scripts use as the repository."""
    (tmp_path / "samconfig.toml").write_text((ROOT / "samconfig.toml").read_text())
    monkeypatch.setattr(deploy, "ROOT", tmp_path)
    return tmp_path
