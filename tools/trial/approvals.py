"""Observations of a run in a real account about the assumptions of an approval by a tag in GitLab."""

import contextlib
from typing import Any

from botocore.exceptions import ClientError

from tests.play.waiting import NotInTime, eventually
from tools.run.story import Story
from tools.trial.assumptions import Observations, function_log
from tools.trial.gitlab import GitLabError, RemoteProject

# CodePipeline's exceptions for a token whose request has ended.
_ENDED = ("ApprovalAlreadyCompletedException", "InvalidApprovalTokenException")
# EventBridge, Lambda and its log.
_EVENT_SECONDS = 300


def tag_name(env_id: str) -> str:
    """A tag with the name of an approval whose key belongs to no request, so it approves nothing."""
    return f"deploy/{env_id}/infra/{'0' * 16}"


def makes_a_tag(story: Story, seen: Observations) -> None:
    """Creates a lightweight tag by GitLab's API, as the browser does, and looks for its events."""
    project: RemoteProject = story.source.project  # type: ignore[assignment]
    tag, commit = tag_name(story.names.first), story.loop.project.deployed_commit()
    project.make_tag(tag, commit)
    story.loop.project.arrives(f"refs/tags/{tag}", commit)
    own_user = project.own_user()
    shown = [
        (event["author_id"], event["push_data"]["action"], event["push_data"]["commit_to"])
        for event in project.tag_events(tag)
    ]
    seen.add(
        "tag-event-before-its-mirror",
        bool(shown) and set(shown) == {(own_user, "created", commit)},
        f"{len(shown)} events when CodeCommit had the tag",
    )
    with contextlib.suppress(NotInTime):
        eventually(lambda: _invocations(story, tag), f"the event of {tag}", seconds=_EVENT_SECONDS)
    found = _invocations(story, tag)
    seen.add("tag-event-names-the-tag", found > 0, f"{found} invocations of the function")
    # As late as the function's log.
    events = len(project.tag_events(tag))
    seen.add("single-tag-has-an-event", events > 0, f"{events} events of the tag")
    _reads(project, own_user, seen)


def _invocations(story: Story, tag: str) -> int:
    return len(
        [line for line in function_log(story) if line.get("message") == "tag" and line.get("tag") == tag]
    )


def _reads(project: RemoteProject, own_user: int, seen: Observations) -> None:
    try:
        found = project.unreadable_for_approvals(own_user)
    except GitLabError as error:
        if error.status == 429 or error.status >= 500:
            seen.not_seen("token-reads-people-and-rules", str(error))
            return
        found = [str(error)]
    seen.add("token-reads-people-and-rules", not found, ", ".join(found) or "as assumed")


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
