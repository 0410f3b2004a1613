"""Every check of the project, side by side where they can be, and what each took: `make test`.

All of them run, whatever fails before, except those that need what failed. What a check says is shown when it has
ended, so that nothing is mixed up; what is under way is told every minute. Afterwards the tree must be as it was: a
test that leaves a file behind, or a formatter that changes one, fails here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
BOOTSTRAP = ROOT / "target/lambda/cfn-gitops/bootstrap"
TELLS_EVERY_SECONDS = 60
# What is broken off has this long to end by itself.
ENDS_WITHIN_SECONDS = 5

TOOLS, COMPILED, BUILT = "install the tools", "compile the Rust tests", "build for provided.al2023, and check the file"
CLIPPY = "clippy"
# With what is installed here before all else, also where `python` is a shim that puts its own folder first.
PYTEST = ["env", f"PATH={ROOT / '.venv/bin'}:{os.environ['PATH']}", "python", "-m", "pytest",
          "-p", "no:cacheprovider", "-q", "--durations=5"]
# These are long, and each starts a local AWS of its own.
DEPLOYMENT, TWO_ACCOUNTS, LOCAL_AWS = "tests/deployment", "tests/deployment/test_two_accounts.py", "local/aws"


@dataclass(frozen=True)
class Step:
    what: str
    command: list[str]
    # Without the results of these it makes no sense.
    needs: tuple[str, ...] = ()
    # It would only wait for these, whatever becomes of them: cargo does one thing at a time in a directory.
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    step: Step
    succeeded: bool
    seconds: float
    # On all cores, with everything that it started: comparable where the machine has other work.
    processor_seconds: float
    # Empty where it ran.
    why_not_run: str = ""


def steps() -> list[Step]:
    """What comes first is begun first, when there is a choice: the longest, so that nothing is left alone at the end."""
    def python(name: str, *arguments: str) -> Step:
        return Step(f"Python tests: {name}", [*PYTEST, *arguments], needs=(TOOLS, BUILT))

    return [
        Step("rustfmt", ["make", "lint-format"]),
        Step(COMPILED, ["make", "test-rust-compiled"]),
        Step(TOOLS, ["make", ".venv/installed-requirements.txt"]),
        Step(BUILT, ["make", "build"], needs=(TOOLS,)),
        Step(CLIPPY, ["make", "lint-rust"], after=(COMPILED,)),
        python("a deployed environment", DEPLOYMENT, f"--ignore={TWO_ACCOUNTS}"),
        *rust_tests(),
        python("the local AWS", LOCAL_AWS),
        python("a deployment to two accounts", TWO_ACCOUNTS),
        python("all others", "tests", "local", f"--ignore={DEPLOYMENT}", f"--ignore={LOCAL_AWS}"),
        Step("template linters", ["make", "lint-templates"], needs=(TOOLS,)),
        Step("size of the package, instructions of start and first answer", ["make", "check-figures"],
             needs=(COMPILED, BUILT), after=(CLIPPY,)),
        Step("licences, versions and sources of the dependencies", ["make", "lint-dependencies"], needs=(TOOLS,)),
    ]


def rust_tests() -> Iterator[Step]:
    """One step for each test crate of the workspace, one for the unit tests and one for the documentation's tests."""
    metadata = subprocess.run(["cargo", "metadata", "--locked", "--no-deps", "--format-version=1"], cwd=ROOT,
                              stdout=subprocess.PIPE, text=True, check=True).stdout
    targets = [target for package in json.loads(metadata)["packages"] for target in package["targets"]]
    crates = [target["name"] for target in targets if target["kind"] == ["test"]]
    for name, arguments in [("units", ["--lib", "--bins"]), ("documentation", ["--doc"]),
                            *((name, ["--test", name]) for name in crates)]:
        # What starts a process starts the file that is deployed.
        needs = (COMPILED, BUILT) if name == "process" else (COMPILED,)
        yield Step(f"Rust tests: {name}", ["make", "test-rust", f"ARGUMENTS={' '.join(arguments)}"], needs=needs,
                   after=(CLIPPY,))


class Running:
    """One step that has been begun. What it says is kept until it ends."""

    def __init__(self, step: Step, ended: queue.Queue[Running]) -> None:
        self.step = step
        self.began = time.monotonic()
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115: it is read when the step has ended
        # In a session of its own, so that all of it can be ended.
        self._process = subprocess.Popen(step.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self._said,
                                         stderr=subprocess.STDOUT, start_new_session=True)
        self.result: Result | None = None
        threading.Thread(target=self._wait, args=(ended,), daemon=True).start()

    def _wait(self, ended: queue.Queue[Running]) -> None:
        _, status, used = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.result = Result(self.step, self._process.returncode == 0, time.monotonic() - self.began,
                             used.ru_utime + used.ru_stime)
        ended.put(self)

    def said(self) -> str:
        self._said.seek(0)
        return self._said.read().decode(errors="replace").rstrip()

    def stop(self, how: signal.Signals) -> None:
        # It may end at this moment.
        if self.result is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, how)


def at_once() -> int:
    """What `CHECKS_AT_ONCE` says, or as many as this process has cores: two even on one, as one always waits."""
    if said := os.environ.get("CHECKS_AT_ONCE"):
        return max(1, int(said))
    return max(2, min(len(os.sched_getaffinity(0)), _cores_of_the_container()))


def _cores_of_the_container(limit: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """A container sees all cores of its machine, and may use some."""
    quota, _, period = (limit.read_text() if limit.is_file() else "max").strip().partition(" ")
    return sys.maxsize if quota == "max" else -(-int(quota) // int(period))


def run(waiting: list[Step], limit: int) -> Iterator[tuple[Result, str]]:
    """Runs them, so many at once, and yields what came of each, in the order in which they end."""
    done: dict[str, Result] = {}
    running: dict[str, Running] = {}
    ended: queue.Queue[Running] = queue.Queue()
    try:
        while waiting or running:
            for step in list(waiting):
                failed = [need for need in step.needs if need in done and not done[need].succeeded]
                if failed:
                    waiting.remove(step)
                    done[step.what] = Result(step, False, 0, 0, why_not_run=f"it needs: {failed[0]}")
                    yield done[step.what], ""
                elif len(running) < limit and done.keys() >= {*step.needs, *step.after}:
                    waiting.remove(step)
                    running[step.what] = Running(step, ended)
            if not running:
                continue
            try:
                one = ended.get(timeout=TELLS_EVERY_SECONDS)
            except queue.Empty:
                now = time.monotonic()
                under_way = ", ".join(f"{what} ({now - one.began:.0f} s)" for what, one in running.items())
                print(f"... under way: {under_way}", flush=True)
                continue
            del running[one.step.what]
            assert one.result is not None
            done[one.step.what] = one.result
            yield one.result, one.said()
    finally:
        break_off(list(running.values()), ended)


def break_off(running: list[Running], ended: queue.Queue[Running]) -> None:
    """Ends what is under way when somebody gives up, and shows what it has said: the step that hung is among it."""
    # Once is enough; and nothing may be left running because this was disturbed.
    for asked in (signal.SIGTERM, signal.SIGINT) if running else ():
        signal.signal(asked, signal.SIG_IGN)
    for one in running:
        one.stop(signal.SIGTERM)
    until = time.monotonic() + ENDS_WITHIN_SECONDS
    while any(one.result is None for one in running) and time.monotonic() < until:
        with contextlib.suppress(queue.Empty):
            ended.get(timeout=max(0, until - time.monotonic()))
    for one in running:
        one.stop(signal.SIGKILL)
    for one in running:
        print(f"\n=== broken off: {one.step.what}\n{one.said()}", flush=True)


def tree() -> dict[str, str]:
    """What git says has changed, and how: also right where something had changed before."""
    listed = subprocess.run(["git", "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames"],
                            cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = {}
    for entry in filter(None, listed.split("\0")):
        status, name = entry[:2], entry[3:]
        path = ROOT / name
        content = path.read_bytes() if path.is_file() else b""
        found[name] = f"{status} {hashlib.sha256(content).hexdigest()}"
    return found


def main() -> int:
    # A runner that gives up ends the steps, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.environ["CFN_GITOPS_BINARY"] = str(BOOTSTRAP)
    # Where all look for what is built, and the templates too.
    os.environ["CARGO_TARGET_DIR"] = str(ROOT / "target")
    before, began, limit, results = tree(), time.monotonic(), at_once(), []
    with contextlib.closing(run(steps(), limit)) as ran:
        for result, said in ran:
            results.append(result)
            print(f"\n=== {row(result)}\n{said}", flush=True)
    seconds = time.monotonic() - began
    after = tree()
    left = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))

    print("\n=== Summary\n          time  processor")
    for result in results:
        print(row(result))
    print(f"{'FAILED' if left else 'ok    '}                       the tree is as it was")
    print(f"       {seconds:5.0f} s {sum(result.processor_seconds for result in results):8.0f} s  in all, "
          f"{limit} at once")
    for name in left:
        print(f"left or changed by a check: {name}", file=sys.stderr)
    return 0 if not left and all(result.succeeded for result in results) else 1


def row(result: Result) -> str:
    if result.why_not_run:
        return f"NOT RUN                      {result.step.what}: {result.why_not_run}"
    return (f"{'ok    ' if result.succeeded else 'FAILED'} {result.seconds:5.0f} s {result.processor_seconds:8.0f} s  "
            f"{result.step.what}")


if __name__ == "__main__":
    sys.exit(main())
