"""Approval/Manual: waits for PutApprovalResult.

https://docs.aws.amazon.com/codepipeline/latest/userguide/approvals.html
"""

import json
import time
import uuid
from urllib.parse import quote

from tests.local.aws.codepipeline.actions import Abandoned, Action, ActionFailed

# "Approval action: 7 days" https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
_TIMEOUT_SECONDS = 7 * 24 * 60 * 60


def run(action: Action) -> None:
    held, waiting = action.held, action.run
    token = str(uuid.uuid4())
    if action.configuration("NotificationArn"):
        _notify(action, token)
    with held.changed:
        waiting.approval_token = token
        held.changed.notify_all()
        while waiting.approval is None:
            if action.execution.abandoned.is_set():
                raise Abandoned
            held.changed.wait()
        given = waiting.approval
    waiting.updated_by, waiting.summary = given["by"], given["summary"]
    if given["status"] == "Rejected":
        raise ActionFailed(
            "JobFailed", "Rejected by " + given["by"] + (f": {given['summary']}" if given["summary"] else "")
        )


def _notify(action: Action, token: str) -> None:
    """https://docs.aws.amazon.com/codepipeline/latest/userguide/approvals-json-format.html"""
    held, run = action.held, action.run
    view = (
        f"https://console.aws.amazon.com/codesuite/codepipeline/pipelines/{quote(held.name)}/view"
        f"?region={held.region}"
    )
    approval = {
        "pipelineName": held.name,
        "stageName": run.stage,
        "actionName": run.name,
        "token": token,
        "expires": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time.time() + _TIMEOUT_SECONDS)),
        "externalEntityLink": run.configuration.get("ExternalEntityLink"),
        "approvalReviewLink": f"{view}#/{run.stage}/{run.name}/approve/{token}",
        "customData": run.configuration.get("CustomData"),
    }
    subject = f"APPROVAL NEEDED: AWS CodePipeline {held.name} for action {run.name}"
    action.role.client("sns").publish(
        TopicArn=action.configuration("NotificationArn"),
        Subject=subject if len(subject) <= 100 else f"{subject[:97]}...",
        Message=json.dumps(
            {
                "region": held.region,
                "consoleLink": view,
                "approval": {key: value for key, value in approval.items() if value},
            }
        ),
    )
