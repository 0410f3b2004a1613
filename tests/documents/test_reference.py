"""The output of tools/docs/reference.py: the pages of docs/reference/, and the pictures."""

import json
import re
from html import unescape
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from cli import main
from tools.docs import pictures, reference, reference_operations, reference_parameters, reference_properties

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", reference.PAGES)
def test_page_is_as_its_source_gives_it(name):
    differs = (reference.REFERENCE / name).read_text() != reference.PAGES[name]()
    assert not differs, "run `python -m tools.docs.reference --write`"


def test_each_page_of_parameters_has_a_template():
    found = {f"parameters/{path.name}" for path in (reference.REFERENCE / "parameters").iterdir()}
    assert found == {name for name in reference.PAGES if name.startswith("parameters/")}


def test_each_name_of_a_source_is_in_its_section():
    def lacks(page, section, names):
        text = f"\n{(reference.REFERENCE / page).read_text()}".partition(f"\n{section}\n")[2]
        part = re.split(rf"^#{{1,{section.index(' ')}}} ", text, maxsplit=1, flags=re.MULTILINE)[0]
        return [
            f"{page}, {section}: {name}"
            for name in names
            if not re.search(rf"^\| [^|]*`{re.escape(name)}[` ]", part, re.MULTILINE)
        ]

    metrics = [metric["name"] for metric in json.loads((ROOT / "docs/metrics.json").read_text())["metrics"]]
    alarms = re.findall(
        r"AlarmName: !Sub (\S+)", (ROOT / "template.yaml").read_text().replace("${EnvID}", "<EnvID>")
    )
    [commands] = [action.choices for action in main.parser()._actions if action.choices]
    common = set.intersection(*({*command._option_string_actions} for command in commands.values())) - {
        "-h",
        "--help",
    }
    missing = [
        *lacks("metrics.md", "## Metrics", metrics),
        *lacks("metrics.md", "## Alarms", alarms),
        *lacks("commands.md", "## cfn-gitops", common),
    ]
    for name, command in commands.items():
        missing += lacks(
            "commands.md", f"### {name}", command._option_string_actions.keys() - common - {"-h", "--help"}
        )
    for template in (ROOT / "template.yaml", *(ROOT / "templates").glob("*.yaml")):
        content = reference.loaded(template)
        page = f"parameters/{template.stem}.md"
        missing += lacks(
            page,
            f"# Parameters of {template.relative_to(ROOT)}",
            [*content["Parameters"], *content.get("Outputs", ())],
        )
    assert len(metrics) > 10 and len(alarms) > 10 and len(common) > 2 and missing == []


@pytest.mark.parametrize("template", ["template.yaml", "templates/project.yaml"])
def test_each_parameter_is_on_a_page_about_its_use(template):
    pages = {*(ROOT / "docs").rglob("*.md")} - {
        *(ROOT / "docs").glob("reference/*"),
        *(ROOT / "docs").glob("project/**/*.md"),
    }
    words = {word for page in pages for word in re.findall(r"\w+", page.read_text())}
    assert reference.loaded(ROOT / template)["Parameters"].keys() - words == set()


@pytest.mark.parametrize("file", ["custom-gitopspipeline.json", "custom-mirrorcredential.json"])
def test_properties_of_examples_and_templates_exist(file):
    schema = reference_properties.schema_of(file)
    leaves = [path.replace("[]", "") for path, *_ in reference_properties.leaves(schema)]
    for path in reference_parameters.where_set(schema["typeName"]):
        is_map = any(path.startswith(f"{leaf}.") for leaf in leaves)
        assert (
            path == ""
            or path.startswith("Service")
            or is_map
            or any(f"{leaf}.".startswith(f"{path}.") for leaf in leaves)
        ), path


def test_property_names_its_parameter_or_its_example():
    where = reference_parameters.where_set("Custom::GitOpsPipeline")
    assert (
        where["Deploy.Window.TimeZone"] == "*Parameter*: [`DeployWindow`](parameters/project.md#deploywindow)"
    )
    # Its value is fixed. The condition shows the parameter.
    assert where["Approval.Required"].endswith("#approvalrequired)")
    assert where["Report.BuildLog"] == "*Parameter*: [`ReportToGitLab`](parameters/project.md#reporttogitlab)"
    assert where["Approval.CustomData"] == "*Parameter*: none, the templates set it"
    assert where["Deploy.Alarms"] == "*Example*: [What a pipeline does](../concepts/pipelines.md)"
    assert "ExecutionMode" not in where


def test_property_that_no_template_sets_is_listed(monkeypatch):
    where = dict.fromkeys(["SecretName", "UserName", "GitLab.TokenSecretKey"], "")
    monkeypatch.setattr(reference_parameters, "where_set", lambda kind: where)
    page = reference_properties.properties("custom-mirrorcredential.json")
    listed = page.partition("### Only in templates of your own\n")[2].partition("\n### ")[0]
    assert "[`Mirrors[].WaitForSync`](#mirrorswaitforsync): If true, the resource completes" in listed
    assert "`GitLab.Url`" in listed and "`GitLab.TokenSecretKey`" not in listed


def test_property_without_a_text_is_named(monkeypatch):
    schema = reference_properties.schema_of("custom-mirrorcredential.json")
    del schema["properties"]["SecretName"]["description"]
    monkeypatch.setattr(reference_properties, "schema_of", lambda file: schema)
    with pytest.raises(SystemExit, match="^SecretName has no text"):
        reference_properties.properties("custom-mirrorcredential.json")


def test_rule_between_properties_is_shown_with_its_path():
    found = list(reference_properties.rules(reference_properties.schema_of("custom-gitopspipeline.json")))
    assert "Report needs GitLab" in found
    assert any(rule.startswith("`Deploy.OnFailure` must be Fail with") for rule in found)


def test_logging_calls_of_the_source_are_all_read():
    text = "".join(file.read_text() for file in reference_operations.sources())
    calls = [
        call
        for file in reference_operations.sources()
        for call in reference_operations.logging_calls(file.read_text())
    ]
    assert (
        len(calls) == len(re.findall(r"\b(?:trace|debug|info|warn|error|event|span)!\(|_span!\(", text)) > 50
    )
    recorded = set(re.findall(r'\.record\("(\w+)"', text))
    assert recorded <= {field for call in calls if call.macro == "error_span" for field in call.fields}


@pytest.mark.parametrize("change", [{"hop": None}, {"another": "text"}])
def test_log_field_without_a_text_or_a_call_is_named(tmp_path, change):
    texts = {**yaml.safe_load(reference_operations.TEXTS.read_text()), **change}
    changed = tmp_path / "log-fields.yaml"
    changed.write_text(yaml.safe_dump({name: text for name, text in texts.items() if text}))
    with pytest.raises(
        SystemExit, match=f"^log-fields.yaml and the logging calls differ in: {next(iter(change))}$"
    ):
        reference_operations.log_field_rows(changed)


def drawn(name):
    return re.sub(r"</?tspan[^>]*>", "", pictures.PICTURES[name]())


def test_picture_of_a_note_has_every_recorded_line():
    markdown = pictures.recorded()["waiting note"]
    found = " ".join(re.findall(r"<text[^>]*>([^<]*)<", drawn("docs/tutorial/note.svg")))
    rows = [
        cell.strip()
        for line in markdown
        if line.startswith("|")
        for cell in line.strip("|").split("|")
        if "--" not in cell
    ]
    for expected in [line for line in markdown if not line.startswith("|")] + rows:
        assert pictures.shown(expected) in found, expected


def test_texts_of_the_dashboard_neither_overlap_nor_leave_it():
    boxes = []
    for x, y, more, content in re.findall(
        r'<text x="([\d.]+)" y="([\d.]+)" xml:space="preserve"(.*?)>(.*?)</text>',
        drawn("docs/runbook/dashboard.svg"),
    ):
        width = len(unescape(content)) * (7.4 if "head" in more or "alarm" in more else 6.5)
        left = float(x) - (width if "right" in more else width / 2 if "middle" in more else 0)
        boxes.append((left, left + width, float(y) - 10, float(y) + 3, content))
    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', drawn("docs/runbook/dashboard.svg"))
    assert len(boxes) > 60 and all(
        box[0] >= 0 and box[1] <= int(size[1]) and box[3] <= int(size[2]) for box in boxes
    )
    assert [
        (a[4], b[4])
        for a, b in combinations(boxes, 2)
        if a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]
    ] == []
