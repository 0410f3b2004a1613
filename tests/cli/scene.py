"""A folder with the template and a samconfig.toml, and an account of the local AWS in which `check` runs."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from tests import preloaded
from tests.local.aws import LocalAws
from tests.local.aws.testing import a_user_with, allow

ROOT = Path(__file__).parents[2]
SETTINGS = """[dev.global.parameters]
stack_name = "cfn-gitops-dev"

[dev.deploy.parameters]
capabilities = "CAPABILITY_NAMED_IAM"
resolve_s3 = true
parameter_overrides = [
    "EnvID=dev",
    "ProjectID=infra",
]
"""


def with_line(line: str) -> str:
    """The settings with one more parameter, in line 9."""
    return SETTINGS.replace('    "EnvID=dev",\n', f'    "EnvID=dev",\n    {line},\n')


class Folder:
    def __init__(self, path: Path) -> None:
        self.path, self.config = path, path / "samconfig.toml"
        self.write(SETTINGS)
        (path / "template.yaml").write_text((ROOT / "template.yaml").read_text())

    def write(self, content: str) -> None:
        self.config.write_text(content)


class Checked:
    """The document that `check` wrote, and its exit status."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status, self.document = status, document
        self.rows: list[dict[str, str]] = document.get("checks", [])

    def of(self, result: str, subject: str = "") -> list[dict[str, str]]:
        return [row for row in self.rows if row["result"] == result and subject in row["subject"]]

    @property
    def found(self) -> list[dict[str, str]]:
        return self.of("found")


class Operator:
    """A user of the account who may do everything, or what the statements allow."""

    def __init__(
        self,
        aws: LocalAws,
        folder: Folder,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.aws, self.folder = aws, folder
        self._monkeypatch, self._capsys = monkeypatch, capsys
        self.use(a_user_with(aws, "operator", allow("*", "*")))

    def use(self, key: dict[str, str]) -> None:
        """The access key, or an assumed role's credentials, with which `check` runs."""
        self.environment = self.aws.environment() | {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "PATH": f"{preloaded.path('aws')}:{os.environ['PATH']}",
        }
        if token := key.get("SessionToken"):
            self.environment["AWS_SESSION_TOKEN"] = token

    def check(self, *options: str) -> Checked:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            self._monkeypatch.delenv(name, raising=False)
        for name, value in self.environment.items():
            if name.startswith("AWS_") or name.lower() == "no_proxy":
                self._monkeypatch.setenv(name, value)
        self._capsys.readouterr()
        file = ["--config-file", str(self.folder.config)] if self.folder.config.exists() else []
        status = main(["check", "--env", "dev", *file, "--json", *options])
        written = self._capsys.readouterr()
        assert written.out, written.err
        return Checked(status, json.loads(written.out))

    def follow(self, row: dict[str, str]) -> None:
        """Runs the last command of the remedy."""
        command = re.findall(r"((?:aws|cfn-gitops) .+?)(?:\. |$)", row["remedy"])[-1]
        if command.startswith("cfn-gitops "):
            command = f"{shlex.quote(sys.executable)} -m cli {command.removeprefix('cfn-gitops ')} --yes"
        ran = subprocess.run(
            ["bash", "-c", command],
            env=self.environment | {"PYTHONPATH": str(ROOT)},
            cwd=self.folder.path,
            text=True,
            capture_output=True,
            check=False,
        )
        assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
