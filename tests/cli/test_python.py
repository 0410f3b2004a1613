"""The command runs on Python 3.9, that of Amazon Linux 2023 and CloudShell, and an older one gets one line.

https://docs.aws.amazon.com/linux/al2023/ug/python.html
"""

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT

FILES = sorted((ROOT / "cli").rglob("*.py"))
# That of the release.
FIRST = str(ROOT / "tools/release/bundle/start.py")
# Those that need only the standard library.
ALONE = ["cli.shell.ending", "cli.shell.output", "cli.shell.terminal"]
REFUSED = r"cfn-gitops needs Python 3\.9 or newer, and \S+ is Python \d\.\d+\. .+\n"


@cache
def interpreter(version: str) -> str:
    """A Python of this version. Empty if the machine has none."""
    installed = sorted(Path(sys.base_prefix).parent.glob(f"{version}.*/bin/python"))
    for found in [shutil.which(f"python{version}"), *installed]:
        # One in the PATH may be a script of pyenv without a version behind it.
        if found and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return str(found)
    return ""


def run(python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def test_newer_calls_are_not_used() -> None:
    """Python 3.9 rejects these only when it runs them. `ruff check` finds what it cannot read."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("aiter", "anext"), path
                assert not (node.func.id == "zip" and any(each.arg == "strict" for each in node.keywords)), (
                    path
                )
                # `isinstance(value, int | str)`
                assert node.func.id != "isinstance" or not isinstance(node.args[1], ast.BinOp), path
            # A slot or a keyword-only field is newer, and so is StrEnum.
            assert not (isinstance(node, ast.keyword) and node.arg in ("slots", "kw_only")), path
            assert not (
                isinstance(node, (ast.Name, ast.Attribute))
                and ast.unparse(node) in ("enum.StrEnum", "datetime.UTC")
            ), path


def test_python_3_9_imports_what_needs_no_package() -> None:
    python = interpreter("3.9")
    if not python:
        pytest.skip("there is no Python 3.9 here")
    program = (
        "import sys; [compile(open(file).read(), file, 'exec') for file in sys.argv[1:]]; import"
        f" {', '.join(ALONE)}"
    )
    ended = run(python, "-c", program, *map(str, FILES))
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7", "3.8"])
def test_older_python_is_named_in_one_line(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if python := interpreter(version):
        ended = run(python, FIRST, "doctor")
        assert (ended.returncode, ended.stdout) == (1, "") and re.fullmatch(REFUSED, ended.stderr)
        assert f"is Python {version}." in ended.stderr
        return
    monkeypatch.setattr(sys, "version_info", (*map(int, version.split(".")), 1))
    with pytest.raises(SystemExit) as raised:
        runpy.run_path(FIRST, run_name="__main__")
    assert re.fullmatch(REFUSED, f"{raised.value.code}\n")
