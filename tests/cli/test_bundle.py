"""The file `cfn-gitops` of the release: it starts without any installed package, on each Python from 3.9
on."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cli import main
from tools.release import bundle, completion

ROOT = Path(__file__).parents[2]
PYTHONS = {
    path.name: path
    for folder in (*Path(sys.base_prefix).parent.glob("*/bin"), *map(Path, ("/usr/bin", "/usr/local/bin")))
    for path in folder.glob("python?.*")
    if re.fullmatch(r"python3\.(9|\d\d)", path.name)
}
ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "AWS_REGION": "eu-central-1",
    "AWS_MAX_ATTEMPTS": "1",
    # No program listens there.
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release")
    bundle.write(folder / "cfn-gitops")
    shutil.copy(ROOT / "samconfig.toml", folder)
    return folder / "cfn-gitops"


def start(
    python: Path | str, file: Path, *arguments: str, temporary: Path, home: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """By default in a home that cannot be written. Root may write into each folder, but not below a file."""
    variables = {"HOME": str(home or file), "TMPDIR": str(temporary), "PATH": os.environ["PATH"], **ACCOUNT}
    return subprocess.run(
        [python, file, *arguments],
        cwd=file.parent,
        env=variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


@pytest.mark.parametrize("python", sorted(PYTHONS))
def test_each_python_calls_aws_with_the_own_packages(python: str, file: Path, tmp_path: Path) -> None:
    ran = start(PYTHONS[python], file, "doctor", temporary=tmp_path)
    assert (ran.returncode, ran.stdout.count("\n")) == (3, 1) and "127.0.0.1 does not answer" in ran.stdout, (
        ran.stdout
    )
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def planted(file: Path, tmp_path: Path) -> Path:
    """The folder that the first start has made, with another file of the same size."""
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    shown = start(sys.executable, file, "-V", temporary=tmp_path / "temporary", home=tmp_path / "home").stdout
    folder = tmp_path / "home/.cache/cfn-gitops" / hashlib.sha256(file.read_bytes()).hexdigest()
    assert shown == f"cfn-gitops {(folder / 'cli/VERSION').read_text()}"
    (folder / "cli/VERSION").write_text("9.9.9\n")
    return folder


def link(folder: Path) -> None:
    folder.symlink_to(folder.rename(folder.parents[2] / "elsewhere"))


@pytest.mark.parametrize(
    ("arrange", "line"),
    [
        (lambda folder: folder.chmod(0o710), ""),
        (lambda folder: folder.parent.chmod(0o770), ""),
        (lambda folder: folder.parents[2].chmod(0o777), ""),
        (link, ""),
        (lambda _: None, "owned = folder"),
        (lambda _: None, "owned = '/home'"),
        # As on Windows.
        (lambda _: None, "del os.geteuid"),
    ],
    ids=["open", "in an open one", "below an open one", "link", "other owner", "other home", "no owner"],
)
def test_packages_that_another_user_may_change_are_not_read(
    arrange: Callable[[Path], Any], line: str, planted: Path, file: Path, tmp_path: Path
) -> None:
    arrange(planted)
    program = f"""import os, runpy, sys
folder, owned = {planted.name!r}, " "
def lstat(path, look=os.lstat, **more):
    found = look(path, **more)
    return os.stat_result((*found[:4], 4711, *found[5:])) if str(path).endswith(owned) else found
os.lstat, sys.argv = lstat, sys.argv[1:]
{line}
runpy.run_path(sys.argv[0], run_name="__main__")"""
    homes = {"temporary": tmp_path / "temporary", "home": tmp_path / "home"}
    ran = start(sys.executable, Path("-c"), program, str(file), "-V", **homes)
    assert ran.returncode == 0 and "9.9.9" not in ran.stdout, ran.stdout
    assert list(homes["temporary"].iterdir()) == []


def test_next_starts_share_the_packages_and_complete_them(planted: Path, file: Path, tmp_path: Path) -> None:
    def shown(_: int) -> str:
        return start(
            sys.executable, file, "-V", temporary=tmp_path / "temporary", home=tmp_path / "home"
        ).stdout

    assert shown(0) == "cfn-gitops 9.9.9\n" and list(planted.glob("cli/__pycache__/main.*.pyc"))
    # A crash has emptied it, and then all is gone.
    (planted / "cli/VERSION").write_text("")
    version = shown(0)
    assert re.fullmatch(r"cfn-gitops \d.*\n", version) and "9.9.9" not in version
    shutil.rmtree(planted)
    with ThreadPoolExecutor() as pool:
        assert set(pool.map(shown, range(4))) == {version}
    assert [each.name for each in planted.parent.iterdir()] == [planted.name]
    assert [oct(each.stat().st_mode) for each in (planted, planted.parent)] == ["0o40700"] * 2
    assert list((tmp_path / "temporary").iterdir()) == []


def test_full_disk_is_one_line_and_leaves_nothing(file: Path, tmp_path: Path) -> None:
    # No file may be larger than 100 blocks.
    ran = start("sh", Path("-c"), 'ulimit -f 100 && exec "$0" --version', str(file), temporary=tmp_path)
    assert ran.returncode == 1
    assert re.fullmatch(
        "cfn-gitops cannot unpack its packages: .*too large.* Free some space, or name another folder: "
        "TMPDIR=/path\n",
        ran.stdout,
    ), ran.stdout
    assert list(tmp_path.iterdir()) == []


def test_interrupt_of_the_deletion_is_silent_and_leaves_nothing(file: Path, tmp_path: Path) -> None:
    interrupted = (
        "import os, runpy, shutil, signal, sys; delete = shutil.rmtree; sys.argv = sys.argv[1:]\n"
        "shutil.rmtree = lambda *given: (os.kill(os.getpid(), signal.SIGINT), delete(*given))\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    ran = start(sys.executable, Path("-c"), interrupted, str(file), "--version", temporary=tmp_path)
    assert (ran.returncode, ran.stdout.count("\n")) == (0, 1) and ran.stdout.startswith("cfn-gitops "), (
        ran.stdout
    )
    assert list(tmp_path.iterdir()) == []


def test_damaged_file_is_one_line(file: Path, tmp_path: Path) -> None:
    damaged, content = tmp_path / "cfn-gitops", bytearray(file.read_bytes())
    place = content.index(b"cli/main.py") + 2000
    content[place : place + 10] = b"\0" * 10
    damaged.write_bytes(content)
    ran = start(sys.executable, damaged, "--version", temporary=tmp_path / "..")
    assert (ran.returncode, ran.stdout.count("\n")) == (1, 1) and "is damaged: " in ran.stdout, ran.stdout


def test_same_source_gives_the_same_bytes(file: Path, tmp_path: Path) -> None:
    bundle.write(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == file.read_bytes()
    with zipfile.ZipFile(file) as content:
        assert not [name for name in content.namelist() if name.endswith((".so", ".pyc"))]


def test_file_has_the_data_of_each_called_service(file: Path) -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "cli").rglob("*.py"))
    called = set(re.findall(r"""(?:client|resource)\(\s*"([a-z0-9-]+)\"""", source))
    assert called and called <= set(bundle.SERVICES)
    with zipfile.ZipFile(file) as content:
        assert {
            name.split("/")[2]
            for name in content.namelist()
            if name.startswith("botocore/data/") and name.count("/") > 3
        } == set(bundle.SERVICES)


@pytest.fixture(scope="module")
def completions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    completion.write(folder := tmp_path_factory.mktemp("release") / "completion")
    return folder


@pytest.mark.parametrize("command", main.COMMANDS)
def test_each_shell_completes_the_command_and_its_options(command: str, completions: Path) -> None:
    parser = completion.commands_of(main.parser()).choices[command]
    options = {option for action in parser._actions for option in action.option_strings}
    bash, zsh, fish = (completions / name for name in ("cfn-gitops.bash", "_cfn-gitops", "cfn-gitops.fish"))
    completed = [
        subprocess.run(
            [
                "bash",
                "-c",
                'source "$0"; COMP_WORDS=(cfn-gitops "$@"); COMP_CWORD=$#; _shtab_cfn_gitops;'
                ' printf "%s\\n" "${COMPREPLY[@]}"',
                bash,
                *words,
            ],
            text=True,
            capture_output=True,
            check=True,
        )
        for words in (
            [
                "",
            ],
            [command, "-"],
        )
    ]
    assert [ended.stderr for ended in completed] == ["", ""]
    assert set(completed[0].stdout.split()) == set(main.COMMANDS)
    assert set(completed[1].stdout.split()) == options
    [described] = re.findall(
        rf"^_shtab_cfn_gitops_{command}_options=\(\n(.*?)^\)", zsh.read_text(), re.S | re.M
    )
    lines = fish.read_text().split("\n")
    assert sum(f"__fish_use_subcommand -a {command} " in line for line in lines) == 1
    for option in options:
        assert re.search(rf"{option}[\[,}}]", described)
        kind = f"-l {option[2:]} " if option.startswith("--") else f"-s {option[1:]} "
        assert sum(f"seen_subcommand_from {command}' {kind}" in line for line in lines) == 1


@pytest.mark.parametrize(("shell", "name"), [("zsh", "_cfn-gitops"), ("fish", "cfn-gitops.fish")])
def test_shell_reads_its_completion(shell: str, name: str, completions: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    ran = subprocess.run([shell, "-n", completions / name], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
