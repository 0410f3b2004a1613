"""Plays a story of tests/scenarios in a deployed environment, and deletes everything that the story has
created."""

from tests.play.credential_player import CredentialPlayer
from tests.play.pipeline_player import PipelinePlayer, renamed
from tests.play.pipelines import Pipeline
from tests.play.scenarios import Scenario, Step
from tests.play.stage import Mismatch, Player, Stage, method
from tests.play.steps import Account, Stack

_PLAYERS: dict[str, type[Player]] = {"MirrorCredential": CredentialPlayer, "GitOpsPipeline": PipelinePlayer}


def play(stage: Stage, scenario: Scenario) -> None:
    """Raises `Mismatch` or `NotInTime` if the world differs from the story."""
    player = _PLAYERS[scenario.resource](stage, scenario)
    try:
        player.prepare()
        for step in scenario.steps:
            player.perform(step)
        if player.properties is not None:
            player.perform(Step("delete"))
    finally:
        delete_story(stage.aws, stage.env_id, stage.id)


def is_performed(scenario: Scenario) -> bool:
    """Whether the player creates each `given`, performs each step, and sees each expectation."""
    player = _PLAYERS[scenario.resource]
    expected = {name for step in scenario.steps if step.word == "expect" for name in step.subject} - {"calls"}
    return (
        set(scenario.given) <= set(player.GIVEN)
        and all(hasattr(player, f"see_{name}") for name in expected)
        and all(hasattr(player, method(step.word)) and not step.is_of_process for step in scenario.steps)
    )


def delete_story(aws: Account, env_id: str, story_id: str) -> None:
    """Deletes the rest of a story that has ended anywhere. A running execution would create its stack
    again."""
    pipelines = [Pipeline(aws, env_id, name) for name in (story_id, renamed(story_id))]
    for pipeline in pipelines:
        pipeline.stop()
    name = f"story-{env_id}-{story_id}"
    for stack in (
        Stack(aws, name),
        *(pipeline.deployed for pipeline in pipelines),
        Stack(aws, f"{name}-base"),
    ):
        if stack.exists():
            stack.wait()
            if (status := stack.delete()) != "DELETE_COMPLETE":
                raise Mismatch(f"{stack.name} is {status}: {stack.failures()}")
    # Those that were retained. CodeCommit also accepts the deletion of a repository that does not exist.
    for pipeline in pipelines:
        aws.client("codecommit").delete_repository(repositoryName=pipeline.repository)
