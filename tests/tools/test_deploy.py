"""The command that `make deploy` runs."""

import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ProfileNotFound

from tests.cli.conftest import FakeAccount
from tools.run import deploy


def test_template_and_parameters_of_both_sources_are_passed(
    monkeypatch: pytest.MonkeyPatch, repository: Path, account: FakeAccount
) -> None:
    run = MagicMock(return_value=MagicMock(returncode=0))
    monkeypatch.setattr(deploy.subprocess, "run", run)
    # tests/deployment/test_deploy_failures.py tests this.
    monkeypatch.setattr(deploy, "StackFailures", MagicMock())
    monkeypatch.setattr(sys, "argv", ["deploy.py", "--", "RotationSerial=2"])
    path = repository / "samconfig.toml"
    path.write_text(
        path.read_text().replace(
            '    # "ProjectID=infra"', "    '''ResourceTags='{\"a\": \"b\"}'''', 'ProjectID=shop'", 1
        )
    )
    assert deploy.main() == 0
    # Without the template, sam prefers .aws-sam/build/template.yaml of an earlier `sam build`.
    assert [call.args for call in run.call_args_list] == [
        (
            [
                "sam",
                "deploy",
                "--config-env",
                "dev",
                "--template-file",
                "template.yaml",
                "--parameter-overrides",
                'EnvID="dev"',
                'ResourceTags=\'{"a": "b"}\'',
                'ProjectID="shop"',
                'RotationSerial="2"',
            ],
        )
    ]


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (
            EndpointConnectionError(endpoint_url="https://sts.eu-central-1.amazonaws.com"),
            3,
            "sts.eu-central-1.amazonaws.com does not answer. ",
        ),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeStacks"),
            3,
            "DescribeStacks is denied: no. Name another profile",
        ),
        (ProfileNotFound(profile="work"), 2, "there is no profile work in "),
        (FileNotFoundError(2, "No such file", "sam"), 3, "[Errno 2] No such file: 'sam'. "),
    ],
)
def test_error_of_aws_or_of_the_machine_is_one_line(
    error: Exception,
    status: int,
    line: str,
    account: FakeAccount,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(account, "stack", fails)
    monkeypatch.setattr(sys, "argv", ["deploy.py"])
    assert deploy.main() == status
    written = capsys.readouterr().err
    assert written.startswith(line) and written.count("\n") == 1


@pytest.mark.parametrize(("arguments", "status"), [(["--env", "dve"], 2), (["--", "VpcIpv6"], 2)])
def test_wrong_environment_or_parameter_is_wrong_use(
    arguments: list[str], status: int, account: FakeAccount, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["deploy.py", *arguments])
    assert deploy.main() == status
