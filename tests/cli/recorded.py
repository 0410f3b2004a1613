"""CloudFormation with a case of tests/fixtures/stack_failures.json. src/feedback/failures/deployment_tests.rs
states what its members mean."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.cli.conftest import ROOT

CASES: list[dict[str, Any]] = json.loads((ROOT / "tests/fixtures/stack_failures.json").read_text())
NAME, STACK = "cfnstack-dev-shop", "AWS::CloudFormation::Stack"
_BEGIN = datetime(2026, 11, 20, tzinfo=UTC)


def arn(key: str = "") -> str:
    return f"arn:aws:cloudformation:eu-central-1:123456789012:stack/{NAME}{key and f'-{key}'}/0"


def case_of(title: str) -> dict[str, Any]:
    return next(case for case in CASES if case["case"].startswith(title))


class Recorded:
    """The client. Each list is in pages of one."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        # Its operations that fail, with their errors.
        self.errors: dict[str, Exception] = {}
        self.calls: list[str] = []

    def get_paginator(self, operation: str) -> Any:
        def paginate(**given: Any) -> Any:
            self.calls.append(operation)
            if operation in self.errors:
                raise self.errors[operation]
            key, rows = getattr(self, f"_{operation}")(**given)
            return [{key: [row]} for row in rows] or [{key: []}]

        return type("Paginator", (), {"paginate": staticmethod(paginate)})

    def _describe_stack_events(self, StackName: str) -> tuple[str, list[dict[str, Any]]]:
        key = next((key for key in self.case["events"] if StackName == arn(key)), "")
        return "StackEvents", self.events(key)

    def events(self, key: str = "") -> list[dict[str, Any]]:
        """Those of a stack, the latest one first."""
        return [self._event(key, number, *row) for number, row in enumerate(self.case["events"][key])][::-1]

    def _event(
        self, key: str, number: int, name: str, kind: str, status: str, reason: str, nested: str = ""
    ) -> dict[str, Any]:
        states = (
            {
                "ResourceStatus": "CREATE_IN_PROGRESS",
                "HookType": "My::Org::Hook",
                "HookStatus": "HOOK_COMPLETE_FAILED",
                "HookFailureMode": status.replace("HOOK", "FAIL"),
                "HookStatusReason": reason,
            }
            if status in ("HOOK", "WARN")
            else {"ResourceStatus": status, **({"ResourceStatusReason": reason} if reason else {})}
        )
        return {
            "StackId": arn(key),
            "StackName": NAME,
            "EventId": f"{key}{number}",
            "LogicalResourceId": name or NAME,
            "ResourceType": kind,
            "PhysicalResourceId": arn(nested) if nested else "" if name else arn(key),
            "Timestamp": _BEGIN + timedelta(seconds=number),
            **states,
            **({"OperationId": self.case["operation"]} if "operation" in self.case and not key else {}),
        }

    def _describe_stacks(self, StackName: str) -> tuple[str, list[dict[str, Any]]]:
        key = next(key for key in self.case["events"] if StackName == arn(key))
        parent = self.case.get("parents", {}).get(key, key.rpartition("-")[0])
        return "Stacks", [
            {
                "StackId": StackName,
                "StackStatus": "DELETE_COMPLETE",
                **({"ParentId": arn(parent)} if key else {}),
            }
        ]

    def _list_change_sets(self, StackName: str) -> tuple[str, list[dict[str, Any]]]:
        failed = {
            "StackName": NAME,
            "ChangeSetId": "c1",
            "Status": "FAILED",
            "StatusReason": self.case.get("change_set"),
            "CreationTime": _BEGIN + timedelta(days=1),
        }
        former = {**failed, "ChangeSetId": "c0", "CreationTime": _BEGIN + timedelta(hours=1)}
        earlier = {**failed, "CreationTime": _BEGIN - timedelta(days=1), "StatusReason": "an earlier one"}
        return "Summaries", [former, failed, earlier] if failed["StatusReason"] else []

    def _describe_events(
        self, StackName: str, Filters: Any, ChangeSetName: str = ""
    ) -> tuple[str, list[dict[str, Any]]]:
        assert (ChangeSetName or "") == ("c1" if "change_set" in self.case else "") and Filters == {
            "FailedEvents": True
        }
        found = []
        for kind, operation, name, of_type, reason in self.case.get("findings", []):
            about = "Validation" if kind == "VALIDATION_ERROR" else "Hook"
            found.append(
                {
                    "EventType": "HOOK_INVOCATION_ERROR" if kind == "WARN" else kind,
                    "OperationId": operation,
                    "LogicalResourceId": name,
                    "ResourceType": of_type,
                    f"{about}StatusReason": reason,
                    f"{about}FailureMode": "WARN" if kind == "WARN" else "FAIL",
                }
            )
        return "OperationEvents", found
