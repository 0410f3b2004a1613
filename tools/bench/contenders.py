"""The measured functions: the start of each, and the content of its package."""

import io
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.bench.host import ROOT, Program

FUNCTIONS = ROOT / "tools/bench/functions"
BOOTSTRAP = ROOT / "target" / "lambda" / "cfn-gitops" / "bootstrap"


@dataclass(frozen=True)
class Contender:
    name: str
    program: Program
    # The upload in bytes, zipped.
    package: int
    # Whether it does the work. The floor only responds.
    works: bool = True


def ours() -> Contender:
    return Contender("cfn-gitops", Program((str(BOOTSTRAP),)), zipped([BOOTSTRAP], BOOTSTRAP.parent))


def floor() -> Contender:
    """Built like the product: the same profile and linker, and by tests/tools/test_requirements.py the same
    versions."""
    directory = FUNCTIONS / "floor"
    machine = os.uname().machine
    subprocess.run(
        [
            "cargo",
            "lambda",
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--target",
            f"{machine}-unknown-linux-gnu.2.34",
        ],
        cwd=directory,
        env=os.environ | _profile_of_the_product() | {"CARGO_TARGET_DIR": str(directory / "target")},
        check=True,
    )
    built = directory / "target" / "lambda" / "floor" / "bootstrap"
    return Contender("floor", Program((str(built),)), zipped([built], built.parent), works=False)


def crhelper() -> Contender:
    """Lambda's managed runtime contains the runtime client and boto3. The upload is the function and
    crhelper."""
    directory = FUNCTIONS / "crhelper"
    package, wanted = directory / "package", directory / "requirements.txt"
    installed = package / "installed-requirements.txt"
    if not installed.is_file() or installed.read_bytes() != wanted.read_bytes():
        shutil.rmtree(package, ignore_errors=True)
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--require-hashes",
                "--no-deps",
                "--target",
                package,
                "-r",
                wanted,
            ],
            check=True,
        )
        shutil.copyfile(wanted, installed)
    # Without this program's environment: its `site` searches more packages.
    program = Program(
        (os.path.realpath(sys.executable), "-m", "awslambdaric", "function.handler"),
        directory,
        {"PYTHONPATH": f"{package}:{directory}", "LAMBDA_TASK_ROOT": str(directory)},
    )
    uploaded = [directory / "function.py", *_files(package / "crhelper")]
    return Contender("crhelper", program, zipped(uploaded, directory))


def zipped(files: Iterable[Path], directory: Path) -> int:
    """The size of a zip of these, compressed like `sam package` does, without Python's bytecode."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            if "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(directory))
    return len(written.getvalue())


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def _profile_of_the_product() -> dict[str, str]:
    """`[profile.release]` in the form of Cargo's environment variables."""
    profile = tomllib.loads((ROOT / "Cargo.toml").read_text())["profile"]["release"]
    return {
        f"CARGO_PROFILE_RELEASE_{name.upper().replace('-', '_')}": str(value).lower()
        if isinstance(value, bool)
        else str(value)
        for name, value in profile.items()
        if not isinstance(value, dict)
    }
