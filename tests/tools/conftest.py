"""The scripts of `make deploy` and `make undeploy` without AWS: prompts, checks and arguments."""

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

ROOT = Path(__file__).parents[2]
import sam_settings
import terminal


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret of one test does not mask the output of the next one."""
    monkeypatch.setattr(terminal, "_SECRETS", [])


class FakeAccount(sam_settings.Account):
    """An account with given stacks and buckets."""

    def __init__(self) -> None:
        super().__init__(MagicMock(region_name="eu-central-1"), "111122223333")
        self.known: dict[str, dict[str, Any]] = {}
        self.buckets: set[str] = set()

    def has_bucket(self, name: str) -> bool:
        return name in self.buckets

    def stack(self, name: str) -> dict[str, Any] | None:
        return self.known.get(name)

    def stacks(self) -> list[dict[str, Any]]:
        return list(self.known.values())

    def repositories(self, stack: dict[str, Any]) -> list[str]:
        return stack.get("Repositories", [])


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> FakeAccount:
    fake = FakeAccount()
    monkeypatch.setattr(sam_settings, "account", lambda: fake)
    return fake


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A directory with a samconfig.toml, which the scripts use as the repository."""
    (tmp_path / "samconfig.toml").write_text((ROOT / "samconfig.toml").read_text())
    monkeypatch.setattr(sam_settings, "ROOT", tmp_path)
    return tmp_path
