"""The observers of the first deployment up to the first update, against the local AWS and the local GitLab."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.aws.settings import IAM_IS_LATE
from tests.play import steps
from tests.play.steps import Login, Working

from tools.trial.observers import OBSERVERS, NotSeen, World
from tools.trial.observers import approvals, artifacts, deletions, first_deployment, first_push, health_checks, updates
from tools.trial.acts import TryStory
from tools.trial.gitlab import RemoteGitLab
from tools.trial.run import Options, RemoteSource, names_of

OWN = {name for name, observer in OBSERVERS.items() if observer.__module__ in {
    module.__name__ for module in (approvals, artifacts, first_deployment, first_push, health_checks, updates)}}
# A custom resource.
OWN |= deletions.provider.looks.keys()
# The local AWS lacks CloudTrail's events of services, permission sets, old metrics and the tokens of operations. The
# local GitLab lacks GitLab's own notes, its access tokens, the end of a pipeline and rules of groups.
NOT_SHOWN = {"alarm-covers-late-check", "build-reads-artifacts-with-its-role", "canceled-status-is-posted-again",
             "deploy-action-permissions", "describe-events-newest-first", "handlers-publish-what-they-need",
             "inherited-attribute-shown", "only-comments-filter", "permission-set-in-principal-arn",
             "status-of-another-user-stays-retried"}
# Behaviour that is not documented, and differs here from the assumption. Here, a failed event is invoked again at once.
REFUTED = {"redelivery-after-a-minute", "rollback-update-carries-old-id"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """After the first push, a rejected deployment and a failed environment."""
    directory = tmp_path_factory.mktemp("story")
    with LocalAws(settings=IAM_IS_LATE) as aws, local_gitlab.running(protected_delay=1, unprotected_delay=1) as gitlab:
        Working(directory / "first", "main").push(Login("developer", gitlab.token, ""), gitlab.project("a/b").url)
        names = names_of("tryabcde")
        source = RemoteSource(Options(aws, RemoteGitLab(gitlab.url, gitlab.token), "a/b", names, 0))  # type: ignore[arg-type]
        story = TryStory(aws, source, names, directory)  # type: ignore[arg-type]
        source.project.protect(names.branch, names.second_branch, names.other_branch)
        source.store_token()
        story.deploy()
        story.loop.first_push()
        story.loop.starts_nothing_and_is_rejected(names.other_branch, names.unprotected_branch)
        story.first_deployment_fails()
        yield World(story, source.project)  # type: ignore[arg-type]
        assert gitlab.complaints == []


def test_observers_see_what_the_local_services_do(world: World) -> None:
    seen = {}
    for name in sorted(OWN):
        seen[name] = None
        with contextlib.suppress(NotSeen):
            seen[name] = OBSERVERS[name](world)
    assert {name for name, found in seen.items() if found is None} == NOT_SHOWN
    refuted = {name: found for name, found in seen.items() if found and not found.held}
    assert set(refuted) == REFUTED, refuted
    left = steps.what_is_there(world.story.aws)
    assert [name for names in left.values() for name in names if "-probe" in name] == []
