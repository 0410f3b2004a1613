"""The highest cost and the duration of a run of `make try`, from its acts and stories.

Prices of us-east-1 on 2026-11-25, in US dollars. Other regions differ by some percent. Free tiers are not
subtracted.
"""

import json
from collections.abc import Sequence

from tests.play.scenarios import Scenario
from tools.trial import table

# https://aws.amazon.com/codepipeline/pricing: a pipeline of type V2 costs for each minute of its actions. The
# function creates only such pipelines.
_ACTION_MINUTE = 0.002
# https://aws.amazon.com/codebuild/pricing: general1.small with Linux.
_BUILD_MINUTE = 0.005
# https://aws.amazon.com/secrets-manager/pricing: 0.40 a month, by the hour.
# https://aws.amazon.com/cloudwatch/pricing: a metric costs 0.30 and an alarm 0.10 a month, by the hour, and a
# dashboard 3.
_HOUR_OF_AN_ENVIRONMENT = (2 * 0.40 + 11 * 0.30 + 13 * 0.10 + 3) / 730
# https://aws.amazon.com/codecommit/pricing: the sixth and each further user that is active in a month. That
# is each "AWS identity (IAM user/role, federated user, or root account)", even of another service, which uses
# CodeCommit in any way. The page does not state whether the sessions of a role are one identity, so here each
# one is.
_USER = 1.0
# Your own; for each of three environments those of the mirror, the function and CloudFormation; two review
# builds.
_USERS = 1 + 3 * 3 + 2
_TABLES = json.dumps(table.tables())
# The first one is that of a new pipeline, and one is of clocks.py.
_EXECUTIONS_OF_OBSERVERS = _TABLES.count("codepipeline:StartPipelineExecution") + 2
# Two IAM users, three roles in CodeBuild and of an author, two sessions of the builds, each execution.
_USERS_OF_OBSERVERS = 2 + 3 + 2 + _EXECUTIONS_OF_OBSERVERS
# Seconds of Lambda, an alarm or a key for an hour, some objects and events.
_OBSERVER = 0.01

# The executions of all acts, each with a build. One minute of source, deployment and rules, and two of the
# build.
_EXECUTIONS, _BUILD_MINUTES, _OTHER_MINUTES = 11, 2, 1
# CloudFormation, GitLab's mirror, which runs once a minute, and the build.
_ACT_MINUTES, _STORY_MINUTES, _OBSERVER_MINUTES, _STACK_MINUTES = 4, 3, 1, 2
_STEP_MINUTES = {"create": 3, "update": 3, "delete": 2, "push": 5, "approve": 2, "reject": 1, "rotate": 4}


def cost_and_duration(acts: int, stories: Sequence[Scenario], observers: int) -> str:
    minutes = (
        _ACT_MINUTES * acts
        + sum(map(_minutes, stories))
        + (_minutes_of_observers(observers) if observers else 0)
    )
    executions = min(_EXECUTIONS, acts) + sum(
        step.word == "push" for story in stories for step in story.steps if story.resource == "GitOpsPipeline"
    )
    dollars = (
        executions * (_BUILD_MINUTES * (_BUILD_MINUTE + _ACTION_MINUTE) + _OTHER_MINUTES * _ACTION_MINUTE)
        + 2 * _HOUR_OF_AN_ENVIRONMENT * minutes / 60
        + _OBSERVER * observers
    )
    # Each execution reads its source in a session of its own.
    users = _USERS + executions + sum(story.resource == "MirrorCredential" for story in stories)
    # Those of the stories' developer and of observers.
    users += bool(stories) + (_USERS_OF_OBSERVERS if observers else 0)
    duration = _duration(minutes) + (
        f", and up to {_duration(_waits()[1] // 60)} more if every answer is late," if observers else ""
    )
    return (
        f"It takes about {duration} and costs at most {dollars:.2f} US dollars, plus {_USER:.0f} for each of"
        f" at most {users}\nCodeCommit users that the account has beyond five this month. AWS counts users,"
        " roles and perhaps their sessions."
    )


def _minutes_of_observers(count: int) -> int:
    """The rows of the tables need those of their stacks, executions and waits, and the other observers one
    each."""
    stacks = sum(_TABLES.count(f'"{word} ') for word in ("create", "update"))
    others = count - len(table.all_rows())
    return (
        _OBSERVER_MINUTES * others + _STACK_MINUTES * (stacks + _EXECUTIONS_OF_OBSERVERS) + _waits()[0] // 60
    )


def _waits() -> tuple[int, int]:
    """The seconds that the tables wait before their calls, and at most for answers."""
    found = [
        table.OPERATION.fullmatch(call[0]).groups()
        for play in table.tables()  # type: ignore[union-attr]
        for _, call in table.calls(play["calls"])
    ]
    return (
        sum(int(times or 1) * int(pause or 0) for times, pause, *_ in found),
        sum(int(times or 1) * int(limit or 0) for times, _, limit, *_ in found),
    )


def _duration(minutes: int) -> str:
    return f"{minutes} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"


def _minutes(story: Scenario) -> int:
    return _STORY_MINUTES + sum(_STEP_MINUTES.get(step.word, 0) for step in story.steps)
