"""The tables and the observers of `make try` against the local AWS and the local GitLab."""

import json
from collections.abc import Iterator
from functools import partial

import pytest

from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.play import steps, waiting
from tests.play.steps import Login, Working
from tools.run.console import note
from tools.trial import observing, table
from tools.trial.acts import TryStory
from tools.trial.gitlab import RemoteGitLab
from tools.trial.observers import OBSERVERS, Seen, World, looked, sources
from tools.trial.run import Options, RemoteSource, names_of

# The local services lack what these rows look at, by the table or the module.
NOT_SHOWN: dict[str, set[str]] = {
    # CloudTrail's events of services, and permission sets.
    "approvals": {
        "deploy-action-permissions",
        "handlers-publish-what-they-need",
        "permission-set-in-principal-arn",
    },
    # Notification rules, keys that Secrets Manager uses for the caller, and archives of events.
    "attackers": {"notification-rule-key", "unexplained-denial-did-nothing", "replayed-events-carry-a-name"},
    # A limit of builds.
    "builds": {"review-build-is-started-again"},
    # Imports of change sets.
    "change_sets": {"import-of-kept-bucket"},
    # They invoke a function again in another process.
    "deletions": {"redelivery-after-a-minute"},
    # A second health check, which is late.
    "clocks": {"alarm-covers-late-check"},
    # Texts of a role that is too new, tokens of operations, and groups.
    "first_deployment": {
        "codebuild-role-not-assumable-text",
        "eventbridge-role-not-assumable-text",
        "describe-events-newest-first",
        "inherited-attribute-shown",
    },
    # The end of a pipeline, and access tokens.
    "first_push": {"canceled-status-is-posted-again", "status-of-another-user-stays-retried"},
    # Triggers and pull requests.
    "people": {"triggers-and-alarms-send-source-arn", "approval-rule-on-pull-request"},
    # The state of a stage's conditions.
    "pipeline_options": {"alarm-rule-watches-the-state-alarm", "alarm-already-raised-fails-at-once"},
    # Another attempt of a rotation.
    "rotations": {"rotation-reattempt-same-version", "rotation-enabled-tells-reattempt"},
}
# The local services differ from the assumption: AWS's behaviour is not documented.
REFUTED: dict[str, set[str]] = {
    "builds": {"build-limit-is-an-error"},
    # They fail such a change set, keep the one before a direct update, and do not compare a deleted resource.
    "change_sets": {
        "change-set-of-outputs-only",
        "direct-update-drops-the-change-set",
        "drift-of-a-deleted-resource",
    },
    # The local AWS does not send `aws:SourceAccount`.
    "people": {"notification-source-account"},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """After the first push, a rejected deployment and a failed environment."""
    directory = tmp_path_factory.mktemp("story")
    with (
        LocalAws(settings={"rule_minute_seconds": 1.0}) as aws,
        local_gitlab.running(protected_delay=1, unprotected_delay=1) as gitlab,
    ):
        # Some rows look at what only AWS has.
        aws.raises_complaints = False
        Working(directory / "first", "main").push(
            Login("developer", gitlab.token, ""), gitlab.project("a/b").url
        )
        names = names_of("tryabcde")
        source = RemoteSource(
            Options(as_administrator(aws), RemoteGitLab(gitlab.url, gitlab.token), "a/b", names, 0)
        )  # type: ignore[arg-type]
        story = TryStory(source.aws, source, names, directory)  # type: ignore[arg-type]
        source.project.protect(names.branch, names.second_branch, names.other_branch)
        source.store_token()
        story.deploy()
        story.loop.first_push()
        story.loop.starts_nothing_and_is_rejected(names.other_branch, names.unprotected_branch)
        story.first_deployment_fails()
        yield World(story, source.project)  # type: ignore[arg-type]
        assert gitlab.complaints == []


def as_administrator(aws: LocalAws) -> LocalAws:
    """STS lets no root user assume a role."""
    iam, client = aws.client("iam"), aws.client
    iam.create_user(UserName="administrator")
    iam.put_user_policy(
        UserName="administrator",
        PolicyName="all",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        ),
    )
    key = iam.create_access_key(UserName="administrator")["AccessKey"]
    aws.client = lambda service, *more: client(service, *more or [key] * (service == "sts"))  # type: ignore[method-assign]
    return aws


def test_observers_see_what_the_local_services_do(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting.PACE, "seconds", 10)
    seen = {}
    for names, look in OBSERVERS.items():
        seen |= looked(names, partial(look, world))
    for play in table.tables():
        seen |= table.played(world, play)
    assert seen.keys() == observing.observed()
    for name, found in seen.items():
        note(f"{name}: {found}")
    not_shown = {name: found for name, found in seen.items() if not isinstance(found, Seen)}
    assert not_shown.keys() == set().union(*NOT_SHOWN.values()), not_shown
    refuted = {name: found for name, found in seen.items() if isinstance(found, Seen) and not found.held}
    assert refuted.keys() == set().union(*REFUTED.values()), refuted
    json.dumps([found.recorded for found in seen.values() if isinstance(found, Seen)], default=str)
    assert left(world) == []


def test_left_probes_are_deleted(world: World) -> None:
    """A custom resource needs the function of another stack, and a stack that a pipeline has updated a
    role."""
    aws, name = world.story.aws, sources.probe(world)
    provider, custom, options = (
        steps.Stack(aws, f"{name}-{scene}") for scene in ("provider", "custom", "options")
    )
    provider.create(sources.scene("provider"), Name=name)
    custom.create(
        sources.scene("custom"), ServiceToken=provider.outputs()["Function"], Name="a", Answers="SUCCESS"
    )
    options.create(sources.scene("options"), Name=name)
    aws.client("cloudformation").create_stack(
        StackName=f"{name}-deployed",
        TemplateBody=sources.scene("deployed"),
        RoleARN=options.outputs()["Deployer"],
    )
    aws.client("s3").put_object(Bucket=options.outputs()["Bucket"], Key="key", Body=b"")
    aws.client("secretsmanager").create_secret(Name=name)
    aws.client("codecommit").create_repository(repositoryName=f"{name}-further")
    aws.client("iam").create_user(UserName=name)
    assert {f"{name}-{rest}" for rest in ("provider", "custom", "options", "deployed", "further")} | {
        name
    } < {*left(world)}
    sources.delete_probes(aws, world.story.names)
    assert left(world) == []


def left(world: World) -> list[str]:
    there = steps.what_is_there(world.story.aws)
    return [name for names in there.values() for name in names if sources.probe(world) in name]
