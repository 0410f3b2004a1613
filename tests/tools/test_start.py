"""tools/run/start.sh on machines that lack something, with stand-ins for their programs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from cli.shell.failure import WrongUse
from tests.tools.conftest import ROOT
from tools.run import regions

_TOOLS = ("awk", "bash", "cut", "head", "sed", "sort", "tail")
_DISK = "echo Filesystem; echo /dev/vda 90000000 1 {} 10% /"
_PROGRAMS = {
    "uname": "echo Linux",
    "cargo": "",
    "rustc": "echo 'rustc 1.95.0 (59807616e 2026-04-14)'",
    "cc": "",
    "python3": 'case "$2" in *version*) echo 3.11;; esac',
    "git": "echo git version 2.43.0",
    "df": _DISK.format(60 * 1024**2),
}


class Machine:
    def __init__(self, directory: Path) -> None:
        self._directory, self._bin = directory, directory / "bin"
        self._bin.mkdir()
        shutil.copy(ROOT / "Cargo.toml", directory)
        for tool in _TOOLS:
            (self._bin / tool).symlink_to(str(shutil.which(tool)))
        for name, text in _PROGRAMS.items():
            self.has(name, text)

    def has(self, name: str, text: str | None) -> None:
        """Replaces a program, or removes it."""
        if text is None:
            (self._bin / name).unlink()
            return
        (self._bin / name).write_text(f"#!{shutil.which('bash')}\n{text}\n")
        (self._bin / name).chmod(0o755)

    def start(self, target: str, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(shutil.which("bash")), ROOT / "tools/run/start.sh", target, *command],
            cwd=self._directory,
            env={"PATH": str(self._bin), **variables},
            text=True,
            capture_output=True,
            timeout=600,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("program", "text", "lack"),
    [
        ("uname", "echo Darwin", "Linux: this is Darwin. Use a"),
        ("cargo", None, "Rust 1.95 or newer: there is no cargo. Install it"),
        ("rustc", None, "Rust 1.95 or newer: there is no cargo. Install it"),
        ("rustc", "echo rustc 1.94.1", "Rust 1.95 or newer: rustc is 1.94.1. Install a newer one"),
        ("rustc", "exit 1", "`rustc --version` failed. Follow its message."),
        ("cc", None, "a C compiler: there is no cc. Install it"),
        ("cc", "exit 1", "cc finds no stdlib.h. Install them"),
        (
            "python3",
            None,
            "Python 3.11 or newer: python3 does not start. Install it, or name another one: make run PYTHON=",
        ),
        (
            "python3",
            "echo 3.9",
            "Python 3.11 or newer: python3 is 3.9. Install it, or name another one: make run PYTHON=",
        ),
        ("python3", 'case "$2" in *venv*) exit 1;; esac; echo 3.12', "apt-get install python3.12-venv"),
        ("git", None, "there is no git. Install it"),
        ("git", "echo git version 2.25.1", "git is 2.25.1. Install a newer one."),
        ("df", _DISK.format(1024**2), "has 1 GB. Free some"),
    ],
)
def test_each_lack_is_one_line_before_anything_starts(
    machine: Machine, program: str, text: str | None, lack: str
) -> None:
    machine.has(program, text)
    started = machine.start("run", "bash", "-c", "echo started")
    assert started.returncode == 1 and started.stdout == ""
    first, line = started.stderr.splitlines()
    assert first == "`make run` did not start, because this machine lacks:"
    assert line.startswith("- ") and lack in line


def test_all_lacks_are_shown_at_once(machine: Machine) -> None:
    for program in ("cargo", "cc", "python3", "git"):
        machine.has(program, None)
    started = machine.start("test")
    assert (started.returncode, started.stdout) == (1, "")
    assert len(started.stderr.splitlines()) == 5


def test_checks_also_need_rustfmt_and_clippy(machine: Machine) -> None:
    machine.has("cargo", '[ "$1" != clippy ]')
    assert "rustup component add rustfmt clippy" in machine.start("test").stderr
    assert machine.start("run").returncode == 0


def test_named_python_is_the_one_that_is_checked(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.has("python3", "echo 3.9")
    machine.has("python3.13", "echo 3.13")
    assert machine.start("test").returncode == 1
    assert machine.start("test", PYTHON="python3.13").returncode == 0


def test_second_run_needs_no_further_disk_space(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "target/debug").mkdir(parents=True)
    machine.has("df", _DISK.format(1024**2))
    assert machine.start("run").returncode == 0


def test_region_is_checked_before_anything_starts(machine: Machine) -> None:
    machine.has(
        "python3", 'case "$*" in *run.regions*) echo "no $3" >&2; exit 2;; *version*) echo 3.11;; esac'
    )
    started = machine.start("run", "bash", "-c", "echo started", REGION="nowhere-1")
    assert (started.returncode, started.stdout, started.stderr) == (2, "", "no nowhere-1\n")
    assert machine.start("run", REGION="").returncode == 0
    # Only `make run` has a region.
    assert machine.start("shell", REGION="nowhere-1").returncode == 0


def test_regions_are_those_of_the_sdk() -> None:
    session = boto3.Session()
    listed = [
        region
        for partition in session.get_available_partitions()
        if partition != "aws-cn"
        for region in session.get_available_regions("codecommit", partition)
    ]
    assert sorted(listed) == regions.POSSIBLE
    assert regions.checked("us-gov-west-1") == "us-gov-west-1"
    with pytest.raises(
        WrongUse,
        match="^cfn-gitops does not work in eu-cntral-1. Did you mean eu-central-1\\? docs/concepts/",
    ):
        regions.checked("eu-cntral-1")


def test_region_is_checked_without_installed_packages() -> None:
    checked = subprocess.run(
        [sys.executable, "-S", "-m", "tools.run.regions", "nowhere-1"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 2 and checked.stderr.startswith(
        "cfn-gitops does not work in nowhere-1. docs/concepts/alternatives.md, "
    ), checked.stderr


@pytest.mark.parametrize("target", ["run", "test", "shell", "shell EMPTY=1"])
def test_start_tells_what_follows_and_how_long(machine: Machine, target: str) -> None:
    started = machine.start(
        "empty-shell" if "EMPTY" in target else target, "bash", "-c", "echo started; exit 3"
    )
    assert started.returncode == 3 and started.stderr == ""
    text, _, rest = started.stdout.partition("\n\n")
    assert text.startswith(f"`make {target}` installs Python packages into .venv") and rest == "started\n"
    assert max(map(len, text.splitlines())) <= 100
    assert re.search(r"takes about \d+ minutes the first time, and about \d+ \w+ later\.$", text)


def test_figures_are_those_of_contributing(machine: Machine) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    [(later, more)] = re.findall(r"`make run`.*about (\d+) minutes, and about (\d+) minutes to install", page)
    assert (
        f"about {int(later) + int(more)} minutes the first time, and about {later} "
        in machine.start("run").stdout
    )
    [(first, compiled)] = re.findall(
        r"`make test` .*\| (\d+) minutes from nothing, (\d+) of them compilation", page
    )
    assert (
        f"about {first} minutes the first time, and about {int(first) - int(compiled)} "
        in machine.start("test").stdout
    )


def test_interrupt_of_the_installation_is_one_sentence(machine: Machine) -> None:
    # The output ends when the last of its processes has ended.
    started = machine.start("run", "bash", "-c", "tail -f Cargo.toml >/dev/null & kill -INT $PPID; wait")
    assert started.returncode == 130 and started.stderr == ""
    assert started.stdout.partition("\n\n")[2] == (
        "\nInterrupted, and nothing runs any more: the next `make run` continues from here.\n"
    )
