"""Draws parts of the recorded output of `make run` for the README: an act as a terminal (docs/tutorial/local-run.svg), and
the note about a change set as GitLab shows it (docs/tutorial/note.svg).

The text is that of docs/tutorial/local-run.md, which was recorded from a run. `scripts/reference.py --write` writes the
pictures with the pages.
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


_NOTE_STYLE = """text { font: 14px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #28272d }
.head { font-weight: bold } .grey { fill: #626168 } .link { fill: #2f68b4 }
.code { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #18171d }"""
# The kinds of Markdown in a note, and their classes.
_MARKS = {"**": "head", "`": "code", "[": "link"}
# Wider than each font's characters.
_NOTE_CHARACTER_WIDTH = 8.2


def note() -> list[str]:
    """The lines of the recorded note on a merge request, as Markdown."""
    text = RECORDED.read_text()
    found = re.search(r"shows one note on the merge request:\n((?: {10,}.*\n)+)", text)
    if not found:
        raise SystemExit(f"{RECORDED.relative_to(ROOT)} has no note")
    return [line.strip() for line in found[1].splitlines()]


def as_text(markdown: str) -> str:
    """A line of the note with its bold, code and links as parts of an SVG text."""
    parts = re.split(r"(\*\*.*?\*\*(?=:|$)|`[^`]*`|\[.*?\]\(.*?\))", markdown)
    drawn = ""
    for part in parts:
        kind = next((kind for mark, kind in _MARKS.items() if part.startswith(mark)), "")
        # Bold text may contain code, and GitLab shows the text of a link.
        shown = escape(re.sub(r"\[(.*?)\]\(.*\)", r"\1", part).replace("`", "").replace("**", ""))
        drawn += f'<tspan class="{kind}">{shown}</tspan>' if kind else shown
    return drawn


def note_picture() -> str:
    lines, rows = [], []
    for line in note():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            lines.append(line)
        elif set(line) - set("|-"):
            rows.append(cells)
    widths = [round((max(len(row[place]) for row in rows) + 2) * _NOTE_CHARACTER_WIDTH) for place in range(len(rows[0]))]
    left, line_height, row_height = 20, 26, 30
    top = 58 + len(lines) * line_height
    width, height = 760, top + len(rows) * row_height + 20
    texts = [(left, 30, '<tspan class="head">cfn-gitops</tspan> <tspan class="grey">on a merge request in GitLab</tspan>')]
    texts += [(left, 72 + number * line_height, as_text(line)) for number, line in enumerate(lines)]
    ruled = []
    for number, row in enumerate(rows):
        y = top + number * row_height
        ruled.append(f'<path d="M{left} {y + row_height}H{width - left}" stroke="#dcdcde"/>')
        texts += [(left + sum(widths[:place]), y + 20, as_text(cell if number else f"**{cell}**"))
                  for place, cell in enumerate(row)]
    drawn = "\n".join(f'<text x="{x}" y="{y}" xml:space="preserve">{text}</text>' for x, y, text in texts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img">\n<title>The note of the recorded make run: what a merge changes in dev</title>\n'
            f'<style>{_NOTE_STYLE}</style>\n<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="6" '
            f'fill="#ffffff" stroke="#bfbfc3"/>\n<path d="M0 46H{width}" stroke="#dcdcde"/>\n'
            + "\n".join(ruled) + f"\n{drawn}\n</svg>\n")


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
