"""Observations of a run in a real account about the assumptions of an approval."""

from typing import Any

from botocore.exceptions import ClientError

from tools.run.story import Story
from tools.trial.assumptions import Observations

# CodePipeline's exceptions for a token whose request has ended.
_ENDED = ("ApprovalAlreadyCompletedException", "InvalidApprovalTokenException")


def answers_again(story: Story, answered: dict[str, Any], seen: Observations) -> None:
    """Sends an answer with the token of a request that was answered before."""
    project = story.loop.project
    try:
        story.aws.client("codepipeline").put_approval_result(
            pipelineName=project.name, **answered, result={"status": "Rejected", "summary": "an old token"}
        )
        code = "accepted"
    except ClientError as error:
        code = error.response["Error"]["Code"]
    seen.add("answered-token-is-rejected", code in _ENDED, code)
