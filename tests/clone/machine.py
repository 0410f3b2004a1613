"""An instance as git sees it: its user data, its users' homes, and its metadata service.

Scripts that come first in its PATH replace the commands for the machine's own users and packages (`id`,
`getent`,
`runuser`, `dnf`). Everything else in the user data runs unchanged.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests import preloaded
from tests.clone.scene import INSTANCES, ROOT, Scene, address

_PAGE = ROOT / "docs/how-to/clone-from-ec2.md"
_USER = "ec2-user"
# Beside git and aws, all that the user data calls.
_TOOLS = ("bash", "cut", "env", "printenv", "sh")


class Machine:
    def __init__(
        self,
        scene: Scene,
        env_id: str,
        directory: Path,
        runs_as: str = "root",
        profile_arn: str = "",
        account: str = INSTANCES,
    ) -> None:
        self.scene, self.env_id, self._directory, self._account = scene, env_id, directory, account
        self.home = directory / "home"
        self.home.mkdir()
        self.profile = f"codecommit-{env_id}"
        self._metadata = scene.aws.instance_metadata(profile_arn or scene.profile_arn(env_id, account))
        self.bin = directory / "bin"
        self.bin.mkdir()
        self._script("id", f'[ "$*" = "--user --name" ] && echo {runs_as}')
        self._script(
            "getent", f'[ "$*" = "passwd {_USER}" ] && echo "{_USER}:x:1000:1000:A, B:{self.home}:/bin/bash"'
        )
        self._script("runuser", f'[ "$1 $2 $3" = "--user {_USER} --" ] || exit 1; shift 3; exec "$@"')
        self._script(
            "dnf",
            f'echo "$*" >> {directory}/dnf; [ "$1 $2" = "install --assumeyes" ] || exit 1\n'
            f'case "$3" in git) {shutil.which("ln")} -s {shutil.which("git")} {self.bin}/git;;\n'
            f"awscli-2) {shutil.which('ln')} -s {preloaded.program('aws')} {self.bin}/aws;; *) exit 1;; esac",
        )

    def _script(self, name: str, text: str) -> None:
        file = self.bin / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    def user_data(self) -> str:
        """As docs/how-to/clone-from-ec2.md fetches it for a running instance. Fetched once: it does not
        change."""
        fetched, of = self.scene.user_data, (self._account, self.env_id)
        if of not in fetched:
            fetched[of] = self._fetch()
        return fetched[of]

    def _fetch(self) -> str:
        command = re.search(
            r"^aws ec2 describe-launch-template-versions (?:.*\\\n)*.*", _PAGE.read_text(), re.MULTILINE
        )
        assert command is not None
        text = command[0].replace("launch-template-dev-clone", f"launch-template-{self.env_id}-clone")
        assert text.endswith("> configure-git.sh")
        subprocess.run(
            ["bash", "-c", text], cwd=self._directory, env=self.scene.administrator(self._account), check=True
        )
        return (self._directory / "configure-git.sh").read_text()

    def run_user_data(self, bare: bool = False, home: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs it as root at the first start, without a HOME. A `bare` machine has neither git nor the AWS
        CLI."""
        script = self._directory / "part-001"
        script.write_text(self.user_data())
        script.chmod(0o755)
        environment = {"PATH": self._bare_path() if bare else self._path()} | ({"HOME": home} if home else {})
        return subprocess.run([script], cwd="/", env=environment, text=True, capture_output=True, check=False)

    def become(self, configuration: dict[str, str]) -> None:
        """Copies the files that the user data wrote on another machine: a run takes two seconds and is tested
        separately."""
        for name, text in configuration.items():
            (self.home / name).parent.mkdir(exist_ok=True)
            (self.home / name).write_text(text)

    def installed(self) -> list[str]:
        """The arguments that dnf received."""
        record = self._directory / "dnf"
        return record.read_text().splitlines() if record.exists() else []

    def _path(self) -> str:
        return f"{self.bin}:{preloaded.path()}:{os.environ['PATH']}"

    def _bare_path(self) -> str:
        tools = self._directory / "tools"
        tools.mkdir()
        for name in _TOOLS:
            found = shutil.which(name)
            assert found is not None
            (tools / name).symlink_to(found)
        return f"{self.bin}:{tools}"

    def as_user(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command as the instance's user. Only its own configuration contains a login."""
        environment = self.scene.git_environment() | {
            "PATH": self._path(),
            "HOME": str(self.home),
            "AWS_ENDPOINT_URL": self.scene.aws.endpoint_url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self._metadata,
            "AWS_PAGER": "",
            "NO_PROXY": "127.0.0.1",
        }
        for role in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{role}_NAME": "A", f"GIT_{role}_EMAIL": "a@example.com"}
        return subprocess.run(
            command, cwd=self.home, env=environment, text=True, capture_output=True, check=False
        )

    def clone(self, repository: str = "shop", region: str = "") -> subprocess.CompletedProcess[str]:
        return self.as_user("git", "clone", "--quiet", address(repository, region or self.scene.aws.region))

    def configuration(self) -> dict[str, str]:
        """Each configuration file below the home directory, with its text."""
        files = [self.home / ".gitconfig", *(self.home / ".aws").glob("*")]
        return {str(file.relative_to(self.home)): file.read_text() for file in files if file.is_file()}
