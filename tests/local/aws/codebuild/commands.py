"""Runs a build's commands: each is a `sh` that passes its variables and directory to the next.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec.version
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# A stopped build ends soon, because a command is waited for in these intervals.
_LOOK_SECONDS = 0.2
# A command's own `exit` ends only its shell. The variables that it had set are kept.
_SCRIPT = """set -a
trap 'LOCAL_BUILD_CODE=$?; trap - EXIT; env -0 >"$LOCAL_BUILD_STATE"; exit $LOCAL_BUILD_CODE' EXIT
. "$LOCAL_BUILD_COMMAND"
"""
_OWN = {"LOCAL_BUILD_STATE", "LOCAL_BUILD_COMMAND", "LOCAL_BUILD_CODE", "_"}
_running: set[int] = set()
_running_lock = threading.Lock()


_DOCKER = f'exec "{sys.executable}" "{Path(__file__).with_name("docker.py")}" "$@"'
# Without privilegedMode, "a build that attempts to interact with the Docker daemon fails".
# https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ProjectEnvironment.html
_NO_DOCKER = 'echo "Cannot connect to the Docker daemon at unix:///var/run/docker.sock." >&2; exit 1'


def machine(home: Path, privileged: bool) -> dict[str, str]:
    """The machine's environment variables for a command. CodeBuild's images contain Python, the AWS CLI and
    Docker."""
    docker = home / "bin/docker"
    docker.parent.mkdir(parents=True)
    docker.write_text(f"#!/bin/sh\n{_DOCKER if privileged else _NO_DOCKER}\n")
    docker.chmod(0o700)
    path = f"{docker.parent}:{os.environ['PATH']}:{Path(sys.executable).parent}"
    return {"PATH": path, "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"}


def unpack(archive: zipfile.ZipFile, directory: Path) -> None:
    """Extracts with each file's mode, which `extractall` ignores."""
    for entry in archive.infolist():
        path = Path(archive.extract(entry, directory))
        mode = entry.external_attr >> 16 & 0o777
        if mode and path.is_file():
            path.chmod(mode | 0o600)


def end_all() -> None:
    """At the end of the process: ends all processes that builds started."""
    with _running_lock:
        groups = list(_running)
    for group in groups:
        _kill(group)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


class Shell:
    def __init__(
        self,
        scratch: Path,
        directory: Path,
        environment: dict[str, str],
        say: Callable[[str], None],
        wait: Callable[[float], None],
    ) -> None:
        self.environment, self.directory = environment, str(directory)
        self._scratch, self._say, self._wait = scratch, say, wait

    def run(self, command: str) -> int:
        """The command's exit status. Raises the exception of `wait` if the build is stopped."""
        written, state, log = self._scratch / "command", self._scratch / "state", self._scratch / "log"
        written.write_text(f"{command}\n")
        shell = shutil.which("sh") or "/bin/sh"
        with log.open("wb") as output:
            # A process group of its own, so that the shell's children end with it.
            process = subprocess.Popen(
                [shell, "-c", _SCRIPT],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                process_group=0,
                env={
                    **self.environment,
                    "LOCAL_BUILD_COMMAND": str(written),
                    "LOCAL_BUILD_STATE": str(state),
                },
            )
            with _running_lock:
                _running.add(process.pid)
            try:
                code = self._await(process)
            finally:
                _kill(process.pid)
                process.wait()
                with _running_lock:
                    _running.discard(process.pid)
        for line in log.read_text(errors="replace").splitlines():
            self._say(line)
        self._take_over(state)
        self.environment["CODEBUILD_BUILD_SUCCEEDING"] = (
            "0" if code else self.environment["CODEBUILD_BUILD_SUCCEEDING"]
        )
        return code

    def _await(self, process: subprocess.Popen[bytes]) -> int:
        while True:
            try:
                return process.wait(_LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                self._wait(0)

    def _take_over(self, state: Path) -> None:
        if not state.exists():
            return
        found = dict(
            each.split("=", 1) for each in state.read_text(errors="replace").split("\0") if "=" in each
        )
        state.unlink()
        self.directory = found.get("PWD", self.directory)
        self.environment = {name: value for name, value in found.items() if name not in _OWN}
