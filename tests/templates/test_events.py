"""events/ holds requests as CloudFormation sends them, and its README speaks of each."""

import json
import re
import uuid
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

EVENTS = Path(__file__).parents[2] / "events"
FILES = sorted(EVENTS.glob("*.json"))
REQUESTS = [path for path in FILES if path.name != "unknown-event.json"]

MEMBERS = {
    "RequestType", "ServiceToken", "ResponseURL", "StackId", "RequestId", "LogicalResourceId", "ResourceType", "ResourceProperties",
}
MORE = {"Create": set(), "Import": set(), "Update": {"PhysicalResourceId", "OldResourceProperties"}, "Delete": {"PhysicalResourceId"}}


def load(path):
    return json.loads(path.read_text())


def scalars(value):
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return [value]
    return [scalar for item in value for scalar in scalars(item)]


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_a_request_is_complete_and_of_the_form_that_cloudformation_sends(path):
    event = load(path)
    assert event.keys() == MEMBERS | MORE[event["RequestType"]]
    assert all(isinstance(value, str) for value in scalars(event))
    assert event["ResourceProperties"]["ServiceToken"] == event["ServiceToken"]
    assert str(uuid.UUID(event["RequestId"])) == event["RequestId"]
    assert re.fullmatch(r"arn:aws:cloudformation:[a-z0-9-]+:\d{12}:stack/[\w-]+/[0-9a-f-]{36}", event["StackId"])


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_an_answer_can_only_go_to_this_machine(path):
    url = urlsplit(load(path)["ResponseURL"])
    assert (url.scheme, url.hostname, url.port) == ("http", "127.0.0.1", 9)
    assert parse_qs(url.query)["X-Amz-Expires"] == ["7200"]
    # A date makes a request late the next day.
    assert ("X-Amz-Date" in parse_qs(url.query)) == (path.stem == "create-late")


def test_no_two_requests_have_one_id():
    ids = [load(path)["RequestId"] for path in REQUESTS]
    assert len(set(ids)) == len(ids)


def test_no_account_but_the_example_is_named():
    for path in FILES:
        # Twelve digits that are not the tail of an id.
        assert set(re.findall(r"(?<=:)\d{12}(?=:)", path.read_text())) <= {"123456789012"}


def test_a_rollback_is_its_update_the_other_way_round():
    for back in EVENTS.glob("*-rollback.json"):
        there = load(EVENTS / back.name.replace("-rollback", ""))
        assert load(back)["ResourceProperties"] == there["OldResourceProperties"]
        assert load(back)["OldResourceProperties"] == there["ResourceProperties"]


def test_the_readme_lists_every_event_and_no_other():
    listed = re.findall(r"^\| `([a-z-]+\.json)`", (EVENTS / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [path.name for path in FILES]
