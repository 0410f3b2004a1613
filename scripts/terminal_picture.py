"""Draws a part of the recorded output of `make run` as a terminal, for the README: docs/tutorial/local-run.svg.

The text is that of docs/tutorial/local-run.md, which was recorded from a run. `scripts/reference.py --write` writes the
picture with the pages.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORDED = ROOT / "docs/tutorial/local-run.md"
# The act with the whole way from a push to the deployment.
_ACT = 2
_LINE_HEIGHT, _CHARACTER_WIDTH, _MARGIN, _TITLE_HEIGHT = 18, 7.8, 16, 30
_STYLE = """text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #d7dde4 }
.title { font-weight: bold; fill: #ffffff } .time { fill: #8b98a5 } .name { fill: #7cc4ff } .ok { fill: #7ee2a0 }"""


def act() -> list[str]:
    """The lines of the act, without the empty line after it."""
    text = RECORDED.read_text().split("```text\n")[1].split("```")[0]
    found = re.search(rf"^{_ACT} of .*?^   ok, .*?$", text, re.DOTALL | re.MULTILINE)
    if not found:
        raise SystemExit(f"{RECORDED.relative_to(ROOT)} has no act {_ACT}")
    return found[0].splitlines()


def coloured(line: str) -> str:
    """The line with the parts that a reader looks for in colours."""
    step = re.fullmatch(r"( +[\d.]+ s  )(\w+ +)(.*)", line)
    if step:
        time, name, rest = (escape(part) for part in step.groups())
        return f'<tspan class="time">{time}</tspan><tspan class="name">{name}</tspan>{rest}'
    kind = "title" if re.match(r"\d+ of \d+: ", line) else "ok" if line.startswith("   ok") else ""
    return f'<tspan class="{kind}">{escape(line)}</tspan>' if kind else escape(line)


def picture() -> str:
    lines = ["$ make run", "", *act()]
    width = round(max(map(len, lines)) * _CHARACTER_WIDTH + 2 * _MARGIN)
    height = _TITLE_HEIGHT + len(lines) * _LINE_HEIGHT + _MARGIN
    dots = "".join(f'<circle cx="{_MARGIN + 16 * place}" cy="15" r="5" fill="#4a5663"/>' for place in range(3))
    texts = "\n".join(
        f'<text x="{_MARGIN}" y="{_TITLE_HEIGHT + (number + 1) * _LINE_HEIGHT - 4}" xml:space="preserve">{coloured(line)}</text>'
        for number, line in enumerate(lines) if line)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img">\n<title>The recorded output of make run: a push, its build, approval and deployment</title>\n'
            f'<style>{_STYLE}</style>\n<rect width="{width}" height="{height}" rx="8" fill="#1b222a"/>\n{dots}\n{texts}\n</svg>\n')
