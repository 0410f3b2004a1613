"""The check that `make deploy` runs before the build."""

from unittest.mock import MagicMock

import pytest

from cli.environment import account
from cli.environment.samconfig import Settings
from tools.run import deploy


@pytest.fixture
def sam(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """sam, in an account without stacks and buckets."""
    run = MagicMock(return_value=MagicMock(returncode=0))
    monkeypatch.setattr(deploy.subprocess, "run", run)
    # tests/deployment/test_deploy_failures.py tests this.
    monkeypatch.setattr(deploy, "StackFailures", MagicMock())
    found = account.Account(MagicMock(region_name="eu-central-1"), "111122223333")
    monkeypatch.setattr(found, "stack", lambda name: None)
    monkeypatch.setattr(found, "has_bucket", lambda name: False)
    monkeypatch.setattr(deploy, "connect", lambda profile, region: found)
    return run


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(deploy.sys, "argv", ["deploy.py", "--check", *arguments])
    return deploy.main()


def test_check_ends_before_sam(
    monkeypatch: pytest.MonkeyPatch, sam: MagicMock, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch) == 0
    assert "Stack cfn-gitops-dev, account 111122223333, region eu-central-1" in capsys.readouterr().out
    monkeypatch.setattr(deploy.connect("", ""), "has_bucket", lambda name: True)
    assert run(monkeypatch) == 1
    assert "would make this one fail" in capsys.readouterr().err
    assert not sam.called


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--env", "prod"], "has no environment prod. Did you mean prd?"),
        (
            ["--", "RotationSeriall=2"],
            "RotationSeriall: template.yaml has no such parameter. Did you mean RotationSerial?",
        ),
        (["--", "RotationSerial"], "must be Name=value pairs, not RotationSerial"),
    ],
)
def test_wrong_use_is_rejected_before_any_call(
    arguments: list[str],
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
    sam: MagicMock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(deploy, "connect", MagicMock(side_effect=AssertionError))
    assert run(monkeypatch, *arguments) == 2
    assert problem in capsys.readouterr().err


def test_parameters_of_the_template_are_known() -> None:
    settings = Settings("dev", {"parameter_overrides": ["EnvID=dev"]})
    assert len(deploy.overridden(settings, [f"{name}=a" for name in deploy.declared()])) > 30


def test_misspelled_region_is_rejected_within_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two attempts, also at an address where no program listens."""
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_REGION", "eu-cntral-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    slept = MagicMock()
    monkeypatch.setattr("botocore.endpoint.time.sleep", slept)
    assert run(monkeypatch) == 3
    assert slept.call_count == 1 and "does not answer" in capsys.readouterr().err
