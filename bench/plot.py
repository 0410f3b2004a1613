"""The plot in docs/project/benchmarks.md: each contender relative to cfn-gitops."""

from __future__ import annotations

import statistics
from pathlib import Path
from xml.sax.saxutils import escape

import goals
from measuring import TLS, Measured, first_answer, memory, processor, warm_answer

BARS = [("start and first answer", first_answer), ("warm answer", warm_answer),
        ("processor time", processor), ("peak memory", memory)]
# They do other work, so the picture would compare different things. The tables have them.
_LEFT_OUT = {"floor"}
_WIDTH, _LEFT, _RIGHT, _TOP = 520, 135, 60, 38
_BAR, _GAP, _BETWEEN_GROUPS = 15, 3, 36
_OURS, _OTHER, _LINE = "#3949ab", "#9aa5b1", "#d5dae0"

Ratios = dict[str, dict[str, float]]


def draw(measured: Measured, file: Path) -> None:
    names = [contender.name for contender in measured.contenders if contender.name not in {goals.OURS, *_LEFT_OUT}]
    file.parent.mkdir(exist_ok=True)
    file.write_text(svg({label: {name: statistics.median(measured.ratios(TLS, name, goals.OURS, of)) for name in names}
                         for label, of in BARS}))


def svg(groups: Ratios) -> str:
    """A group of bars for each figure, cfn-gitops first. All bars have one linear scale."""
    most = max(1.0, *(ratio for ratios in groups.values() for ratio in ratios.values()))
    scale = (_WIDTH - _LEFT - _RIGHT) / most
    parts, top = [], _TOP
    for label, ratios in groups.items():
        parts.append(_text(10, top + 11, label, "bold"))
        top += 20
        for name, ratio in {goals.OURS: 1.0, **ratios}.items():
            parts += _bar(name, ratio, scale, top)
            top += _BAR + _GAP
        top += _BETWEEN_GROUPS - 20
    height = top - _BETWEEN_GROUPS + 30
    one = _LEFT + scale
    parts.insert(0, f'<line x1="{one:.1f}" y1="{_TOP}" x2="{one:.1f}" y2="{height - 10}" stroke="{_LINE}"/>')
    title = f"Times the value of cfn-gitops ({TLS}). Lower is better"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="640" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        'font-size="12">', f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" rx="6" fill="white"/>', _text(10, 22, title), *parts, "</svg>"]) + "\n"


def _bar(name: str, ratio: float, scale: float, top: float) -> list[str]:
    width = max(ratio * scale, 1)
    colour = _OURS if name == goals.OURS else _OTHER
    return [_text(_LEFT - 6, top + 12, name, anchor="end"),
            f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>',
            _text(_LEFT + width + 5, top + 12, f"{ratio:.3g}×")]


def _text(x: float, y: float, text: str, weight: str = "normal", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-weight="{weight}" text-anchor="{anchor}" fill="#24292f">{escape(text)}</text>'
