"""The witnesses of GitLab, and their comparison."""

from pathlib import Path
from typing import Any

import pytest

from tests.witnesses.gitlab import OPERATIONS, WITNESSES, Exchange, table

MIRROR = {"id": 1, "enabled": True, "update_status": "finished", "last_update_at": "2020-01-06T17:32:02.823Z"}


def test_page_has_the_table() -> None:
    expected = table()
    assert expected in (Path(__file__).parent / "README.md").read_text(), (
        f"tests/witnesses/README.md needs:\n{expected}"
    )


def test_each_witness_is_a_source() -> None:
    named = [
        each.split()[0].split("/")[0] for one in OPERATIONS.values() for each in one["witness"].split("; ")
    ]
    assert set(named) == WITNESSES["sources"].keys()


@pytest.mark.parametrize(
    ("method", "target", "body", "fault"),
    [
        ("GET", "projects/1/remote_mirrors?search=x", None, "query: Additional properties are not allowed"),
        ("GET", "projects/1/remote_mirrors?page=x", None, "page: 'x' does not match"),
        ("GET", "projects/1/deployments?sort=up", None, "sort: 'up' is not one of"),
        ("POST", "projects/1/statuses/c1", {"state": "error"}, "state: 'error' is not one of"),
        ("POST", "projects/1/statuses/c1", {"name": "a"}, "body: 'state' is a required property"),
        (
            "PUT",
            "projects/1/remote_mirrors/1",
            {"enabled": "true"},
            "enabled: 'true' is not of type 'boolean', 'null'",
        ),
    ],
)
def test_fault_of_a_request_is_found(method: str, target: str, body: Any, fault: str) -> None:
    [found] = Exchange(method, f"/api/v4/{target}", body, 200, None).request_faults()
    assert fault in found


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({**MIRROR, "password": "x"}, "answer: Additional properties are not allowed"),
        ({**MIRROR, "id": "1"}, "id: '1' is not of type 'integer'"),
        ({**MIRROR, "update_status": "done"}, "update_status: 'done' is not one of"),
        ({**MIRROR, "last_update_at": "2020-01-06"}, "last_update_at: '2020-01-06' is not valid"),
        ([MIRROR], "answer: [{"),
    ],
)
def test_fault_of_an_answer_is_found(answer: Any, fault: str) -> None:
    def faults(given: Any, status: int = 200) -> list[str]:
        return Exchange("GET", "/api/v4/projects/1/remote_mirrors/1", None, status, given).answer_faults()

    [found] = faults(answer)
    assert fault in found
    assert faults(MIRROR) == []
    assert faults({"message": "404 Not found"}, 404) == []
    assert faults(MIRROR, 201) == ["the status 201 instead of 200"]
