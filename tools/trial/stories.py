"""The stories of tests/scenarios in `make try`: in the first environment of the run and the user's GitLab
project.

A story's branches in GitLab begin with the name of the run, so that it sees no others."""

import sys
from functools import cached_property

from tests.play import playing, scenarios
from tests.play.mirroring import Source
from tests.play.pipelines import developer_login
from tests.play.scenarios import Scenario
from tests.play.stage import Stage
from tests.play.steps import Login
from tests.play.waiting import eventually
from tools.run.console import note
from tools.trial.acts import TryStory
from tools.trial.cleanup import branches, delete_branches, developer
from tools.trial.gitlab import RemoteProject
from tools.trial.observers import sources
from tools.trial.observing import Observing


def chosen(names: str) -> list[Scenario]:
    """The stories of these files, or `all`. None without a name."""
    known: dict[str, list[Scenario]] = {}
    for scenario in scenarios.scenarios("account"):
        known.setdefault(scenario.name.split(":")[0], []).append(scenario)
    wanted = list(known) if names == "all" else [name for name in names.split(",") if name]
    if unknown := [name for name in wanted if name not in known]:
        sys.exit(f"SCENARIOS has the unknown {', '.join(unknown)}. Known are all, {', '.join(known)}")
    found = [scenario for name in wanted for scenario in known[name]]
    if unfit := [scenario.name for scenario in found if mirrors_unprotected(scenario)]:
        sys.exit(f"{', '.join(unfit)} would mirror unprotected branches of your project")
    return found


def mirrors_unprotected(scenario: Scenario) -> bool:
    """Whether a mirror of the story may push branches that the project does not protect."""
    return any("OnlyProtectedBranches" in str(step) for step in scenario.steps)


class Stories:
    def __init__(self, story: TryStory, observing: Observing) -> None:
        self._story, self._observing = story, observing
        self._project: RemoteProject = story.source.project  # type: ignore[assignment]

    def play(self, number: int, scenario: Scenario) -> None:
        story, story_id = self._story, f"s{number}"
        directory = story.directory / story_id
        directory.mkdir()
        stage = Stage(
            story.aws,
            story.names.first,
            directory,
            story_id,
            self._source,
            lambda: self._developer,
            prefix=f"{branches(story.names, story_id)}-",
            show=note,
            passwords=story.loop.passwords,
        )
        try:
            playing.play(stage, scenario)
            for row in scenario.observes:
                story.seen.add(row, True, f"the story {scenario.name} succeeded")
        finally:
            delete_branches(
                story.source,
                self._project,
                lambda name: name.startswith(stage.prefix),
                story.directory / f"{story_id}-end",
            )

    def end(self) -> None:
        """The last observers look. Then the acts of the deletion expect only their own resources."""
        self._observing.look()
        sources.delete_user(self._story.aws, developer(self._story.names))

    def _source(self, name: str) -> Source:
        if name != "infra":
            raise scenarios.UnknownWord(f"{name}: an account's story has one project in GitLab, infra")
        return self._story.source

    @cached_property
    def _developer(self) -> Login:
        made = developer_login(self._story.aws, self._story.names.first, developer(self._story.names))
        self._story.loop.passwords.add(made.password)
        eventually(
            lambda: made.status(self._story.clone_url) == 200, "CodeCommit accepts the developer's login"
        )
        return made
