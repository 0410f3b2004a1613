"""tests/conftest.py, in a session that inherits one of each: an ignored signal, variables of git, AWS and
Python, a missing home."""

import os
import subprocess
import sys

from tests.tools.conftest import ROOT

INHERITED = {
    "HOME": "/proc/nonexistent",
    "GIT_DIR": "/nonexistent",
    "AWS_PROFILE": "nosuch",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "COLUMNS": "20",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "LC_ALL": "C",
}
# Each fails with one of them.
TESTS = [
    "test_console.py::test_interrupt_is_one_sentence_after_the_end",
    "test_release.py::test_ready_repository_has_no_problem",
    "test_start.py::test_regions_are_those_of_the_sdk",
]


def test_tests_pass_whatever_they_inherit() -> None:
    ran = subprocess.run(
        [
            "bash",
            "-c",
            'umask 077; trap \'\' HUP INT TERM; exec "$0" "$@"',
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            *(f"tests/tools/{test}" for test in TESTS),
        ],
        cwd=ROOT,
        env=os.environ | INHERITED,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert ran.returncode == 0 and "5 passed" in ran.stdout, ran.stdout
    # As pytest warns below PYTHONOPTIMIZE.
    assert "assertions not in test modules" not in ran.stdout
