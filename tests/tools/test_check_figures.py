"""The check of the figures: growth beyond the limit fails, and an improvement is reported."""

import random
import subprocess
import sys
import tomllib

import pytest

from tests.tools.conftest import ROOT
from tools.checks import figures as check_figures

CHECKED_IN = {
    "package_bytes": 1000,
    "start_instructions": 1000,
    "create_instructions": 1000,
    "create_tls_instructions": 1000,
}


@pytest.fixture
def check(tmp_path):
    """Runs the script for an incompressible file of this size."""

    def run(length: int, *arguments: str) -> subprocess.CompletedProcess:
        bootstrap = tmp_path / "bootstrap"
        bootstrap.write_bytes(random.Random(0).randbytes(length))
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "tools.checks.figures",
                "--package-alone",
                "--bootstrap",
                bootstrap,
                "--figures",
                tmp_path / "figures.toml",
                *arguments,
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_package_ten_percent_larger_fails_with_the_remedy(check):
    assert check(100_000, "--write").returncode == 0
    smaller = check(80_000)
    assert smaller.returncode == 0 and "--write makes it the limit" in smaller.stdout
    assert check(109_000).returncode == 0
    larger = check(112_000)
    assert larger.returncode == 1
    assert "+12.0%, more than +10%" in larger.stderr
    assert "tools.checks.figures --write" in larger.stderr
    assert check(112_000, "--write").returncode == 0
    assert check(112_000).returncode == 0


@pytest.mark.parametrize("name", ["start_instructions", "create_instructions", "create_tls_instructions"])
def test_a_fifth_more_instructions_fail_and_less_pass(name):
    assert check_figures.compare(CHECKED_IN | {name: 1200}, CHECKED_IN)[1] == []
    faults = check_figures.compare(CHECKED_IN | {name: 1201}, CHECKED_IN)[1]
    assert len(faults) == 1
    assert "1,201 instead of 1,000" in faults[0]


def test_unmeasured_figure_is_skipped_and_unrecorded_one_fails():
    measured = {"package_bytes": 1000}
    assert check_figures.compare(measured, CHECKED_IN)[1] == []
    lines, faults = check_figures.compare(CHECKED_IN, measured)
    assert len(lines) == 1
    assert len(faults) == 3


def test_the_repository_has_figures_of_every_kind():
    checked_in = tomllib.loads((ROOT / "tools/checks/figures.toml").read_text())
    names = [figure.name for figure in check_figures.FIGURES_IN_ORDER]
    assert list(checked_in) == names


def test_cargo_build_leaves_no_symbols():
    assert check_figures.symbols_left() == []
