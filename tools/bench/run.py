"""`make bench`: compares this function with crhelper and with a floor in one run, and prints a table.

Needs the requirements of `make build`. The figures depend on the machine and on its load, so it has no
limits:
`make check-figures` checks for growth.
"""

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass

from tools.bench import contenders, harness_program
from tools.bench.host import Harness, Run, event

# The number of Creates, each for another user, that a process handles one after another.
CREATES = 10
ROUNDS = 15
LATENCY_MS = 20


@dataclass(frozen=True)
class Column:
    name: str
    latency_ms: int
    of: Callable[[Run], float]
    # From seconds or bytes to the unit of the column.
    scale: float


COLUMNS = [
    Column("Start and first response, ms", 0, lambda run: run.invocations[0]["answered"], 1e3),
    Column(
        f"Warm response, {LATENCY_MS} ms for each call, ms",
        LATENCY_MS,
        lambda run: statistics.median(run.durations()[1:]),
        1e3,
    ),
    Column(f"Processor, start and {CREATES} Creates, ms", 0, lambda run: run.processor_seconds, 1e3),
    Column("Peak memory, MB", 0, lambda run: run.peak_memory, 1e-6),
]


def measure(contender: contenders.Contender, harness: Harness, latency_ms: int) -> Run:
    run = harness.run(contender.program, [event(number) for number in range(CREATES)], "https", latency_ms)
    if contender.works and (run.credentials, run.secrets) != (CREATES, CREATES):
        raise SystemExit(f"{contender.name} made {run.credentials} credentials and {run.secrets} secrets")
    return run


def main() -> int:
    print("Building and installing what is measured; the first time this takes minutes.", flush=True)
    found = [contenders.ours(), contenders.crhelper(), contenders.floor()]
    runs: dict[tuple[str, int], list[Run]] = {}
    with Harness(harness_program.built()) as harness:
        # In turns, so that a disturbance of the machine affects all of them.
        for _ in range(ROUNDS):
            for contender in found:
                for latency_ms in (0, LATENCY_MS):
                    runs.setdefault((contender.name, latency_ms), []).append(
                        measure(contender, harness, latency_ms)
                    )
    print(
        f"Medians of {ROUNDS} rounds, AWS over TLS:\n\n| | {' | '.join(column.name for column in COLUMNS)} |"
        " Package, MB |"
    )
    print(f"|---|{'---:|' * (len(COLUMNS) + 1)}")
    for contender in found:
        values = [
            statistics.median(map(column.of, runs[contender.name, column.latency_ms])) * column.scale
            for column in COLUMNS
        ]
        print(
            f"| {contender.name} | {' | '.join(f'{value:.1f}' for value in values)} |"
            f" {contender.package / 1e6:.2f} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
