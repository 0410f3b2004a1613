"""Draws the pictures of the documentation. Their text is recorded, and `python -m tools.docs.reference
--write` writes them.

docs/tutorial/local-run.md, the recorded output of `make run`, has an act. tests/deployment/recorded.json has
what tests record and compare with each run: two notes about an approval, and values of health checks. The
dashboard is the one of template.yaml.
"""

import functools
import json
import operator
import re
import textwrap
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).parents[2]
LOCAL_RUN, RECORDED = ROOT / "docs/tutorial/local-run.md", ROOT / "tests/deployment/recorded.json"
# The act with the whole way from a push to the deployment.
_ACT = 2
_MONOSPACE = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
_SANS = 'system-ui, -apple-system, "Segoe UI", sans-serif'


def recorded() -> dict[str, Any]:
    return dict(json.loads(RECORDED.read_text()))


def svg(width: int, height: int, title: str, style: str, drawn: list[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img">\n<title>{escape(title)}</title>\n<style>{style}</style>\n'
        + "".join(drawn)
        + "\n</svg>\n"
    )


def text(x: float, y: float, content: str, more: str = "") -> str:
    """`content` is SVG already."""
    return f'<text x="{x:g}" y="{y:g}" xml:space="preserve"{more}>{content}</text>'


_NOTE_STYLE = f"""text {{ font: 14px {_SANS}; fill: #28272d }}
.head {{ font-weight: bold }} .grey {{ fill: #626168 }} .link {{ fill: #2f68b4 }}
.code {{ font: 13px {_MONOSPACE}; fill: #18171d }}"""
# The kinds of Markdown in a note, and their classes.
_MARKS = {"**": "head", "`": "code", "[": "link"}
# Bold text may contain code.
_MARKED = r"\*\*.*?\*\*(?=[:, ]|$)|`[^`]*`|\[.*?\]\(.*?\)"
# Wider than each font's characters, and as wide as most.
_WIDE, _MEAN = 8.2, 7.2
_NOTE_LEFT, _NOTE_LINE, _NOTE_ROW = 20, 26, 30


def shown(markdown: str) -> str:
    """The visible text: GitLab shows the text of a link."""
    return re.sub(r"\[(.*?)\]\(.*?\)", r"\1", markdown).replace("`", "").replace("**", "")


def as_text(markdown: str) -> str:
    """A line of the note with its bold, code and links as parts of an SVG text."""
    drawn = ""
    for part in re.split(f"({_MARKED})", markdown):
        kind = next((kind for mark, kind in _MARKS.items() if part.startswith(mark)), "")
        drawn += f'<tspan class="{kind}">{escape(shown(part))}</tspan>' if kind else escape(shown(part))
    return drawn


def wrapped(markdown: str, columns: float) -> Iterator[str]:
    """The line in lines of at most so many shown characters. Bold text, code and links are not divided."""
    line = ""
    for word in re.findall(rf"(?:{_MARKED}|\S)+", markdown):
        if line and len(shown(f"{line} {word}")) > columns:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield line


def note(markdown: list[str], about: str, title: str) -> str:
    """A note as GitLab shows it: paragraphs, and the table where it is."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in markdown if line.startswith("|")
    ]
    del rows[1]
    widths = [
        round((max(len(shown(row[place])) for row in rows) + 2) * _WIDE) for place in range(len(rows[0]))
    ]
    width = max(500, sum(widths) + 2 * _NOTE_LEFT)
    texts = [
        text(_NOTE_LEFT, 30, f'<tspan class="head">cfn-gitops</tspan> <tspan class="grey">{about}</tspan>')
    ]
    ruled, y = [], 46
    for line in markdown:
        if line == "|---|---|---|":
            continue
        if not line.startswith("|"):
            for part in wrapped(line, (width - 2 * _NOTE_LEFT) / _MEAN):
                y += _NOTE_LINE
                texts.append(text(_NOTE_LEFT, y, as_text(part)))
            continue
        row, is_head = rows.pop(0), not ruled
        y += _NOTE_ROW + (8 if is_head else 0)
        ruled.append(f'<path d="M{_NOTE_LEFT} {y + 10}H{width - _NOTE_LEFT}" stroke="#dcdcde"/>')
        texts += [
            text(_NOTE_LEFT + sum(widths[:place]), y, as_text(f"**{cell}**" if is_head else cell))
            for place, cell in enumerate(row)
        ]
        # The space before a paragraph.
        y += 0 if rows else 14
    height = y + 24
    frame = [
        (
            f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="6" fill="#ffffff"'
            ' stroke="#bfbfc3"/>'
        ),
        f'<path d="M0 46H{width}" stroke="#dcdcde"/>',
    ]
    return svg(width, height, title, _NOTE_STYLE, [*frame, *ruled, *texts])


_TERMINAL_STYLE = f"""text {{ font: 13px {_MONOSPACE}; fill: #d7dde4 }}
.title {{ font-weight: bold; fill: #ffffff }} .time {{ fill: #8b98a5 }} .name {{ fill: #7cc4ff }} .ok {{ fill: #7ee2a0 }}"""  # noqa: E501
_LINE_HEIGHT, _CHARACTER_WIDTH, _MARGIN, _TITLE_HEIGHT = 18, 7.8, 16, 30
# A phone shows so many without a magnifying glass.
_COLUMNS = 72


def act() -> list[str]:
    """The lines of the act, without the empty line after it."""
    block = LOCAL_RUN.read_text().split("```text\n")[1].split("```")[0]
    found = re.search(rf"^{_ACT} of .*?^   ok, .*?$", block, re.DOTALL | re.MULTILINE)
    if not found:
        raise SystemExit(f"{LOCAL_RUN.relative_to(ROOT)} has no act {_ACT}")
    return found[0].splitlines()


def narrowed(lines: list[str]) -> list[str]:
    """The same lines of `make run`, wrapped again. Lines that continue a step are indented as far as its
    text."""
    steps: list[str] = []
    for line in lines:
        if steps and line.startswith(" " * 20):
            steps[-1] += f" {line.strip()}"
        else:
            steps.append(line)
    return [
        part
        for step in steps
        for part in textwrap.wrap(
            step,
            _COLUMNS,
            subsequent_indent=" " * (22 if re.match(r" +[\d.]+ s ", step) else 3 if step[0] == " " else 9),
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def coloured(line: str) -> str:
    """The line with the parts that a reader looks for in colours."""
    step = re.fullmatch(r"( +[\d.]+ s  )(\w+ +)(.*)", line)
    if step:
        time, name, rest = (escape(part) for part in step.groups())
        return f'<tspan class="time">{time}</tspan><tspan class="name">{name}</tspan>{rest}'
    kind = "title" if re.match(r"\d+ of \d+: | {9}\S", line) else "ok" if line.startswith("   ok") else ""
    return f'<tspan class="{kind}">{escape(line)}</tspan>' if kind else escape(line)


def terminal(lines: list[str], title: str) -> str:
    lines = "\n".join(lines).splitlines()
    width = round(max(map(len, lines)) * _CHARACTER_WIDTH + 2 * _MARGIN)
    height = _TITLE_HEIGHT + len(lines) * _LINE_HEIGHT + _MARGIN
    dots = "".join(
        f'<circle cx="{_MARGIN + 16 * place}" cy="15" r="5" fill="#4a5663"/>' for place in range(3)
    )
    texts = [
        text(_MARGIN, _TITLE_HEIGHT + (number + 1) * _LINE_HEIGHT - 4, coloured(line))
        for number, line in enumerate(lines)
        if line
    ]
    return svg(
        width,
        height,
        title,
        _TERMINAL_STYLE,
        [f'<rect width="{width}" height="{height}" rx="8" fill="#1b222a"/>', dots, *texts],
    )


_DASHBOARD_STYLE = f"""text {{ font: 11px {_SANS}; fill: #16191f }} .head {{ font-weight: bold }} .grey {{ fill: #545b64 }}
.alarm {{ fill: #b0210f; font-weight: bold }} .ok {{ fill: #1d7c2f }} .right {{ fill: #545b64; text-anchor: end }}
.middle {{ fill: #545b64; text-anchor: middle }}
.box {{ fill: #ffffff; stroke: #d5dbdb }} .axes {{ fill: none; stroke: #aab7b8 }} polyline {{ fill: none; stroke-width: 2 }}"""  # noqa: E501
_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2")
# One of the dashboard's 24 columns, and one of its rows.
_COLUMN, _ROW, _GAP = 30, 36, 6
# As wide as the widest of the usual fonts.
_TEXT_LINE, _TEXT_CHARACTER = 14, 7.4
_ALARMS_IN_A_ROW = 7
# The numbers at an axis.
_SCALE_WIDTH = 32


class Line(NamedTuple):
    """A line of a graph: its label, whether its axis is the right one, and the value of each check that has
    one."""

    label: str
    is_right: bool
    values: dict[int, float]


@functools.cache
def template() -> dict[str, Any]:
    return dict(yaml_parse((ROOT / "template.yaml").read_text()))


def dashboard_body() -> dict[str, Any]:
    """The dashboard of template.yaml for dev, with the names of alarms and of the log group."""
    resources, parameters = (template()[part] for part in ("Resources", "Parameters"))
    (board,) = (each for each in resources.values() if each["Type"] == "AWS::CloudWatch::Dashboard")

    def value(found: re.Match[str]) -> str:
        name = found[1].removesuffix(".Arn")
        properties = resources.get(name, {}).get("Properties", {})
        resource = properties.get("AlarmName") or properties.get("LogGroupName") or {}
        return str(
            resource.get("Fn::Sub")
            or {"Seconds": "900"}.get(name)
            or parameters.get(name, {}).get("Default", name)
        )

    substituted = re.sub(r"\$\{([\w:.]+)\}", value, board["Properties"]["DashboardBody"]["Fn::Sub"][0])
    return dict(json.loads(substituted.replace("${EnvID}", "dev")))


def lines_of(widget: dict[str, Any], checks: list[dict[str, float]]) -> list[Line]:
    """The widget's metrics, and those of single projects that its searches find in the recorded health
    checks."""
    found = []
    for *names, options in widget["properties"]["metrics"]:
        searched = re.findall(r'MetricName="(\w+)"', options.get("expression", ""))
        keys = (
            [names[1]]
            if names
            else dict.fromkeys(
                key for check in checks for key in check if key.split()[0] in searched and " " in key
            )
        )
        found += [
            Line(
                key.split()[-1],
                "yAxis" in options,
                {place: check[key] for place, check in enumerate(checks) if key in check},
            )
            for key in keys
        ]
    return found


_BREACHES = {"LessThanThreshold": operator.lt, "GreaterThanThreshold": operator.gt}


def alarm_state(name: str, checks: list[dict[str, float]]) -> tuple[str, str]:
    """The state after the checks, and its class. The checks record no metrics of Lambda."""
    content = template()
    (alarm,) = (
        each["Properties"]
        for each in content["Resources"].values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
        and each["Properties"]["AlarmName"]["Fn::Sub"].replace("${EnvID}", "dev") == name
    )
    if alarm["Namespace"] != "CfnGitOps":
        return "not recorded", "grey"
    threshold = alarm["Threshold"]
    if isinstance(threshold, dict):
        threshold = content["Parameters"][threshold["Ref"]]["Default"]
    # An alarm whose period is a day sees all of them.
    looked = checks[-alarm["EvaluationPeriods"] :] if isinstance(alarm["Period"], dict) else checks
    breaches = [
        _BREACHES[alarm["ComparisonOperator"]](check[alarm["MetricName"]], threshold)
        for check in looked
        if alarm["MetricName"] in check
    ]
    is_raised = sum(breaches) >= alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    return ("In alarm", "alarm") if is_raised else ("OK", "ok")


def graph(widget: dict[str, Any], lines: list[Line], count: int, box: tuple[int, int, int, int]) -> str:
    """The recorded values of so many checks, each axis from 0 to its greatest one, and a legend with the last
    ones."""
    x, y, width, height = box
    x, width, top = x + _SCALE_WIDTH, width - 2 * _SCALE_WIDTH, y + 4
    bottom = y + height - (len(lines) + 1) * _TEXT_LINE
    drawn = f'<path class="axes" d="M{x} {top}V{bottom}H{x + width}V{top}"/>'
    places = [round(x + width * (2 * place + 1) / (2 * count)) for place in range(count)]
    marks = {mark["value"]: mark["label"] for mark in widget.get("annotations", {}).get("horizontal", [])}
    most = {
        is_right: (
            max(
                [value for line in lines if line.is_right == is_right for value in line.values.values()]
                + [*marks] * (not is_right),
                default=0,
            )
            or 1
        )
        for is_right in {line.is_right for line in lines}
    }
    for is_right, greatest in most.items():
        at, kind = (x + width + 5, "grey") if is_right else (x - 5, "right")
        drawn += text(at, top + 6, f"{greatest:g}", f' class="{kind}"') + text(
            at, bottom + 1, "0", f' class="{kind}"'
        )
    drawn += "".join(
        text(at, bottom + 13, f"check {number}", ' class="middle"') for number, at in enumerate(places, 1)
    )
    for mark, label in marks.items():
        level = round(bottom - mark / most[False] * (bottom - top))
        drawn += f'<path class="axes" stroke-dasharray="4" d="M{x} {level}H{x + width}"/>'
        drawn += text(x + 4, level + 12, escape(label), ' class="grey"')
    for number, (line, colour) in enumerate(zip(lines, _COLOURS, strict=False)):
        points = [
            (places[place], round(bottom - value / most[line.is_right] * (bottom - top)))
            for place, value in line.values.items()
        ]
        drawn += (
            f'<polyline stroke="{colour}" points="{" ".join(f"{a},{b}" for a, b in points)}"/>'
            + "".join(f'<circle cx="{a}" cy="{b}" r="3" fill="{colour}"/>' for a, b in points)
        )
        below = bottom + 13 + (number + 1) * _TEXT_LINE
        last = f"{[*line.values.values()][-1]:g}" if line.values else "–"
        drawn += f'<rect x="{box[0]}" y="{below - 8}" width="8" height="8" fill="{colour}"/>'
        drawn += text(box[0] + 13, below, escape(f"{line.label}: {last}"), ' class="grey"')
    return drawn


def alarms(names: list[str], checks: list[dict[str, float]], left: int, top: int, width: int) -> str:
    """A box for each alarm, with its state."""
    across, drawn = width // _ALARMS_IN_A_ROW, ""
    for place, name in enumerate(names):
        x, y = left + place % _ALARMS_IN_A_ROW * across, top + place // _ALARMS_IN_A_ROW * 36
        state, kind = alarm_state(name, checks)
        drawn += f'<rect class="box" x="{x}" y="{y}" width="{across - 6}" height="32" rx="3"/>'
        drawn += text(x + 5, y + 13, escape(name.split("cfn-gitops-")[1])) + text(
            x + 5, y + 27, state, f' class="{kind}"'
        )
    return drawn


def widget_picture(widget: dict[str, Any], checks: list[dict[str, float]]) -> str:
    x, y, width, height = (
        widget[side] * size
        for side, size in zip(("x", "y", "width", "height"), (_COLUMN, _ROW) * 2, strict=True)
    )
    columns, about = round((width - 3 * _GAP) / _TEXT_CHARACTER), widget["properties"]
    drawn = f'<rect class="box" x="{x}" y="{y}" width="{width - _GAP}" height="{height - _GAP}" rx="4"/>'
    title, left, top = textwrap.wrap(about["title"], columns), x + 8, y + 16
    drawn += "".join(
        text(left, top + number * _TEXT_LINE, escape(line), ' class="head"')
        for number, line in enumerate(title)
    )
    top += len(title) * _TEXT_LINE
    if widget["type"] == "metric":
        return drawn + graph(
            about, lines_of(widget, checks), len(checks), (left, top - 4, width - 22, y + height - top - 10)
        )
    if widget["type"] == "log":
        return drawn + "".join(
            text(left, top + number * _TEXT_LINE, escape(line), ' class="grey"')
            for number, line in enumerate(textwrap.wrap(about["query"], columns))
        )
    return drawn + alarms(about["alarms"], checks, left, top - 8, width - 2 * _GAP)


def dashboard() -> str:
    checks, widgets = recorded()["health checks"], dashboard_body()["widgets"]
    width, height = (
        max(each[at] + each[size] for each in widgets) for at, size in (("x", "width"), ("y", "height"))
    )
    return svg(
        width * _COLUMN - _GAP,
        height * _ROW - _GAP,
        "The dashboard of dev with the values of three recorded health checks",
        _DASHBOARD_STYLE,
        [widget_picture(each, checks) for each in widgets],
    )


PICTURES = {
    "docs/tutorial/local-run.svg": lambda: terminal(
        ["$ make run", "", *narrowed(act())],
        "The recorded output of make run: a push, its build, approval and deployment",
    ),
    "docs/tutorial/note.svg": lambda: note(
        recorded()["waiting note"],
        "on a commit in GitLab",
        "The recorded note about a change set that waits for an approval in AWS",
    ),
    "docs/runbook/dashboard.svg": dashboard,
}
