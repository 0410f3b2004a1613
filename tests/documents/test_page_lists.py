"""Lists and limits that a page repeats from the code or from AWS, each compared with its source.

Generated pages need no row: test_reference.py. Permissions and endpoints are evaluated in tests/policies,
alarms and deleted resources in tests/templates/test_watching.py.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import awscli.clidriver
import pytest
import yaml
from samcli.commands.logs.command import cli as sam_logs
from samcli.commands.logs.logs_context import parse_time

from cli import main
from tests.documents.test_links import files

ROOT = Path(__file__).parents[2]
WORDS = {
    word: number
    for number, word in enumerate("zero one two three four five six seven eight nine ten".split())
} | {"third": 3}

# The page, its sentence with the limit, the source, the constant, and how many of the constant's units the
# page's unit has.
LIMITS = [
    (
        "concepts/mirrors.md",
        r"lists at most (\d+) protected branches",
        "clients/gitlab/mirrors/branches.rs",
        "MAX_LISTED",
        1,
    ),
    (
        "concepts/mirrors.md",
        r"at most (\w+) branches of a mirror",
        "mirror_credential/health/tips.rs",
        "MAX_COMPARED",
        1,
    ),
    (
        "concepts/mirrors.md",
        r"twice within (\w+) seconds",
        "mirror_credential/health/tips.rs",
        "SECOND_LOOK_DELAY",
        1,
    ),
    (
        "concepts/mirrors.md",
        r"at most (\d+) minutes, and less",
        "mirror_credential/apply/sync_mirrors.rs",
        "PUSH_TIMEOUT",
        60,
    ),
    (
        "concepts/mirrors.md",
        r"at most (\w+) enabled mirrors",
        "clients/gitlab/mirrors/mirror.rs",
        "MAX_ENABLED_MIRRORS",
        1,
    ),
    (
        "concepts/pipelines.md",
        r"not answer within (\d+) seconds",
        "health_check/pushes.rs",
        "GITLAB_TIMEOUT",
        1,
    ),
    (
        "concepts/pipelines.md",
        r"accepts (\d+) characters",
        "gitops_pipeline/spec/mod.rs",
        "MAX_OVERRIDES_CHARS",
        1,
    ),
    (
        "concepts/pipelines.md",
        r"have at most (\d+) bytes as JSON",
        "gitops_pipeline/spec/source_paths.rs",
        "MAX_JSON_BYTES",
        1,
    ),
    (
        "concepts/pipelines.md",
        r"checks the (\d+) MB of the template",
        "feedback/review/output.rs",
        "MAX_TEMPLATE_BYTES",
        1 << 20,
    ),
    ("concepts/reporting.md", r"the last (\d+) lines", "feedback/failures/build_log.rs", "MAX_LINES", 1),
    (
        "concepts/reporting.md",
        r"failed phase, or (\d+) KB",
        "feedback/failures/build_log.rs",
        "MAX_BYTES",
        1024,
    ),
    (
        "concepts/reporting.md",
        r"rest of a line after ([\d,]+) bytes",
        "feedback/failures/build_log.rs",
        "MAX_LINE_BYTES",
        1,
    ),
    (
        "concepts/reporting.md",
        r"At most (\d+) resources are listed",
        "feedback/failures/deployment.rs",
        "MAX_RESOURCES",
        1,
    ),
    ("concepts/reporting.md", r"down to the (\w+) level", "feedback/failures/deployment.rs", "MAX_LEVELS", 1),
    (
        "concepts/reporting.md",
        r"at most (\d+) resources, and none",
        "feedback/change_sets/markdown.rs",
        "MAX_RESOURCES",
        1,
    ),
    (
        "concepts/reporting.md",
        r"Those of more than (\d+) KB",
        "feedback/change_sets/values.rs",
        "MAX_VALUE_BYTES",
        1024,
    ),
    ("concepts/reporting.md", r"more than (\d+) resource types", "feedback/rights/mod.rs", "MAX_TYPES", 1),
    (
        "concepts/reporting.md",
        r"a comment of more than (\d+) KB",
        "clients/gitlab/api/transport.rs",
        "MAX_RESPONSE_BYTES",
        1000,
    ),
    (
        "concepts/reporting.md",
        r"at most (\d+) of an environment",
        "clients/gitlab/records/deployment.rs",
        "MAX_READ",
        1,
    ),
    (
        "concepts/reviews.md",
        r"at most (\w+) names of a resource's properties",
        "feedback/change_sets/markdown.rs",
        "MAX_PROPERTIES",
        1,
    ),
    (
        "concepts/reviews.md",
        r"at most the latest ([\d,]+) builds",
        "feedback/review/build.rs",
        "MAX_PAGES",
        100,
    ),
    (
        "concepts/reviews.md",
        r"at most (\d+) branches of a pipeline",
        "feedback/review/missed_push.rs",
        "MAX_BRANCHES",
        1,
    ),
    (
        "concepts/rotation.md",
        r"pending for more than (\d+) minutes",
        "mirror_credential/rotation/mod.rs",
        "ROTATION_TIMEOUT",
        60,
    ),
    (
        "runbook/watching.md",
        r"pending for more than (\d+) minutes",
        "mirror_credential/rotation/mod.rs",
        "ROTATION_TIMEOUT",
        60,
    ),
    (
        "runbook/failed-stack.md",
        r"delay of up to (\w+) minutes",
        "clients/aws/retry.rs",
        "THROTTLE_RETRY_WINDOW",
        60,
    ),
    (
        "runbook/while-it-is-down.md",
        r"ended more than (\d+) hours ago",
        "health_check/pipelines.rs",
        "REPORTED_TIME",
        3600,
    ),
    (
        "runbook/reason-codes.md",
        r"propagate the credential within (\w+) minutes",
        "clients/codecommit/push_check.rs",
        "NEW_LOGIN_TIMEOUT",
        60,
    ),
    (
        "runbook/reason-codes.md",
        r"For (\d+) days, each health check",
        "mirror_credential/delete/left.rs",
        "DAYS",
        1,
    ),
]
UNITS = {"secs": 1, "mins": 60, "hours": 3600}


@cache
def page(name):
    return " ".join((ROOT / "docs" / name).read_text().split())


def constant(source, name):
    """A product of whole numbers, or a duration in seconds."""
    text = (ROOT / "src" / source).read_text()
    (value,) = re.findall(rf"const {name}: \w+ = (?:Duration::from_)?([a-z]*\(?[\d_* ]+\)?);", text)
    unit, digits = re.fullmatch(r"([a-z]*)\(?([\d_* ]+)\)?", value).groups()
    return UNITS.get(unit, 1) * math.prod(int(part) for part in digits.split("*"))


@pytest.mark.parametrize(
    ("name", "sentence", "source", "limit", "unit"), LIMITS, ids=lambda each: str(each)[:40]
)
def test_limit_of_a_page_is_that_of_the_code(name, sentence, source, limit, unit):
    (shown,) = re.findall(sentence, page(name))
    number = WORDS.get(shown) or int(shown.replace(",", ""))
    # A page of builds has a hundred.
    factor = 1 / unit if limit == "MAX_PAGES" else unit
    assert number * factor == constant(source, limit)


def rows(name, header):
    """The rows of the only table with these first cells."""
    text = (ROOT / "docs" / name).read_text()
    (table,) = re.findall(rf"^\| {re.escape(header)} .*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table.splitlines()]


def quoted(text):
    return re.findall(r"`([^`]+)`", text)


def sources():
    return {path: path.read_text() for path in (ROOT / "src").rglob("*.rs") if "test" not in path.name}


def test_page_of_codes_has_each_error_type():
    function = (ROOT / "src/handler/error.rs").read_text().split("pub fn name(")[1].split("pub(super)")[0]
    assert sorted(quoted(row[0])[0] for row in rows("runbook/reason-codes.md", "`errorType`")) == sorted(
        {*re.findall(r'"(\w+)"', function)}
    )


def test_messages_of_the_page_about_logs_are_those_of_the_code():
    texts = "\n".join(
        [*sources().values(), *(path.read_text() for path in (ROOT / "crates").rglob("src/**/*.rs"))]
    )
    messages = [message for row in rows("runbook/logs.md", "`message`") for message in quoted(row[0])]
    assert messages and [message for message in messages if f'"{message}"' not in texts] == []


def test_words_that_hide_the_rest_of_a_line_are_those_of_the_code():
    words = (ROOT / "src/feedback/failures/masks.rs").read_text().split("const WORDS: ")[1].split("];")[0]
    named = rows("concepts/reporting.md", "In a line")[0][0].partition(", also")[0]
    assert quoted(named) == re.findall(r'"([^"]+)"', words)


def test_page_of_notifications_has_each_value():
    parameters = yaml.load((ROOT / "templates/notifications.yaml").read_text(), yaml.BaseLoader)["Parameters"]
    named, name = {}, ""
    for parameter, values, _ in rows("how-to/notifications.md", "Parameter"):
        name = quoted(parameter)[0] if parameter else name
        named.setdefault(name, []).extend(quoted(values))
    for name, values in named.items():
        # The default of a format is the text of the other row, and None needs no explanation.
        assert {*parameters[name]["AllowedValues"]} - {"None", "BASIC"} == {*values}, name


def test_each_command_of_a_page_exists():
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    targets = {*re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()}
    for path in files("*.md"):
        text = path.read_text()
        named = re.findall(r"(?:`|^\s*\$? ?)make ((?:[a-z]+-?)+)(?=[` \n])", text, re.MULTILINE)
        assert {*named} <= targets, path
        assert {*re.findall(r"(?:`|\./)cfn-gitops ([a-z]+)(?=[` \n])", text, re.MULTILINE)} <= {
            *main.COMMANDS
        }, path


# Of a login, which a local AWS does not need. The AWS CLI v1 does not have them.
_OF_A_LOGIN = {"configure export-credentials", "configure sso", "sso login"}


def test_each_aws_command_of_a_page_runs_in_make_shell():
    """PyPI has the AWS CLI v1 only. It has no `logs tail`, for example."""
    driver = awscli.clidriver.create_clidriver()
    services, common, commands = driver._get_command_table(), set(driver._get_argument_table()), 0
    for path in files("*.md"):
        text = path.read_text().replace("\\\n", " ")
        parts = re.split(r"^ *```(sh|console|)\w*\n", text, flags=re.MULTILINE)
        blocks = [part for kind, part in zip(parts[1::2], parts[2::2], strict=True) if kind]
        codes = "\0".join(
            [*blocks, *(code for part in parts[::4] for code in re.findall(r"`([^`]+)`", part))]
        )
        for service, name, rest in re.findall(
            r"(?<![\w./-])aws\s+([a-z0-9-]+)\s+([a-z0-9-]+)([^\n\0'|;&)]*)", codes
        ):
            if f"{service} {name}" in _OF_A_LOGIN:
                continue
            commands += 1
            assert service in services and name in (operations := operations_of(services[service])), (
                path,
                service,
                name,
            )
            options = {*re.findall(r"(?<!\S)--([a-z0-9-]+)", rest)}
            # A waiter's options are those of its own table.
            assert name == "wait" or options <= {*operations[name].arg_table, *common}, (path, service, name)
    assert commands > 100


def test_sam_logs_accepts_the_options_of_pages_and_remedies():
    options, commands = {name for option in sam_logs.params for name in option.opts}, []
    for path in [*files("*.md"), *(ROOT / "cli").rglob("*.py"), *sources()]:
        text = re.sub(r"\\\n|'(?:, ')?", " ", path.read_text())
        commands += [(path, command) for command in re.findall(r"sam[ (]+logs( [^`\n|;]*)", text)]
    assert {path.suffix for path, _ in commands} == {".md", ".py"}
    for path, command in commands:
        assert {*re.findall(r" (--?[a-z-]+)", command)} <= options, path
        [start] = re.findall(r" --start-time (\w+)", command)
        assert parse_time(start, start) < datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=1), path


def operations_of(service):
    return (
        service._get_command_table() if hasattr(service, "_get_command_table") else service.subcommand_table
    )


def test_each_parameter_in_a_block_of_settings_exists():
    templates = [ROOT / "template.yaml", *(ROOT / "templates").glob("*.yaml")]
    parameters = {
        name for path in templates for name in yaml.load(path.read_text(), yaml.BaseLoader)["Parameters"]
    }
    named = {
        name
        for path in files("*.md")
        for block in re.findall(r"```toml\n(.*?)```", path.read_text(), re.DOTALL)
        for name in re.findall(r'^ *["\']+([A-Z]\w+)=', block, re.MULTILINE)
    }
    assert {"VpcSubnetIds", "HttpsProxy"} <= named <= parameters


def test_variables_of_the_page_about_make_try_are_read():
    read = (ROOT / "Makefile").read_text() + "".join(
        path.read_text() for path in (ROOT / "tools").rglob("*.py")
    )
    named = [quoted(row[0])[0].partition("=")[0] for row in rows("how-to/try.md", "Variable")]
    assert (
        len(named) > 2
        and [name for name in named if not re.search(rf"\$\({name}\)|\$\$?{name}\b|[\"']{name}[\"']", read)]
        == []
    )
