"""The goals of the benchmark. docs/project/decisions/2026-11-22-benchmark-goals.md has the reasons."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from tools.bench.contenders import Contender
from tools.bench.host import Run
from tools.bench.measuring import (
    HTTP, HTTP_SLOW, TLS, TLS_SLOW, Measured, Setting, first_answer, memory, processor, waits, warm_answer)

OURS, FLOOR, CRHELPER = "cfn-gitops", "floor", "crhelper"
LARGEST_PACKAGE = 3_887_376
# The highest multiples of the floor's time.
SLOWEST_START = {HTTP: 3, TLS: 4}
# In bytes.
LARGEST_MEMORY = {HTTP: 10_300_000, TLS: 10_700_000}
# The highest ratio of a warm response's time to the time of its calls.
LONGEST_WARM = 1.10


@dataclass(frozen=True)
class Goal:
    what: str
    wanted: str
    measured: str
    # The distance from the goal: below 1 if it is met.
    part: float

    @property
    def is_met(self) -> bool:
        return self.part <= 1


def goals(measured: Measured) -> list[Goal]:
    def at_most(setting: Setting, other: str, of: Callable[[Run], float], times: float, what: str) -> Goal:
        ratio = statistics.median(measured.ratios(setting, OURS, other, of))
        if times >= 1:
            return Goal(f"{what}, {setting}", f"at most {times:g}x the {other}'s", f"{ratio:.2f}x", ratio / times)
        return Goal(f"{what}, {setting}", f"at most 1/{1 / times:.0f} of {other}'s", f"1/{1 / ratio:.1f}", ratio / times)

    answered = "start and first answer"
    found = [at_most(setting, FLOOR, first_answer, times, answered) for setting, times in SLOWEST_START.items()]
    found += [at_most(setting, CRHELPER, first_answer, 1 / 40, answered) for setting in (HTTP, TLS)]
    found += [at_most(setting, CRHELPER, warm_answer, 1, "warm answer") for setting in (HTTP_SLOW, TLS_SLOW)]
    for setting in (HTTP_SLOW, TLS_SLOW):
        ratio = statistics.median(measured.values(setting, OURS, waits))
        found.append(Goal(f"warm answer beside the calls that it waits for, {setting}",
                          f"at most {LONGEST_WARM - 1:.0%} longer", f"{ratio - 1:+.1%}", ratio / LONGEST_WARM))
    found.append(at_most(TLS, CRHELPER, processor, 1 / 25, "processor time of start and ten Creates"))
    for setting, most in LARGEST_MEMORY.items():
        found.append(_bytes(f"peak memory, {setting}", statistics.median(measured.values(setting, OURS, memory)), most, 1))
    found.append(_bytes("zipped package", _package(measured.contenders), LARGEST_PACKAGE, 3))
    return found


def _bytes(what: str, value: float, most: int, digits: int) -> Goal:
    return Goal(what, f"at most {most / 1e6:.{digits}f} MB", f"{value / 1e6:.{digits}f} MB", value / most)


def _package(contenders: list[Contender]) -> int:
    return next(contender.package for contender in contenders if contender.name == OURS)
