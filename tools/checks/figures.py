"""Checks whether the built function has grown: its package, and the instructions until its first responses.

    python -m tools.checks.figures          # fails if a figure is too far above tools/checks/figures.toml
    python -m tools.checks.figures --write  # writes tools/checks/figures.toml

`cargo build --release` has to leave no symbols in its file. cargo-lambda strips by itself, so its file does
not show that. With `--cargo-build` the script builds that file too (some minutes), and its size has the
package's limit.

valgrind counts the instructions, because times depend more on the machine than on the function. Without
valgrind the instructions are not checked, and the script reports that.
"""

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BOOTSTRAP = ROOT / "target/lambda/cfn-gitops/bootstrap"
FIGURES = ROOT / "tools/checks/figures.toml"
HEAD = """\
# Limits of the built function. `.ci/run` fails if the package is more than 10 % larger, or if an instruction count is more
# than 20 % higher. `python -m tools.checks.figures --write` sets them.
# docs/project/scale-and-speed.md describes these figures and their variation.

"""  # noqa: E501


@dataclass(frozen=True)
class Figure:
    name: str
    what: str
    # The relative growth above the checked-in figure that fails.
    tolerance: float


PACKAGE = Figure("package_bytes", "zipped package, in bytes", 0.10)
START = Figure("start_instructions", "instructions until the first poll", 0.20)
CREATE_HTTP = Figure("create_instructions", "the same with a first Create, AWS over HTTP", 0.20)
CREATE_HTTPS = Figure("create_tls_instructions", "the same with a first Create, AWS over TLS", 0.20)
FIGURES_IN_ORDER = (PACKAGE, START, CREATE_HTTP, CREATE_HTTPS)
# For each of apt-get's two commands: an unreachable network must not block the checks.
APT_GET_SECONDS = 120
CARGO = ["cargo", "build", "--release", "--locked", "--bin", "cfn-gitops"]


def compare(measured: dict[str, int], checked_in: dict[str, int]) -> tuple[list[str], list[str]]:
    """The comparison of each figure with the checked-in one as lines of text, and the faults."""
    lines, faults = [], []
    for figure in FIGURES_IN_ORDER:
        if figure.name not in measured:
            continue
        now, then = measured[figure.name], checked_in.get(figure.name)
        if then is None:
            faults.append(f"{figure.name} is missing: python -m tools.checks.figures --write")
            continue
        change = now / then - 1
        lines.append(
            f"{now:>12,} {then:>12,} {change:+7.1%}  {figure.what} (at most {figure.tolerance:+.0%})"
        )
        if change > figure.tolerance:
            faults.append(
                f"{figure.what}: {now:,} instead of {then:,} are {change:+.1%}, more than "
                f"{figure.tolerance:+.0%}. If the change is worth it, give the reason in its commit, and "
                "write the figure: python -m tools.checks.figures --write"
            )
        elif change < -figure.tolerance:
            lines.append(" " * 36 + "improved: python -m tools.checks.figures --write makes it the limit")
    return lines, faults


def measure(bootstrap: Path, with_instructions: bool = True) -> dict[str, int]:
    measured = {PACKAGE.name: zipped(bootstrap)}
    if not with_instructions:
        return measured
    if not has_valgrind():
        print("valgrind is not installed here, so the instructions are not checked", file=sys.stderr)
        return measured
    return measured | instructions(bootstrap)


def zipped(file: Path) -> int:
    """The size of its zip, compressed like `sam package` does."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(file, file.name)
    return len(written.getvalue())


def has_valgrind() -> bool:
    """On Debian it is installed if root runs this."""
    if shutil.which("valgrind") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        with contextlib.suppress(subprocess.TimeoutExpired):
            for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "valgrind"]):
                subprocess.run(
                    command,
                    env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=False,
                    timeout=APT_GET_SECONDS,
                )
    return shutil.which("valgrind") is not None


def instructions(bootstrap: Path) -> dict[str, int]:
    """The counts of tests/process/instructions.rs. The command is that of `make test-rust`: with other
    features, or without clippy's driver, Cargo would compile the workspace again."""
    test = "--test process -- --ignored --nocapture instructions"
    output = subprocess.run(
        ["cargo", "test", "--locked", "--quiet", "--workspace", *test.split()],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ
        | {
            "CFN_GITOPS_BINARY": str(bootstrap.resolve()),
            "RUSTC_WORKSPACE_WRAPPER": "clippy-driver",
            "CLIPPY_ARGS": "-Dwarnings",
        },
    ).stdout
    counts = dict(re.findall(r"(\w+) = (\d+)$", output, re.MULTILINE))
    return {figure.name: int(counts[figure.name]) for figure in (START, CREATE_HTTP, CREATE_HTTPS)}


def cargo_build() -> int:
    """The zipped size of exactly this command's file."""
    subprocess.run(CARGO, cwd=ROOT, check=True)
    built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/cfn-gitops"
    return zipped(built)


def symbols_left() -> list[str]:
    """The faults of the profile that Cargo resolves for the function, without a build."""
    # The stable Cargo prints its units only with this variable.
    graph = subprocess.run(
        [*CARGO, "--unit-graph", "-Z", "unstable-options"],
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        env=os.environ | {"RUSTC_BOOTSTRAP": "1"},
    ).stdout
    strips = [
        unit["profile"]["strip"] for unit in json.loads(graph)["units"] if unit["target"]["kind"] == ["bin"]
    ]
    if strips == [{"resolved": {"Named": "symbols"}}]:
        return []
    return [
        f"`cargo build --release` strips {strips}, not the symbols: see [profile.release.package.cfn-gitops]"
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the figures instead of checking them")
    parser.add_argument("--bootstrap", type=Path, default=BOOTSTRAP)
    parser.add_argument("--figures", type=Path, default=FIGURES)
    parser.add_argument("--package-alone", action="store_true", help="count no instructions")
    parser.add_argument(
        "--cargo-build", action="store_true", help="also build and check `cargo build --release`"
    )
    given = parser.parse_args()
    measured = measure(given.bootstrap, not given.package_alone)
    checked_in = tomllib.loads(given.figures.read_text()) if given.figures.exists() else {}
    if given.write:
        checked_in |= measured
        given.figures.write_text(
            HEAD + "".join(f"{name} = {figure}\n" for name, figure in checked_in.items())
        )
    print(f"{'now':>12} {'checked in':>12}")
    lines, faults = compare(measured, checked_in)
    if given.cargo_build:
        for found, more in zip(
            (lines, faults), compare({PACKAGE.name: cargo_build()}, checked_in), strict=True
        ):
            found += more
    if not given.package_alone:
        faults += symbols_left()
    print("\n".join(lines))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
