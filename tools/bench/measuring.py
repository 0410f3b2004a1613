"""Measures the contenders, once per round, one after another."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter

from tools.bench.contenders import Contender
from tools.bench.host import Harness, Run, event

# The number of Creates, each for another user, that a process handles one after another.
CREATES = 10
LATENCY_MS = 20


@dataclass(frozen=True)
class Setting:
    """The connection to AWS, and the latency of each call."""
    scheme: str
    latency_ms: int

    def __str__(self) -> str:
        return f"{'TLS' if self.scheme == 'https' else 'HTTP'}, {self.latency_ms} ms"


HTTP, TLS = Setting("http", 0), Setting("https", 0)
HTTP_SLOW, TLS_SLOW = Setting("http", LATENCY_MS), Setting("https", LATENCY_MS)
# The maximum number of rounds, and their time limit in seconds. The first round always runs.
ROUNDS = {HTTP: (25, 50.0), TLS: (25, 50.0), HTTP_SLOW: (5, 30.0), TLS_SLOW: (5, 30.0)}


@dataclass
class Measured:
    contenders: list[Contender]
    # By setting and contender, in rounds.
    runs: dict[Setting, dict[str, list[Run]]] = field(default_factory=dict)
    # A Create, an Update and a Delete of the same resource.
    lives: dict[str, Run] = field(default_factory=dict)
    instructions: dict[tuple[str, str], int] = field(default_factory=dict)

    def values(self, setting: Setting, name: str, of: Callable[[Run], float]) -> list[float]:
        return [of(run) for run in self.runs[setting][name]]

    def ratios(self, setting: Setting, name: str, other: str, of: Callable[[Run], float]) -> list[float]:
        """Compared round by round: a disturbance affects both."""
        return [one / beside for one, beside in
                zip(self.values(setting, name, of), self.values(setting, other, of), strict=True)]


def measure(contenders: list[Contender], harness: Harness, report: Callable[[str], None]) -> Measured:
    measured = Measured(contenders)
    for contender in contenders:
        if contender.works:
            life = harness.run(contender.program, [event("Create", 1), event("Update", 1, 2), event("Delete", 1, 2)])
            if life.credentials or life.secrets:
                raise SystemExit(f"{contender.name} left {life.credentials} credentials and {life.secrets} secrets")
            measured.lives[contender.name] = life
    creates = [event("Create", number) for number in range(CREATES)]
    for setting, (most, seconds) in ROUNDS.items():
        runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
        began, rounds = time.monotonic(), 0
        while rounds == 0 or (rounds < most and time.monotonic() - began < seconds):
            for contender in contenders:
                run = harness.run(contender.program, creates, setting.scheme, setting.latency_ms)
                if contender.works and (run.credentials, run.secrets) != (CREATES, CREATES):
                    raise SystemExit(f"{contender.name} made {run.credentials} credentials and {run.secrets} secrets")
                runs[contender.name].append(run)
            rounds += 1
        measured.runs[setting] = runs
        report(f"{setting}: {rounds} rounds")
    return measured


starting, first_answer, first_put = attrgetter("starting"), attrgetter("first_answer"), attrgetter("first_put")
processor, memory = attrgetter("processor_seconds"), attrgetter("peak_memory")


def warm_answer(run: Run) -> float:
    """From an event to its response, except for the first one: the median of a run, in seconds."""
    return statistics.median(run.durations()[1:])


def waits(run: Run) -> float:
    """The ratio of a warm response's time to the time of the calls that it waits for: the run's median."""
    ratios = [run.durations()[index] / chain(run.calls_of(index))[1] for index in range(1, CREATES)]
    return statistics.median(ratios)


def chain(calls: list[dict]) -> tuple[int, float]:
    """The longest chain of sequential calls: its length, and its time."""
    longest: list[tuple[float, int, float]] = []
    for call in sorted(calls, key=lambda call: call["begun"]):
        before = [one for one in longest if one[0] <= call["begun"]]
        trips = max((one[1] for one in before), default=0) + 1
        seconds = max((one[2] for one in before), default=0.0) + call["ended"] - call["begun"]
        longest.append((call["ended"], trips, seconds))
    return max((one[1] for one in longest), default=0), max((one[2] for one in longest), default=0.0)


@dataclass(frozen=True)
class CallCounts:
    """The calls of a warm Create: the means, because IAM's passwords differ, and some are reset."""
    # With the PUT of the answer to CloudFormation.
    calls: float
    # The longest chain of calls of which each starts after the end of the former one, without the PUT and with it.
    round_trips: float
    round_trips_with_put: float


def count_calls(runs: list[Run]) -> CallCounts:
    warm = [run.calls_of(number) for run in runs for number in range(1, CREATES)]
    without_put = [[call for call in calls if call["service"] != "response_bucket"] for calls in warm]
    return CallCounts(statistics.mean(map(len, warm)), statistics.mean(chain(calls)[0] for calls in without_put),
                      statistics.mean(chain(calls)[0] for calls in warm))


def own_time_of_the_account(measured: Measured) -> float:
    """The local AWS's own time for a call, without the latency: the median, in seconds."""
    return statistics.median(call["own"] / 1e9 for run in measured.runs[HTTP]["cfn-gitops"] for call in run.calls)


def multiple(ratio: float) -> str:
    return f"{ratio:.0f}×" if ratio >= 10 else f"{ratio:.2g}×"
