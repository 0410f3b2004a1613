"""Runs the checks of the project, several at once, and reports how long each took: `make test`.

`SCHEDULES` decides how much of the slow ones runs: `test` (the default), `ci` or `all`. A run prints its
omissions at its end.

A failed check stops only the checks that need its result. The output of a check is printed when it has ended,
so that outputs do not mix. Every minute the running checks are listed. At the end the git tree must be
unchanged: a test that leaves a file behind, or a formatter that changes one, fails the run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tools.run.console import ending_at_interrupt

ROOT = Path(__file__).parents[2]
EXTENT = os.environ.get("SCHEDULES") or "test"
# The deployable function, or the machine's own build, which `make run` deploys to the local AWS.
BOOTSTRAP = ROOT / ("target/local/bootstrap" if EXTENT == "test" else "target/lambda/cfn-gitops/bootstrap")
PROGRESS_INTERVAL_SECONDS = 60
# The last lines of a failed step's output, printed again after the summary. There a test runner lists the
# failed tests, and some CI hosts show only the end of a log.
REPEATED_LINES = 15
# A cancelled step is killed if it has not ended by then.
TERMINATION_TIMEOUT_SECONDS = 5

TOOLS, COMPILED = "install the tools", "compile the Rust tests, with clippy's lints"
BUILT = "build for this machine" if EXTENT == "test" else "build for provided.al2023, and check the file"
# The tests that deploy need the function, and a GitLab that is compiled with the Rust tests or with this
# machine's function.
DEPLOYABLE = (TOOLS, BUILT) if EXTENT == "test" else (TOOLS, BUILT, COMPILED)
# .venv comes first in PATH, even if `python` is a shim that prepends a folder of its own.
PYTEST = [
    "env",
    f"PATH={ROOT / '.venv/bin'}:{os.environ['PATH']}",
    "python",
    "-m",
    "pytest",
    "-p",
    "no:cacheprovider",
    "-q",
    "--durations=5",
]
# These are long, and each starts a local AWS of its own.
DEPLOYMENT, PAGES, LOCAL_AWS = "tests/deployment", "tests/pages", "tests/local/aws"
TWO_ACCOUNTS, TRIAL = f"{DEPLOYMENT}/test_two_accounts.py", f"{DEPLOYMENT}/test_try.py"
OBSERVERS = f"{DEPLOYMENT}/test_observers.py"
PARTITION, CDK = f"{DEPLOYMENT}/test_partition.py", f"{DEPLOYMENT}/test_cdk.py"
# They evaluate what the sessions with a deployed environment write.
EVALUATIONS = {f"{DEPLOYMENT}/test_least_privilege.py", f"{DEPLOYMENT}/test_secrecy.py"}
TRANSCRIPTS = ROOT / "target/deployment-transcripts"
# Of the deployed environment, and of the pages.
SESSIONS = 2
# They need the deployable function.
PACKAGES = "tests/packages"
# It needs minutes, and few changes concern it.
REPLICATION = "tests/replication"
# It needs nothing that is compiled, except for the local GitLab of one file.
CLI, CHECK_GITLAB = "tests/cli", "tests/cli/test_check_gitlab.py"
# The Rust tests write the calls that it evaluates.
RECORDED_CALLS = "tests/policies/test_recorded_calls.py"
EXCHANGES = [f"tests/witnesses/test_{which}_exchanges.py" for which in ("aws", "gitlab")]
RULES = "tests/rules"
CALLS = ROOT / "target/recorded-calls"
LEFT_OUT = {
    "test": (
        "the release build with its size, instruction counts, packages and `make deploy`; the deployments to"
        " two accounts and to GovCloud; the commands of pages; the app for CDK; replication; make try and its"
        " observers; the tests of the local AWS; 47 of 48 fault schedules, and most"
        " orders of concurrent calls"
    ),
    "ci": (
        "23 of 24 fault schedules, most orders of concurrent calls, scale, the file of `cargo build"
        " --release`, and the observers of make try in one run"
    ),
    "all": "nothing",
}


@dataclass(frozen=True)
class Step:
    name: str
    command: list[str]
    # The step runs only if these steps have succeeded.
    needs: tuple[str, ...] = ()
    # The step starts after these steps, whether they succeed or fail: cargo locks its target directory.
    after: tuple[str, ...] = ()
    # The step uses less than half of a core, so it runs beside the others.
    mostly_waits: bool = False


@dataclass(frozen=True)
class Result:
    step: Step
    succeeded: bool
    seconds: float
    # CPU time of all its processes: comparable between machines with other load.
    processor_seconds: float
    # Empty if the step ran.
    skip_reason: str = ""


def steps() -> list[Step]:
    """Steps start in this order. The longest come first, so that no long step runs alone at the end."""

    def python(name: str, *arguments: str) -> Step:
        return Step(f"Python tests: {name}", [*PYTEST, *arguments], needs=DEPLOYABLE, mostly_waits=True)

    is_short = EXTENT == "test"
    # The deployments begin before the tests are compiled.
    built = (
        Step(BUILT, ["make", "test-function"]) if is_short else Step(BUILT, ["make", "build"], needs=(TOOLS,))
    )
    long = (
        []
        if is_short
        else [
            *(
                python(f"the commands of pages, {number} of {SESSIONS}", *files)
                for number, files in enumerate(sessions(PAGES), 1)
            ),
            python("the local AWS", LOCAL_AWS),
            python("a deployment to two accounts", TWO_ACCOUNTS),
            python("make try", TRIAL, OBSERVERS),
            python("an environment in GovCloud (US)", PARTITION),
            python("the app of the page about CDK", CDK),
            Step("package size and instruction counts", ["make", "check-figures"], needs=(COMPILED, BUILT)),
        ]
    )
    of_ci = [f"--ignore={each}" for each in (PACKAGES, REPLICATION) if is_short]
    rust = list(rust_tests())
    return [
        Step("rustfmt", ["make", "lint-format"]),
        built,
        Step(COMPILED, ["make", "test-rust-compiled"], after=(BUILT,) if is_short else ()),
        Step(TOOLS, ["make", ".venv/installed-requirements.txt"]),
        *deployment_tests(),
        *rust,
        *long,
        python(
            "all others",
            "tests",
            f"--ignore={DEPLOYMENT}",
            f"--ignore={PAGES}",
            f"--ignore={LOCAL_AWS}",
            f"--ignore={RULES}",
            f"--ignore={CLI}",
            *(f"--ignore={file}" for file in (RECORDED_CALLS, *EXCHANGES)),
            *of_ci,
        ),
        Step(
            "Python tests: the operator's command",
            [*PYTEST, CLI, f"--ignore={CHECK_GITLAB}"],
            needs=(TOOLS,),
            mostly_waits=True,
        ),
        python("the rules of the emulators, and the operator's command with GitLab", RULES, CHECK_GITLAB),
        Step(
            "Python tests: the calls of the Rust tests",
            [*PYTEST, RECORDED_CALLS, *EXCHANGES],
            needs=(TOOLS,),
            after=tuple(step.name for step in rust),
        ),
        Step("template linters", ["make", "lint-templates"], needs=(TOOLS,)),
        Step("prose", ["make", "lint-prose"], needs=(TOOLS,)),
        Step("format and lint of Python", ["make", "lint-python"], needs=(TOOLS,)),
        Step("shape of the code", ["make", "lint-structure"]),
        Step("the brake: size by area and list", ["make", "lint-brake"], needs=(TOOLS,)),
        Step("documentation site", ["make", "docs"]),
        Step(
            "licences, versions and sources of the dependencies",
            ["make", "lint-dependencies"],
            needs=(TOOLS,),
        ),
    ]


def deployment_tests() -> Iterator[Step]:
    """Steps with a deployed environment each, and the evaluation of what all of them did. They wait for
    stacks, and for the function, which retries a denied call until IAM's changes are in effect."""
    recording = ["env", f"DEPLOYMENT_TRANSCRIPTS={TRANSCRIPTS}", *PYTEST]
    own_steps = {TWO_ACCOUNTS, TRIAL, OBSERVERS, PARTITION, CDK}
    deployed = [
        Step(
            f"Python tests: a deployed environment, {number} of {SESSIONS}",
            [*recording, *files],
            needs=DEPLOYABLE,
            mostly_waits=True,
        )
        for number, files in enumerate(sessions(DEPLOYMENT, EVALUATIONS | own_steps), 1)
    ]
    yield from deployed
    yield Step(
        "Python tests: what the deployed environments did",
        [*recording, *sorted(EVALUATIONS)],
        needs=tuple(step.name for step in deployed),
    )


def sessions(folder: str, without: Iterable[str] = ()) -> list[list[str]]:
    """The test files of a folder, in turns, by name."""
    files = sorted({str(file.relative_to(ROOT)) for file in (ROOT / folder).glob("test_*.py")} - set(without))
    return [files[first::SESSIONS] for first in range(SESSIONS)]


def rust_tests() -> Iterator[Step]:
    """One step for each test crate of the workspace, one for the unit tests and one for the documentation's
    tests."""
    metadata = subprocess.run(
        ["cargo", "metadata", "--locked", "--no-deps", "--format-version=1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    targets = [target for package in json.loads(metadata)["packages"] for target in package["targets"]]
    crates = [target["name"] for target in targets if target["kind"] == ["test"]]
    if EXTENT != "all":
        crates.remove("scale")
    longest_first = sorted(crates, key=lambda name: not name.startswith("faults_"))
    # Cargo would compile the libraries without unit tests, and the programs, for the unit tests as well.
    for name, arguments in [
        *((name, ["--test", name]) for name in longest_first),
        ("documentation", ["--doc"]),
        ("units", ["--lib", "--exclude=fake-aws", "--exclude=test-support"]),
    ]:
        # These tests start the built function.
        needs = (COMPILED, BUILT) if name == "process" else (COMPILED,)
        # Other tests call with names that no environment has.
        records = name.startswith("faults_") or name == "health_check"
        recording = ["env", f"RECORDED_CALLS={CALLS}"] if records else []
        yield Step(
            f"Rust tests: {name}",
            [*recording, "make", "test-rust", f"ARGUMENTS={' '.join(arguments)}"],
            needs=needs,
            mostly_waits=name == "process",
        )


class Running:
    """A started step, and its output."""

    def __init__(self, step: Step, ended: queue.Queue[Running]) -> None:
        self.step = step
        self.started = time.monotonic()
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it is read when the step has ended
        # A session of its own, so that all its processes can be killed.
        self._process = subprocess.Popen(
            step.command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.result: Result | None = None
        threading.Thread(target=self._wait, args=(ended,), daemon=True).start()

    def _wait(self, ended: queue.Queue[Running]) -> None:
        _, status, used = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.result = Result(
            self.step,
            self._process.returncode == 0,
            time.monotonic() - self.started,
            used.ru_utime + used.ru_stime,
        )
        ended.put(self)

    def output(self) -> str:
        self._output.seek(0)
        return self._output.read().decode(errors="replace").rstrip()

    def stop(self, with_signal: signal.Signals) -> None:
        # The process may end at this moment.
        if self.result is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, with_signal)


def parallel_steps() -> int:
    """`CHECKS_AT_ONCE`, or the number of cores, at least two: one of two steps usually waits."""
    if given := os.environ.get("CHECKS_AT_ONCE"):
        return max(1, int(given))
    return max(2, min(len(os.sched_getaffinity(0)), _container_cores()))


def profile(limit: int) -> dict[str, str]:
    """The environment variables with which the tests are compiled.

    Without debug information, a panic still names its line. Incremental compilation takes a quarter longer,
    and nothing is compiled a second time. More codegen units than cores repeat generic code (Cargo's number
    is 16), and optimising across the units of a crate takes a fifth of its compilation. Optimising within
    them takes less processor time than it saves only if all schedules run."""
    return {
        "CARGO_PROFILE_TEST_DEBUG": "0",
        "CARGO_INCREMENTAL": "0",
        "CARGO_PROFILE_TEST_CODEGEN_UNITS": str(min(limit, 16)),
        "CARGO_PROFILE_TEST_LTO": "off",
        "CARGO_PROFILE_TEST_OPT_LEVEL": "2" if EXTENT == "all" else "0",
    }


def _container_cores(limit: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """The CPU quota of the container, which sees all cores of its machine."""
    quota, _, period = (limit.read_text() if limit.is_file() else "max").strip().partition(" ")
    return sys.maxsize if quota == "max" else -(-int(quota) // int(period))


def run(waiting: list[Step], limit: int) -> Iterator[tuple[Result, str]]:
    """Runs the steps, at most `limit` at once, and beside them three times as many that mostly wait. Yields
    each result with its output, in the order in which they end."""
    done: dict[str, Result] = {}
    running: dict[str, Running] = {}
    ended: queue.Queue[Running] = queue.Queue()
    try:
        while waiting or running:
            for step in list(waiting):
                beside = [one for one in running.values() if one.step.mostly_waits == step.mostly_waits]
                failed = [need for need in step.needs if need in done and not done[need].succeeded]
                if failed:
                    waiting.remove(step)
                    done[step.name] = Result(step, False, 0, 0, skip_reason=f"it needs: {failed[0]}")
                    yield done[step.name], ""
                elif len(beside) < limit * (3 if step.mostly_waits else 1) and done.keys() >= {
                    *step.needs,
                    *step.after,
                }:
                    waiting.remove(step)
                    running[step.name] = Running(step, ended)
            if not running:
                continue
            try:
                one = ended.get(timeout=PROGRESS_INTERVAL_SECONDS)
            except queue.Empty:
                now = time.monotonic()
                under_way = ", ".join(f"{name} ({now - one.started:.0f} s)" for name, one in running.items())
                print(f"... running: {under_way}", flush=True)
                continue
            del running[one.step.name]
            assert one.result is not None
            done[one.step.name] = one.result
            yield one.result, one.output()
    finally:
        cancel(list(running.values()), ended)


def cancel(running: list[Running], ended: queue.Queue[Running]) -> None:
    """Ends the running steps if the run is interrupted. Prints their output, including that of a step that
    hung, unless a person has interrupted it."""
    # ending_at_interrupt ignores the second Ctrl-C.
    by_a_person = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    # Ignore further signals, so that no process is left running.
    for number in (signal.SIGTERM, signal.SIGINT) if running else ():
        signal.signal(number, signal.SIG_IGN)
    for one in running:
        one.stop(signal.SIGTERM)
    until = time.monotonic() + TERMINATION_TIMEOUT_SECONDS
    while any(one.result is None for one in running) and time.monotonic() < until:
        with contextlib.suppress(queue.Empty):
            ended.get(timeout=max(0, until - time.monotonic()))
    for one in running:
        one.stop(signal.SIGKILL)
    for one in running if not by_a_person else ():
        print(f"\n=== cancelled: {one.step.name}\n{one.output()}", flush=True)


def tree() -> dict[str, str]:
    """The changed files by git, each with its status and hash. Works even if files had changed before the
    run."""
    listed = subprocess.run(
        ["git", "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    found = {}
    for entry in filter(None, listed.split("\0")):
        status, name = entry[:2], entry[3:]
        path = ROOT / name
        content = path.read_bytes() if path.is_file() else b""
        found[name] = f"{status} {hashlib.sha256(content).hexdigest()}"
    return found


def main() -> int:
    with ending_at_interrupt("Interrupted: all checks are stopped."):
        return perform()


def perform() -> int:
    # If the CI runner cancels this process, end the steps as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if EXTENT not in LEFT_OUT:
        sys.exit(f"SCHEDULES={EXTENT}: {', '.join(LEFT_OUT)}")
    limit = parallel_steps()
    os.environ |= {"CFN_GITOPS_BINARY": str(BOOTSTRAP), "SCHEDULES": EXTENT} | profile(limit)
    # The tests and the templates expect the built function there.
    os.environ["CARGO_TARGET_DIR"] = str(ROOT / "target")
    shutil.rmtree(CALLS, ignore_errors=True)
    shutil.rmtree(TRANSCRIPTS, ignore_errors=True)
    before, began = tree(), time.monotonic()
    results, failures = [], []
    with contextlib.closing(run(steps(), limit)) as ran:
        for result, output in ran:
            results.append(result)
            print(f"\n=== {row(result)}\n{output}", flush=True)
            if output and not result.succeeded:
                failures.append(f"\n=== {row(result)}\n" + "\n".join(output.splitlines()[-REPEATED_LINES:]))
    seconds = time.monotonic() - began
    after = tree()
    left = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))

    print("\n=== Summary\n          time  processor")
    for result in results:
        print(row(result))
    print(f"{'FAILED' if left else 'ok    '}                       the tree is unchanged")
    print(
        f"       {seconds:5.0f} s {sum(result.processor_seconds for result in results):8.0f} s  in all, "
        f"{limit} at once"
    )
    print(f"SCHEDULES={EXTENT} leaves out: {LEFT_OUT[EXTENT]}")
    print(*failures, sep="\n", end="\n" if failures else "")
    for name in left:
        print(f"left or changed by a check: {name}", file=sys.stderr)
    return 0 if not left and all(result.succeeded for result in results) else 1


def row(result: Result) -> str:
    if result.skip_reason:
        return f"NOT RUN                      {result.step.name}: {result.skip_reason}"
    return (
        f"{'ok    ' if result.succeeded else 'FAILED'} {result.seconds:5.0f} s"
        f" {result.processor_seconds:8.0f} s  {result.step.name}"
    )


if __name__ == "__main__":
    sys.exit(main())
