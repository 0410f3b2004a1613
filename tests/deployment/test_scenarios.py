"""The stories of tests/scenarios, all at the same time, in one environment."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.deployment.conftest import Transcript
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play import steps
from tests.play.mirroring import Source
from tests.play.playing import Stage, play
from tests.play.scenarios import Scenario, scenarios
from tests.play.steps import Environment, Login

STORIES = scenarios("local")


@pytest.fixture(scope="module")
def played(
    aws: LocalAws,
    environment: Environment,
    gitlab: LocalGitLab,
    git_login: Callable[[], Login],
    transcript: Transcript,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Future[None]]:
    """The stories, after all have ended."""

    def play_one(number: int, scenario: Scenario, directory: Path) -> None:
        name = f"s{number}"
        secret = Source(aws, gitlab, f"platform/{name}/token", f"gitlab/{name}", "main")
        secret.store_token()
        stage = Stage(
            aws,
            "dev",
            directory,
            name,
            git_login=git_login,
            before_deletion=transcript.add_pipeline,
            passwords=transcript.passwords,
            source=lambda path: Source(aws, gitlab, f"platform/{name}/{path}", secret.secret_id, "main"),
        )
        try:
            play(stage, scenario)
        finally:
            secret.forget_token()

    before = steps.what_is_there(aws)
    with ThreadPoolExecutor(len(STORIES)) as at_once:
        ended = {
            scenario.name: at_once.submit(play_one, number, scenario, tmp_path_factory.mktemp(scenario.name))
            for number, scenario in enumerate(STORIES)
        }
    assert steps.what_is_there(aws) == before
    return ended


@pytest.mark.parametrize("name", [scenario.name for scenario in STORIES])
def test_story_plays_as_described(played: dict[str, Future[None]], name: str) -> None:
    played[name].result()
