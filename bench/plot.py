"""The plot in docs/project/benchmarks.md: each contender relative to cfn-gitops."""

from __future__ import annotations

import statistics
from pathlib import Path

import goals
import pygal
from measuring import TLS, Measured, first_answer, memory, processor, warm_answer
from pygal.style import LightColorizedStyle

BARS = [("start and first answer", first_answer), ("warm answer", warm_answer),
        ("processor time", processor), ("peak memory", memory)]


def draw(measured: Measured, file: Path) -> None:
    # Without pygal's script, which pages that contain the picture would not run.
    chart = pygal.HorizontalBar(style=LightColorizedStyle, js=[], logarithmic=True, width=900, height=520,
                                title=f"Times what cfn-gitops takes ({TLS})", legend_at_bottom=True,
                                print_values=True, value_formatter=lambda value: f"{value:.3g}",
                                disable_xml_declaration=True)
    chart.x_labels = [name for name, _ in BARS]
    for contender in measured.contenders:
        if contender.name != goals.OURS:
            chart.add(contender.name, [statistics.median(measured.ratios(TLS, contender.name, goals.OURS, of))
                                       for _, of in BARS])
    file.parent.mkdir(exist_ok=True)
    file.write_text(chart.render(is_unicode=True) + "\n")
