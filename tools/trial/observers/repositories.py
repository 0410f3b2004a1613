"""Observers that push with git to a repository of their own, as a user of their own."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import requests

from cli.shell.terminal import shortened
from tests.play.pipelines import issue_login
from tests.play.steps import Stack, Working
from tools.trial.observers import Found, NotSeen, Seen, World, looked, observes
from tools.trial.observers.sources import probe, seconds_until, stack

_REJECTED = (401, 403)
# git's output after a rejection, and not after a failure of the network or of the server.
_REJECTION = re.compile("(?:error:|HTTP) 4|remote rejected|denied|not authorized")
_MAIN, _FREE, _PROTECTED = "refs/heads/main", "refs/heads/free", "refs/heads/protected"


class Repository(Working):
    """A clone of a repository with the branch main, as a user that may not push to one branch."""

    def __init__(self, world: World, made: Stack) -> None:
        self.world, self.name = world, probe(world)
        self.url, self.queue = (made.outputs()[name] for name in ("Url", "Queue"))
        super().__init__(Path(world.story.directory) / self.name, "main")
        self.login = issue_login(world.story.aws, self.name)
        world.story.loop.passwords.add(self.login.password)

    def commit(self, to: str = _MAIN, **files: str) -> str:
        return self.push(self.login, self.url, files, to).commit

    def differences(self, before: str, after: str) -> list[dict[str, Any]]:
        """The first page."""
        page = self.world.client("codecommit").get_differences(
            repositoryName=self.name, beforeCommitSpecifier=before, afterCommitSpecifier=after
        )
        return list(page["differences"])

    def pushes(self, *references: str) -> list[str]:
        """Pushes them together. Returns the protected and free branches that the repository then has."""
        output = self._git_as(
            self.login, "push", self.url, *(f"HEAD:{reference}" for reference in references)
        ).stderr
        there = self.references(self.login, self.url, must_succeed=True)
        found = [each for each in (_FREE, _PROTECTED) if each in there]
        for reference in found:
            self.world.client("codecommit").delete_branch(
                repositoryName=self.name, branchName=reference.removeprefix("refs/heads/")
            )
        if not found and not _REJECTION.search(output):
            raise NotSeen(f"the push was neither accepted nor rejected: {shortened(output, 200)}")
        return found

    def event_of(self, commit: str) -> dict[str, Any]:
        """The event that made this the tip of main."""
        messages = (
            self.world.client("sqs")
            .receive_message(
                QueueUrl=self.queue, WaitTimeSeconds=2, MaxNumberOfMessages=10, VisibilityTimeout=0
            )
            .get("Messages", [])
        )
        details = [json.loads(message["Body"])["detail"] for message in messages]
        return next(
            (
                each
                for each in details
                if each.get("commitId") == commit and each.get("referenceName") == "main"
            ),
            {},
        )


@contextmanager
def repository(world: World) -> Iterator[Repository]:
    name = probe(world)
    with stack(world, "repository", Parameters=[{"ParameterKey": "Name", "ParameterValue": name}]) as made:
        held = Repository(world, made)
        try:
            seconds_until(lambda: held.login.status(held.url) == 200, 300)
            held.commit(README="a probe\n")
            yield held
        finally:
            world.client("iam").delete_service_specific_credential(
                UserName=name, ServiceSpecificCredentialId=held.login.credential_id
            )


def force_push(held: Repository) -> Seen:
    former = held.commit()
    held._git("reset", "--quiet", "--hard", "HEAD~1")
    commit = held.commit(f"+{_MAIN}", other="1\n")
    seconds_until(lambda: held.event_of(commit), 300)
    event = held.event_of(commit)
    if not event:
        raise NotSeen("there was no event of the new tip")
    return Seen(
        (event.get("event"), event.get("oldCommitId")) == ("referenceUpdated", former),
        f"{event.get('event')} from {event.get('oldCommitId')} to {commit}, pushed from {former}",
        event,
    )


def long_page(held: Repository) -> Seen:
    before = held.commit(first="1\n")
    count = len(
        held.differences(before, held.commit(**{f"{number}": f"{number}\n" for number in range(200)}))
    )
    return Seen(count >= 100, f"the first of 200 differences' pages has {count}", count)


def renamed_file(held: Repository) -> Seen:
    before = held.commit(former="one line\n" * 50)
    held._git("mv", "former", "renamed")
    found = held.differences(before, held.commit(renamed="one line\n" * 50))
    paths = {
        blob["path"] for each in found for blob in (each.get("beforeBlob"), each.get("afterBlob")) if blob
    }
    return Seen(paths == {"former", "renamed"}, f"the paths {', '.join(sorted(paths))}", found)


def each_reference(held: Repository) -> Seen:
    if _FREE not in held.pushes(_FREE):
        raise NotSeen("a push of the free branch alone was rejected")
    both = [held.pushes(_FREE, _PROTECTED), held.pushes(_PROTECTED, _FREE)]
    free = "accepts" if _FREE in both[0] else "rejects"
    return Seen(
        not any(_PROTECTED in there for there in both),
        f"a push of a protected and a free branch {free} the free one",
        both,
    )


def no_lfs(held: Repository) -> Seen | None:
    """After a response to this login: a rejected one shows nothing."""
    if held.login.status(held.url) != 200:
        return None
    answer = requests.post(
        f"{held.url}.git/info/lfs/objects/batch",
        json={"operation": "upload", "objects": [{"oid": "0" * 64, "size": 1}]},
        headers=dict.fromkeys(("Accept", "Content-Type"), "application/vnd.git-lfs+json"),
        auth=(held.login.name, held.login.password),
        timeout=10,
    )
    shows = {200: False, 404: True, 501: True}
    if answer.status_code not in shows:
        return None
    return Seen(shows[answer.status_code], f"an upload got {answer.status_code}")


def inactive_login(held: Repository) -> Seen | None:
    if held.login.status(held.url) != 200:
        return None
    held.world.client("iam").update_service_specific_credential(
        UserName=held.name, ServiceSpecificCredentialId=held.login.credential_id, Status="Inactive"
    )
    took = seconds_until(lambda: held.login.status(held.url) in _REJECTED, 300)
    return Seen(took <= 60, f"rejected after {took:.0f} s")


# The last one ends the login.
_LOOKS = {
    "force-push-is-an-update": force_push,
    "differences-of-a-long-page": long_page,
    "differences-name-both-paths": renamed_file,
    "codecommit-judges-each-reference": each_reference,
    "codecommit-accepts-no-lfs": no_lfs,
    "inactive-login-rejected-within-1min": inactive_login,
}


@observes(*_LOOKS)
def rows_of_a_repository(world: World) -> dict[str, Found]:
    with repository(world) as held:
        return {
            name: found
            for name, look in _LOOKS.items()
            for found in looked((name,), partial(look, held)).values()
        }
