"""The figures in docs/project/benchmarks.md: one for each metric, with each contender as a multiple of cfn-gitops."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from tools.bench import goals
from tools.bench.host import Run
from tools.bench.measuring import (
    TLS, TLS_SLOW, Measured, Setting, first_answer, memory, multiple, processor, warm_answer)


@dataclass(frozen=True)
class Metric:
    file: str
    title: str
    setting: Setting
    of: Callable[[Run], float]
    unit: str
    # From the measured value, in seconds or bytes, to the unit.
    scale: float


METRICS = [
    Metric("start-and-first-answer.svg", "Start and first answer", TLS, first_answer, "ms", 1e3),
    Metric("warm-answer.svg", "Answer to a Create, warm", TLS_SLOW, warm_answer, "ms", 1e3),
    Metric("processor-time.svg", "Processor time of a start and ten Creates", TLS, processor, "ms", 1e3),
    Metric("peak-memory.svg", "Peak memory", TLS, memory, "MB", 1e-6),
]
# It does other work, so the figure would compare different things. The tables have it.
_LEFT_OUT = {goals.FLOOR}
_WIDTH, _LEFT, _RIGHT, _TOP = 360, 128, 114, 62
_BAR, _PITCH = 18, 26
_OURS, _OTHER, _LINE, _TEXT, _FAINT = "#3949ab", "#9aa5b1", "#24292f", "#24292f", "#57606a"


def draw(measured: Measured, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    names = [contender.name for contender in measured.contenders if contender.name not in _LEFT_OUT]
    for metric in METRICS:
        values = {name: statistics.median(measured.values(metric.setting, name, metric.of)) * metric.scale for name in names}
        (folder / metric.file).write_text(svg(metric.title, str(metric.setting), metric.unit, values))


def svg(title: str, setting: str, unit: str, values: dict[str, float]) -> str:
    """Horizontal bars from zero in one linear scale, cfn-gitops first, with a line at its value."""
    ours = values[goals.OURS]
    ordered = {goals.OURS: ours, **values}
    scale = (_WIDTH - _LEFT - _RIGHT) / max(ordered.values())
    line, bottom = _LEFT + ours * scale, _TOP + _PITCH * len(ordered)
    parts = [part for index, (name, value) in enumerate(ordered.items())
             for part in _bar(name, value, f"{_short(value)} {unit}, {multiple(value / ours)}", scale, _TOP + index * _PITCH)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{bottom + 26}" viewBox="0 0 {_WIDTH} {bottom + 26}" '
        'font-family="sans-serif" font-size="12">', f"<title>{escape(title)}: lower is better</title>",
        f'<rect width="{_WIDTH}" height="{bottom + 26}" rx="6" fill="white"/>',
        _text(10, 20, title, weight="bold"), _text(10, 38, f"{setting} per call. Lower is better", colour=_FAINT), *parts,
        f'<line x1="{line:.1f}" y1="{_TOP - 8}" x2="{line:.1f}" y2="{bottom}" stroke="{_LINE}" stroke-dasharray="3 3"/>',
        _text(line, bottom + 14, "1×", anchor="middle", colour=_FAINT), "</svg>"]) + "\n"


def _bar(name: str, value: float, label: str, scale: float, top: float) -> list[str]:
    width = max(value * scale, 1)
    is_ours = name == goals.OURS
    return [_text(_LEFT - 6, top + 13, name, anchor="end", weight="bold" if is_ours else "normal"),
            f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{_OURS if is_ours else _OTHER}"/>',
            _text(_WIDTH - 10, top + 13, label, anchor="end")]


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _text(x: float, y: float, text: str, weight: str = "normal", anchor: str = "start", colour: str = _TEXT) -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-weight="{weight}" text-anchor="{anchor}" fill="{colour}">'
            f"{escape(text)}</text>")
