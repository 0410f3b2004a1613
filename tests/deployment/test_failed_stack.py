"""The example of docs/runbook/failed-stack.md, step by step: the page shows the real output.

`CFN_GITOPS_WRITE_PAGES=1` writes the output into the page. Review the difference.
"""

import json
import os
import re
import textwrap
from typing import Any

import pytest

from tests.deployment.conftest import Transcript
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play import steps
from tests.play.mirroring import Source
from tests.play.steps import ROOT, Environment, Stack

TEMPLATE = ROOT / "templates/project.yaml"
PAGE = ROOT / "docs/runbook/failed-stack.md"
NAME = "shop"
WIDTH = 96


def block(lines: list[str]) -> str:
    return (
        "\n".join(
            "\n".join(
                textwrap.wrap(
                    line, WIDTH, subsequent_indent=" " * 6, break_long_words=False, break_on_hyphens=False
                )
            )
            for line in lines
        )
        + "\n"
    )


def without_ids(text: str) -> str:
    """The text with … in place of the IDs of requests and credentials."""
    return re.sub(r"(?<=RequestId: )[-0-9a-f]{36}|(?<=\bACCA)[A-Z0-9]{16,}", "…", text)


def as_events(events: list[dict[str, Any]]) -> str:
    """The console's page of a stack's events: failures and the stack's final status, oldest first."""
    return block(
        [
            without_ids(
                f"{event['ResourceStatus']}  {event['LogicalResourceId']}  "
                f"{event.get('ResourceStatusReason', '')}".strip()
            )
            for event in events
            if event["ResourceStatus"].endswith("_FAILED")
            or event["LogicalResourceId"] == f"project-dev-{NAME}"
        ]
    )


def as_warnings(aws: LocalAws, function_name: str, request_id: str) -> str:
    """The warnings of one request, without the fields that all lines share."""
    lines = []
    for line in steps.function_log(aws, function_name).splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        if entry.get("request") == request_id and entry["level"] == "WARN":
            lines.append(without_ids(f"WARN  {entry['message']}  {entry['left']}"))
    return block(lines)


def requests(aws: LocalAws, kind: str) -> list[dict[str, Any]]:
    return [each for each in aws.exchanges("MirrorCredential") if each["RequestType"] == kind]


@pytest.fixture
def source(aws: LocalAws, gitlab: LocalGitLab) -> Source:
    return Source(aws, gitlab, f"platform/{NAME}", f"gitlab/{NAME}", "development")


def test_page_has_the_real_output(
    aws: LocalAws, environment: Environment, gitlab: LocalGitLab, source: Source, transcript: Transcript
) -> None:
    secrets, name = aws.client("secretsmanager"), environment.function_name
    reader, good = gitlab.add_token("a reader", scope="read_api"), gitlab.add_token("the owner's")
    transcript.tokens |= {reader.value, good.value}
    source.store_token()
    secrets.put_secret_value(SecretId=source.secret_id, SecretString=reader.value)
    before = steps.what_is_there(aws)
    given, shown = source.parameters(EnvID="dev", ProjectID=NAME), []

    failed = Stack(aws, f"project-dev-{NAME}")
    assert failed.create(TEMPLATE, **given) == "ROLLBACK_COMPLETE"
    shown.append(as_events(failed.events()))

    # The stack is empty.
    assert failed.delete() == "DELETE_COMPLETE"
    assert steps.what_is_there(aws) == before
    assert source.project.mirrors() == []

    secrets.put_secret_value(SecretId=source.secret_id, SecretString=good.value)
    healed = Stack(aws, f"project-dev-{NAME}")
    assert healed.create(TEMPLATE, **given) == "CREATE_COMPLETE", healed.failures()
    transcript.collect_passwords(aws)
    [mirror] = source.mirrors_to(healed.outputs()["RepositoryCloneUrl"])

    good.revoke()
    requests_before = len(requests(aws, "Delete"))
    assert healed.delete() == "DELETE_COMPLETE", healed.failures()
    [asked] = requests(aws, "Delete")[requests_before:]
    shown.append(as_warnings(aws, name, asked["RequestId"]).replace(f"mirror {mirror.id} ", "mirror 102 "))
    assert steps.what_is_there(aws) == before
    # The record of the mirror.
    [record] = [mark for mark in steps.deletion_marks(aws) if "/mirrors-left-" in mark]
    secrets.delete_secret(SecretId=record, ForceDeleteWithoutRecovery=True)
    # GitLab has to remove the mirror, which no longer pushes.
    assert [left.id for left in source.project.mirrors()] == [mirror.id]
    source.project.delete_mirror(mirror.id)
    source.forget_token()

    page = PAGE.read_text()
    shown = [entry.replace(gitlab.url, "https://gitlab.com") for entry in shown]
    if "CFN_GITOPS_WRITE_PAGES" in os.environ:
        parts = iter(shown)
        page = re.sub(r"```text\n.*?```", lambda _: f"```text\n{next(parts)}```", page, flags=re.DOTALL)
        PAGE.write_text(page)
    assert re.findall(r"```text\n(.*?)```", page, re.DOTALL) == shown
