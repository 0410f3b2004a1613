"""The sources of the tools: packages with hashes, and one Rust toolchain."""

import re
import tomllib
from pathlib import Path

import pytest

from tools.requirements.update import TOOLS

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"[A-Za-z0-9._-]+==[^ ]+( --hash=sha256:[0-9a-f]{64})+")


# claim: every-python-package-has-hashes
@pytest.mark.parametrize("path", TOOLS)
def test_every_python_package_has_hashes(path):
    text = (ROOT / path).read_text()
    # Beside options and another file that is checked.
    packages = [
        line
        for line in text.replace("\\\n", "").splitlines()
        if line and not line.startswith(("#", "--", "-r run.txt"))
    ]
    assert [line for line in packages if not PINNED.fullmatch(re.sub(" +", " ", line))] == []
    # A wheel does not run code of its own when it is installed: all but one package have wheels.
    options = {line for line in text.splitlines() if line.startswith("--")}
    assert options <= {"--only-binary :all:", "--no-binary git-remote-codecommit"}
    assert "--only-binary :all:" in options


# claim: every-python-package-has-hashes
def test_every_installation_requires_hashes():
    text = (ROOT / "Makefile").read_text()
    calls = re.findall(r"pip install.*?(?:\n\t|$)", text, re.DOTALL)
    assert len(calls) == 5
    assert [call for call in calls if "--require-hashes" not in call or "--no-deps" not in call] == []


# claim: rust-toolchain-is-one-version
def test_rust_toolchain_is_one_version():
    channel = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    needed = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", channel)
    assert channel.startswith(f"{needed}.")
