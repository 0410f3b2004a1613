"""Plants one defect after the other into a copy of the repository, and reports which suites notice it: `make
defects`.

A defect is an entry of `defects/<kind>.toml`: `text` is a part of `file` that occurs once, and `replacement`
is the mistake. `suites` are those that can see it: arguments of `cargo test --workspace`, or of pytest, after
variables of the environment, such as STORY="a story". The
defects of Rust are compiled once, all of them. In their replacements, PLANTED is an expression: it is true if
the environment variable of that name has the defect's `id`. The other defects replace their texts one after
the other.

| Result | Means |
|---|---|
| noticed | the suite fails with the defect, and passes without it |
| unnoticed | the suite passes with the defect, too |
| timeout | the suites of the defect have not ended within two minutes |
| moved | the text does not occur in the file exactly once |
| broken | it does not compile, or the suite fails without it or runs no test |

The products of `tests/support/src/defects` have tests of their own. These run once, and each product that
they print as noticed is a row. The copy is that of the last commit. With --compare, the exit status is 1 if
something is not noticed that an earlier report has as noticed.
"""

from __future__ import annotations

import argparse
import functools
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from tools.checks.run import parallel_steps, profile

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).with_name("defects")
# The copy, with its build output.
COPY = ROOT / "target/defects"
BUILT = COPY / "target"
KINDS = ("product", "template", "policy", "command", "emulator")
# The suites whose products have defects of their own.
PRODUCTS = tuple(
    f"--test faults_{folder} -- --nocapture defects::"
    for folder in ("mirrors", "pipeline", "reporting", "review")
)
LIMIT_SECONDS = 120
# In each crate with a defect.
MODULE = """
pub(crate) mod planted {
    static ID: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| std::env::var("PLANTED").unwrap_or_default());

    pub(crate) fn is(id: &str) -> bool {
        *ID == id
    }
}
"""  # noqa: E501


class Defect(NamedTuple):
    kind: str
    id: str
    wrong: str
    file: str
    text: str
    replacement: str
    suites: tuple[str, ...]

    @property
    def path(self) -> Path:
        return COPY / self.file

    @property
    def is_rust(self) -> bool:
        return self.path.suffix == ".rs"

    def planted_in(self, source: str) -> str:
        """The source with the defect. Empty if the text has moved."""
        mistake = (
            self.replacement.replace("PLANTED", f'crate::planted::is("{self.id}")')
            if self.is_rust
            else self.replacement
        )
        return source.replace(self.text, mistake) if source.count(self.text) == 1 else ""


class Row(NamedTuple):
    kind: str
    id: str
    wrong: str
    suite: str
    result: str
    test: str = ""

    def __str__(self) -> str:
        cells = [*self[:3], f"`{self.suite}`", self.result, f"`{self.test}`" if self.test else ""]
        return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def read_defects(only: list[str]) -> list[Defect]:
    found = [
        Defect(kind, **entry | {"suites": tuple(entry["suites"])})
        for kind in KINDS
        for entry in tomllib.loads((DATA / f"{kind}.toml").read_text())["defect"]
    ]
    assert len({each.id for each in found}) == len(found), "the ids are not unique"
    return [each for each in found if not only or each.id in only]


def copy() -> None:
    """The tracked files of the last commit, and the compiled dependencies."""
    COPY.mkdir(parents=True, exist_ok=True)
    for old in COPY.iterdir():
        if old.is_symlink() or old.is_file():
            old.unlink()
        elif old != BUILT:
            shutil.rmtree(old)
    if not BUILT.exists() and (ROOT / "target/debug").exists():
        # With the times: Cargo compiles a crate again that is older than its dependencies.
        shutil.copytree(
            ROOT / "target/debug",
            BUILT / "debug",
            symlinks=True,
            ignore=shutil.ignore_patterns("incremental"),
        )
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    # With the present time: for Cargo, a file that is older than the output has not changed.
    subprocess.run(["tar", "--extract", "--touch"], cwd=COPY, input=archive, check=True)
    (COPY / ".venv").symlink_to(ROOT / ".venv")


@functools.cache
def original(path: Path) -> str:
    """Its first read, which is before any defect. Empty if it does not exist."""
    return path.read_text() if path.is_file() else ""


def compile_rust(planted: set[Defect]) -> set[Defect]:
    """Plants the defects of Rust and compiles them. Returns those in files that compile."""
    sources = {path: original(path) for path in {each.path for each in planted}}
    for each in sorted(planted):
        sources[each.path] = each.planted_in(sources[each.path])
        assert sources[each.path], f"{each.id} overlaps with another defect"
        root = next(folder for folder in each.path.parents if (folder / "lib.rs").exists()) / "lib.rs"
        sources[root] = sources.get(root, original(root)).replace(MODULE, "") + MODULE
    for path, source in sources.items():
        path.write_text(source)
    # An integration test of its package also compiles the emulator that tests/rules starts.
    suites = [
        *PRODUCTS,
        "--test fake_aws",
        *(suite for each in planted for suite in each.suites),
    ]
    targets = sorted({target for suite in suites for target in re.findall(r"--lib|--test \w+", suite)})
    output, status = execute("--no-run --message-format short " + " ".join(targets))
    if status == 0:
        return planted
    faulty = set(re.findall(r"^(\S+\.rs):\d+:\d+: error", output, re.MULTILINE))
    broken = {each for each in planted if each.file in faulty}
    if not broken:
        sys.exit(f"{output}\nThe copy does not compile.")
    for each in broken:
        print(
            f"{each.id} does not compile:",
            *re.findall(rf"^{re.escape(each.file)}:.* error.*$", output, re.MULTILINE),
            sep="\n",
        )
        each.path.write_text(original(each.path))
    return compile_rust(planted - broken)


def execute(suite: str, planted: str = "", limit: float | None = None) -> tuple[str, int | None]:
    """The output and the exit status, `None` if it was ended at its limit."""
    words = shlex.split(suite)
    count = sum(1 for _ in takewhile(re.compile("[A-Z]+=").match, words))
    settings, arguments = dict(word.split("=", 1) for word in words[:count]), words[count:]
    program = (
        ["cargo", "test", "--locked", "--workspace"]
        if arguments[0].startswith("--")
        else [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    )
    environment = (
        os.environ
        | profile(parallel_steps())
        | {
            "CARGO_TARGET_DIR": str(BUILT),
            "PLANTED": planted,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        | settings
    )
    # In a session of its own, so that all its processes can be killed.
    with subprocess.Popen(
        [*program, *arguments],
        cwd=COPY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            return process.communicate(timeout=limit)[0], process.returncode
        except subprocess.TimeoutExpired:
            return "", None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)


def has_passed(output: str, status: int | None) -> bool:
    """A filter that matches no test succeeds as well."""
    return status == 0 and re.search(r"\b[1-9]\d* passed", output) is not None


@functools.cache
def passes_without_defect(suite: str) -> bool:
    return has_passed(*execute(suite))


def rows_of(defect: Defect) -> Iterator[Row]:
    """The results of its suites. A defect of Rust is compiled already."""
    checked = {suite: passes_without_defect(suite) for suite in defect.suites}
    if not defect.is_rust:
        defect.path.write_text(defect.planted_in(original(defect.path)))
    end = time.monotonic() + LIMIT_SECONDS
    for suite in defect.suites:
        result, test = "broken", ""
        if checked[suite]:
            output, status = execute(suite, defect.id, max(1, end - time.monotonic()))
            result = "timeout" if status is None else "unnoticed" if has_passed(output, status) else "noticed"
            failed = re.search(r"^(?:test (\S+) \.\.\. FAILED|FAILED (\S+))", output, re.MULTILINE)
            test = (failed[1] or failed[2]) if failed else ""
        yield Row(defect.kind, defect.id, defect.wrong, suite, result, test)
    if not defect.is_rust:
        defect.path.write_text(original(defect.path))


def rows(defects: list[Defect], with_products: bool) -> Iterator[Row]:
    moved = {each for each in defects if not each.planted_in(original(each.path))}
    rust = {each for each in defects if each.is_rust} - moved
    compiled = compile_rust(rust) if rust or with_products else set()
    for each in defects:
        if each in moved or each in rust - compiled:
            result = "moved" if each in moved else "broken"
            yield from (Row(each.kind, each.id, each.wrong, suite, result) for suite in each.suites)
        else:
            yield from rows_of(each)
    for suite in PRODUCTS if with_products else ():
        for name, defect in re.findall(r"defect in (.*`), (\w+\(.*?\)): ", execute(suite)[0]):
            # Without the address of a function.
            yield Row("calls", name, f"`{re.sub(', 0x[0-9a-f]+', '', defect)}`", suite, "noticed")


def report(found: list[Row]) -> str:
    counts = Counter(each.result for each in found)
    return "\n".join(
        [
            "# Which suites notice which defects",
            "",
            (
                f"{', '.join(f'{count} {result}' for result, count in counts.most_common())}. `make defects`"
                " writes this."
            ),
            "",
            "| Kind | Defect | What is wrong | Suite | Result | First test |",
            "|---|---|---|---|---|---|",
            *map(str, found),
            "",
        ]
    )


def noticed_in(text: str) -> set[str]:
    """The defects of a report that at least one suite noticed."""
    cells = [
        [cell.strip() for cell in line.split("|")] for line in text.splitlines() if line.startswith("| ")
    ]
    return {f"{kind} {name}" for _, kind, name, _, _, result, *_ in cells if result == "noticed"}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("report", type=Path, help="the file to write")
    parser.add_argument("--compare", type=Path, metavar="EARLIER", help="an earlier report")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="ID", help="these defects alone, without those products"
    )
    given = parser.parse_args()
    earlier = noticed_in(given.compare.read_text()) if given.compare else set()
    copy()
    found = []
    for each in rows(read_defects(given.only), with_products=not given.only):
        print(each, flush=True)
        found.append(each)
    text = report(found)
    given.report.write_text(text)
    print(f"\n{text}")
    lost = sorted(earlier - noticed_in(text))
    print(*(f"no longer noticed: {each}" for each in lost), sep="\n")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
