"""The output of tools/reference.py: the pages of docs/reference/, and the pictures."""

import json
import re
import sys
from html import escape
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import pictures  # noqa: E402
import reference  # noqa: E402
import reference_operations  # noqa: E402
import reference_properties  # noqa: E402


@pytest.mark.parametrize("name", reference.PAGES)
def test_page_is_as_its_source_gives_it(name):
    differs = (reference.REFERENCE / name).read_text() != reference.PAGES[name]()
    assert not differs, "run `python tools/reference.py --write`"


def test_page_of_parameters_has_every_parameter_and_output():
    page = (reference.REFERENCE / "template-parameters.md").read_text()
    for template in [ROOT / "template.yaml", *(ROOT / "templates").glob("*.yaml")]:
        section = page.split(f"\n## {template.relative_to(ROOT)}\n")[1].split("\n## ")[0]
        content = reference.loaded(template)
        for name in [*content.get("Parameters", {}), *content.get("Outputs", {})]:
            assert f"\n| `{name}` | " in section, (template.name, name)
        for name in content.get("Parameters", {}):
            assert page.count(f'<a name="{template.stem}-{name.lower()}"></a>') == 1, (template.name, name)


def test_page_of_commands_has_each_script_of_the_release_folder(tmp_path):
    page = (reference.REFERENCE / "commands.md").read_text()
    for name in reference.dist.SCRIPTS:
        is_command = '__name__ == "__main__"' in (ROOT / "tools" / name).read_text()
        assert (f"python3 scripts/{name} " in page) is is_command, name
    (tmp_path / "a.py").write_text('"""Does\nit.\n\n    python scripts/a.py b    c d\n    E=f python3 scripts/a.py\n"""')
    assert reference.script_row(tmp_path / "a.py") == ["`python3 scripts/a.py b`: c d<br>`E=f python3 scripts/a.py`", "Does it."]


@pytest.mark.parametrize(("text", "expected"), [
    ("If empty: user-<EnvID>-*.", "If empty: `user-<EnvID>-*`."),
    ("one of a|b", "one of a\\|b"),
    ("with * and ? for\n  any", "with \\* and ? for any"),
    ("type <stack name>, or `make <x> *`", "type &lt;stack name>, or `make <x> *`"),
])
def test_text_in_a_cell_stays_text(text, expected):
    assert reference.cell(text) == expected


@pytest.mark.parametrize(("parameter", "expected"), [
    ({"AllowedValues": [5, 10]}, "Allowed: `5`, `10`."),
    ({"MinValue": 0, "MaxValue": 9}, "Allowed: 0 to 9."),
    ({"ConstraintDescription": "a name", "MaxLength": 9}, "Allowed: a name."),
    ({"MaxLength": 9}, "At most 9 characters."),
    ({}, ""),
])
def test_limits_of_a_parameter_are_a_sentence(parameter, expected):
    assert reference.limits_of(parameter) == expected


@pytest.mark.parametrize(("parameter", "default", "text"), [
    ({}, "required", "A."),
    ({"Default": 5}, "`5`", "A."),
    ({"Default": "", "Description": "A."}, "empty", "A."),
    ({"Default": "", "Description": "A. Empty for a.yaml. B."}, "empty: a.yaml", "A. B."),
    ({"Default": "", "Description": "A. Empty to run\n it"}, "empty: to run it", "A."),
    ({"Default": "", "Description": "A. If empty: none. B."}, "empty: none", "A. B."),
    ({"Default": "b", "Description": "A. Empty for none."}, "`b`", "A. Empty for none."),
])
def test_default_says_what_an_empty_parameter_means(parameter, default, text):
    row = reference.parameter_row(Path("c.yaml"), "AbC", {"Type": "String", "Description": "A.", **parameter})
    assert row == ["`AbC`", default, f'<a name="c-abc"></a>{text}']


def test_property_without_a_text_is_named(monkeypatch):
    schema = reference_properties.schema_of("custom-mirrorcredential.json")
    del schema["properties"]["SecretName"]["description"]
    monkeypatch.setattr(reference_properties, "schema_of", lambda file: schema)
    with pytest.raises(SystemExit, match="^SecretName has no text"):
        reference_properties.properties("custom-mirrorcredential.json")


@pytest.mark.parametrize(("schema", "kind", "allowed"), [
    ({"type": ["string", "number"], "errorMessage": "must be a name"}, "String", "a name"),
    ({"enum": [True, "true"], "errorMessage": "must be true or false"}, "Boolean", ""),
    ({"enum": [1, 3, "1", "3"], "errorMessage": "must be a number"}, "Integer", "`1`, `3`"),
    ({"enum": ["A", "B"], "type": "string"}, "String", "`A`, `B`"),
    ({"minimum": 1, "type": ["integer", "string"], "errorMessage": "must be a whole number"}, "Integer", "a whole number"),
    ({"items": {"type": "string", "errorMessage": "must be a name"}, "maxItems": 5}, "List of String", "at most 5, each a name"),
    ({"items": {"type": "string", "enum": ["A"]}}, "List of String", "`A`"),
    ({"type": "object", "errorMessage": "in other words"}, "Map", ""),
])
def test_type_and_limits_come_from_the_schema(schema, kind, allowed):
    assert (reference_properties.type_of(schema), reference_properties.allowed(schema)) == (kind, allowed)


@pytest.mark.parametrize(("schema", "facts", "expected"), [
    ({"default": False}, {"Default": "another"}, "`false`"),
    ({"default": "main"}, {}, "`main`"),
    ({}, {"Default": "the bucket"}, "the bucket"),
    ({}, {}, "none"),
])
def test_default_of_the_schema_comes_first(schema, facts, expected):
    assert reference_properties.default_of(schema, facts) == expected


def test_rule_between_properties_is_shown_with_its_path():
    found = list(reference_properties.rules(reference_properties.schema_of("custom-gitopspipeline.json")))
    assert "Report needs GitLab" in found
    assert any(rule.startswith("`Deploy.OnFailure` must be Fail with") for rule in found)


def test_page_of_metrics_has_every_metric_and_alarm():
    page = (reference.REFERENCE / "metrics.md").read_text()
    metrics = json.loads((ROOT / "docs/metrics.json").read_text())["metrics"]
    alarms = re.findall(r"AlarmName: !Sub (.*)", (ROOT / "template.yaml").read_text())
    for name in [*(metric["name"] for metric in metrics), *(name.replace("${EnvID}", "<EnvID>") for name in alarms)]:
        assert f"\n| `{name}` | " in page, name


def test_threshold_of_each_alarm_is_a_sentence():
    alarm = {"Statistic": "Sum", "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0, "Period": 300, "EvaluationPeriods": 1}
    several = {**alarm, "Threshold": {"Ref": "Days"}, "Period": {"Fn::FindInMap": []}, "EvaluationPeriods": 2}
    assert reference_operations.condition(alarm) == "its sum is greater than 0 in one period of 5 minutes"
    assert reference_operations.condition(several).endswith("than `Days` in each of 2 periods of `HealthCheckMinutes`")
    assert reference_operations.condition({**alarm, "Period": 86_400}).endswith("in one period of one day")
    assert "in 1 of 2 periods" in reference_operations.condition({**several, "DatapointsToAlarm": 1})


@pytest.mark.parametrize(("source", "fields"), [
    ('tracing::info!("end")', []),
    ('tracing::warn!(%error, ?reason, hop, "a; b, (c)")', ["error", "reason", "hop"]),
    ('tracing::error!(what = format!("{a}: {b}", 1), "x")', ["what"]),
    ('tracing::info!(parent: &self.span, step = f(a, b), "step")', ["step"]),
    ('tracing::warn!(\n    "one \\\n    two"\n)', []),
])
def test_logging_call_is_read_with_its_fields(source, fields):
    (call,) = reference_operations.logging_calls(source)
    assert call.fields == fields


def test_logging_calls_of_the_source_are_all_read():
    text = "".join(file.read_text() for file in reference_operations.sources())
    calls = [call for file in reference_operations.sources() for call in reference_operations.logging_calls(file.read_text())]
    assert len(calls) == len(re.findall(r"\b(?:trace|debug|info|warn|error|event|span)!\(|_span!\(", text)) > 50
    recorded = set(re.findall(r'\.record\("(\w+)"', text))
    assert recorded <= {field for call in calls if call.macro == "error_span" for field in call.fields}


@pytest.mark.parametrize("change", [{"hop": None}, {"another": "text"}])
def test_log_field_without_a_text_or_a_call_is_named(tmp_path, change):
    texts = {**yaml.safe_load(reference_operations.TEXTS.read_text()), **change}
    changed = tmp_path / "log-fields.yaml"
    changed.write_text(yaml.safe_dump({name: text for name, text in texts.items() if text}))
    with pytest.raises(SystemExit, match=f"^log-fields.yaml and the logging calls differ in: {next(iter(change))}$"):
        reference_operations.log_field_rows(changed)


@pytest.mark.parametrize(("line", "expected"), [
    ("     0.3 s  push      to <GitLab>", '<tspan class="time">     0.3 s  </tspan><tspan class="name">push      </tspan>to &lt;GitLab&gt;'),
    ("2 of 17: git push", '<tspan class="title">2 of 17: git push</tspan>'),
    ("   ok, 1.7 s", '<tspan class="ok">   ok, 1.7 s</tspan>'),
    ("   A & B", "   A &amp; B"),
])
def test_line_of_the_terminal_is_coloured_and_escaped(line, expected):
    assert pictures.coloured(line) == expected


@pytest.mark.parametrize(("line", "expected"), [
    ("**A merge changes `dev`**: [build](https://a/)", '<tspan class="head">A merge changes dev</tspan>: <tspan class="link">build</tspan>'),
    ("stack `a<b`: 1 added", 'stack <tspan class="code">a&lt;b</tspan>: 1 added'),
])
def test_line_of_a_note_is_drawn_as_gitlab_shows_it(line, expected):
    assert pictures.as_text(line) == expected


def drawn(name):
    return re.sub(r"</?tspan[^>]*>", "", pictures.PICTURES[name]())


@pytest.mark.parametrize("name", ["docs/tutorial/note.svg", "docs/how-to/approval-note.svg"])
def test_picture_of_a_note_has_every_recorded_line(name):
    markdown = pictures.review_note() if "tutorial" in name else pictures.recorded()["approval note"]
    found = " ".join(re.findall(r"<text[^>]*>([^<]*)<", drawn(name)))
    rows = [cell.strip() for line in markdown if line.startswith("|") for cell in line.strip("|").split("|") if "--" not in cell]
    for expected in [line for line in markdown if not line.startswith("|")] + rows:
        assert pictures.shown(expected) in found, expected


def test_picture_of_a_note_wraps_between_words_and_marks():
    assert list(pictures.wrapped("a **b c**: `d e` [f `g`](https://h/) i", 8)) == ["a **b c**:", "`d e` [f `g`](https://h/)", "i"]


def test_picture_of_the_approval_note_shows_both_tags():
    found = re.findall(r"(deploy|reject)/dev/shop/[0-9a-f]{16}<", pictures.PICTURES["docs/how-to/approval-note.svg"]())
    assert found == ["deploy", "reject"]


def test_picture_of_the_change_set_has_command_and_output():
    lines = "\n".join(pictures.change_set()).splitlines()
    assert lines[0].startswith("$ aws cloudformation describe-change-set ")
    assert all(f">{escape(line)}</text>" in drawn("docs/how-to/change-set.svg") for line in lines)


def test_picture_of_the_dashboard_has_each_widget_alarm_and_metric():
    body, picture = pictures.dashboard_body(), drawn("docs/runbook/dashboard.svg")
    assert "${" not in json.dumps(body)
    checks = pictures.recorded()["health checks"]
    for widget in body["widgets"]:
        words = widget["properties"]["title"].split()
        assert all(escape(word) in picture for word in words)
        assert all(f">{name.split('cfn-gitops-')[1]}<" in picture for name in widget["properties"].get("alarms", []))
        lines = pictures.lines_of(widget, checks) if widget["type"] == "metric" else []
        assert all(f">{line.label}" in picture for line in lines)


def test_picture_shows_a_whole_act():
    lines = pictures.act()
    assert lines[0].startswith("2 of ") and lines[-1].startswith("   ok, ")
    assert sum(line.startswith("   ok, ") for line in lines) == 1
    narrow = pictures.narrowed(lines)
    assert max(map(len, narrow)) <= 72 and " ".join(narrow).split() == " ".join(lines).split()
