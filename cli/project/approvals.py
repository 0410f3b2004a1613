"""Approvals that wait in a pipeline, and the console's pages on which a person answers them and sees an
execution."""

from __future__ import annotations

import re
from typing import Any

from cli.environment.account import Account
from cli.environment.answers import Part, words_of
from cli.rules import APPROVAL
from cli.shell.command import cfn_gitops

_DOMAINS = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


def is_waiting(action: dict[str, Any]) -> bool:
    """Only a request for an approval has a token. In another execution mode it may have none, so its name
    counts as well: https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html"""
    latest = action.get("latestExecution", {})
    return latest.get("status") == "InProgress" and (
        bool(latest.get("token")) or action.get("actionName") == APPROVAL
    )


def counts_of(change_set: Part) -> str:
    """In one line."""
    counts = change_set.counts.members.items()
    return ", ".join(f"{count} {words_of(name)}" for name, count in counts if count) or "no change"


def reason_of(rejection: Part) -> str:
    """Without the person and the beginning that `cfn-gitops reject` writes."""
    by = re.escape(rejection.by)
    return re.sub(
        f"^((Rejected|cfn-gitops: rejected in GitLab) by {by}(: |$))?(reject(: |$))?", "", rejection.reason
    )


def page_of(pipeline: str, account: Account, shown: str = "view") -> str:
    """As in src/gitops_pipeline/names.rs."""
    domain = _DOMAINS.get(account.partition, "console.aws.amazon.com")
    pipelines = f"https://{account.region}.{domain}/codesuite/codepipeline/pipelines"
    return f"{pipelines}/{pipeline}/{shown}?region={account.region}"


def execution_page_of(pipeline: str, execution: str, account: Account) -> str:
    return page_of(pipeline, account, f"executions/{execution}/timeline")


def decide(project: str, table: str) -> str:
    """The remedy for an approval that waits. Both commands show the change set, and ask."""
    approve, reject = (cfn_gitops(each, project, "--env", table) for each in ("approve", "reject"))
    return f"Approve it with `{approve}`, or reject it with `{reject}`"
