"""The figures as sentences and tables in Markdown, each written between two markers of a page."""

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.bench import goals
from tools.bench.host import Run
from tools.bench.measuring import (
    CREATES, HTTP, HTTP_SLOW, LATENCY_MS, TLS, TLS_SLOW, Measured, Setting, count_calls, first_answer, first_put,
    memory, multiple, own_time_of_the_account, processor, starting, waits, warm_answer)

# The markers around one part of a page that `make bench` writes.
BEGIN, END = "<!-- make bench writes {}: begin -->", "<!-- make bench writes {}: end -->"

# Lambda gives a function of 128 MB this part of a core: a core is 1,769 MB.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
_CORE_PARTS = 1_769 / 128


def spread(values: Sequence[float], scale: float, digits: int = 1) -> str:
    """The median, and the limits of the middle half."""
    if len(values) < 2:
        return f"{values[0] * scale:.{digits}f}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle * scale:.{digits}f} ({low * scale:.{digits}f}–{high * scale:.{digits}f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", f"|{'---|' + '---:|' * (len(head) - 1)}", *(f"| {' | '.join(row)} |" for row in rows)]


def times(measured: Measured, setting: Setting) -> list[str]:
    """One setting's times, each also relative to ours, and the round trips of a warm answer."""
    columns: list[tuple[str, Callable[[Run], float]]] = [
        ("start to first poll", starting), ("start and first answer", first_answer),
        ("until CloudFormation has it", first_put), ("warm answer", warm_answer),
        (f"processor, start and {CREATES} Creates", processor)]
    rows = []
    for contender in measured.contenders:
        cells = []
        for _, of in columns:
            if of is first_put and not contender.works:
                cells.append("–")
                continue
            cell = spread(measured.values(setting, contender.name, of), 1e3)
            if contender.name != goals.OURS:
                ratio = statistics.median(measured.ratios(setting, contender.name, goals.OURS, of))
                cell += f", {multiple(ratio)}"
            cells.append(cell)
        if contender.works:
            counts = count_calls(measured.runs[setting][contender.name])
            cells.append(f"{counts.round_trips:.1f} / {counts.round_trips_with_put:.1f}")
        else:
            cells.append("–")
        rows.append([contender.name, *cells])
    rounds = len(measured.runs[setting][goals.OURS])
    return [f"**{setting}** ({rounds} rounds; milliseconds, median and middle half; × is beside cfn-gitops, round by "
            "round):", "", *table(["", *(name for name, _ in columns), "round trips of a warm answer, without / with its PUT"],
                                  rows), ""]


def sizes(measured: Measured, with_boto3: int) -> list[str]:
    rows = []
    for contender in measured.contenders:
        peaks = [spread(measured.values(setting, contender.name, memory), 1e-6) for setting in (HTTP, TLS)]
        rows.append([contender.name, *peaks, f"{contender.package / 1e6:.3f}", contender.holds])
        if contender.name == goals.CRHELPER:
            rows.append(["crhelper, boto3 pinned", "", "", f"{with_boto3 / 1e6:.3f}", "the same with boto3"])
    return ["Peak memory (VmHWM) and zipped package, in MB:", "",
            *table(["", "memory, HTTP", "memory, TLS", "package", "which holds"], rows), ""]


def calls(measured: Measured) -> list[str]:
    rows = []
    for contender in measured.contenders:
        if not contender.works:
            continue
        made = count_calls(measured.runs[HTTP_SLOW][contender.name]).calls
        ratios = [spread([one - 1 for one in measured.values(setting, contender.name, waits)], 100) + " %"
                  for setting in (HTTP_SLOW, TLS_SLOW)]
        connections = sum(call["connected"] for call in measured.runs[TLS][contender.name][0].calls)
        life = measured.lives[contender.name]
        rows.append([contender.name, f"{made:.1f}", *(str(len(life.calls_of(index))) for index in (1, 2)),
                     str(connections), *ratios])
    return ["Calls, with the answer to CloudFormation, which is one:", "",
            *table(["", "calls of a warm Create", "of an Update", "of a Delete",
                    f"connections of {CREATES} Creates, TLS", "warm answer beyond its waits, HTTP", "TLS"], rows), ""]


def instructions(measured: Measured) -> list[str]:
    if not measured.instructions:
        return ["Instructions were not counted: there is no valgrind on this machine.", ""]
    whats = list(dict.fromkeys(what for _, what in measured.instructions))
    names = list(dict.fromkeys(name for name, _ in measured.instructions))
    rows = [[name, *(f"{measured.instructions[name, what] / 1e6:.2f}" for what in whats)] for name in names]
    return ["Instructions, in millions (callgrind):", "", *table(["", *whats], rows), ""]


def verdicts(measured: Measured) -> str:
    """The goals, and whether they are met."""
    rows = [[goal.what, goal.wanted, goal.measured, "met" if goal.is_met else f"**not met**, by {goal.part - 1:.0%}"]
            for goal in goals.goals(measured)]
    return "\n".join(table(["", "wanted", "measured", ""], rows))


def gain(measured: Measured) -> str:
    """The meaning of these figures during a deploy, in sentences."""
    def milliseconds(setting: Setting, name: str, of: Callable[[Run], float]) -> str:
        value = statistics.median(measured.values(setting, name, of)) * 1e3
        return f"{value:.0f} ms"

    first, warm = ([milliseconds(setting, name, of) for name in (goals.OURS, goals.CRHELPER)]
                   for setting, of in ((TLS, first_answer), (TLS_SLOW, warm_answer)))
    saved = statistics.median(measured.values(TLS, goals.CRHELPER, processor)) - statistics.median(
        measured.values(TLS, goals.OURS, processor))
    return "\n".join([
        f"- **The first credential of a deploy**: the process of cfn-gitops has started and answered after {first[0]}. "
        f"That takes {first[1]} with crhelper in Python.",
        f"- **Every further credential**: if a call to AWS takes {LATENCY_MS} ms, CloudFormation waits {warm[0]} for "
        f"it. It waits {warm[1]} with crhelper in Python.",
        f"- **A small function suffices**: ten credentials take {saved * 1e3:.0f} ms less processor time than with "
        f"crhelper. At 128 MB, Lambda has a fourteenth of a core. There, that is about {saved * _CORE_PARTS:.0f} "
        "seconds of a deploy."])


def machine() -> list[str]:
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    load = os.getloadavg()[1]
    return [f"Measured on {os.cpu_count()} cores ({model}), Linux {platform.release().split('-')[0]}, Python "
            f"{platform.python_version()}; load before: {load:.1f}.", ""]


def text(measured: Measured, with_boto3: int, load_and_machine: list[str]) -> str:
    own = own_time_of_the_account(measured)
    lines = [*load_and_machine]
    for setting in (HTTP, TLS, HTTP_SLOW, TLS_SLOW):
        lines += times(measured, setting)
    lines += [*sizes(measured, with_boto3), *calls(measured), *instructions(measured),
              f"AWS itself takes {own * 1e6:.0f} µs for a call here (median, without the latency)."]
    return "\n".join(lines)


def write(document: Path, part: str, written: str) -> None:
    begin, end = BEGIN.format(part), END.format(part)
    before, rest = document.read_text().split(begin, 1)
    after = rest.split(end, 1)[1]
    document.write_text(f"{before}{begin}\n\n{written}\n\n{end}{after}")
