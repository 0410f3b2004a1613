"""Observers that push to a repository of their own in CodeCommit, as a user of their own."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.shell.terminal import shortened
from tests.play.pipelines import issue_login
from tests.play.steps import Login, PushRefused, Working
from tools.trial.observers import NotSeen, Seen, World, observes
from tools.trial.observers.scenes import Scene
from tools.trial.observers.sources import allows, mirrored, policy, probe, seconds_between, seconds_until, trail, user

_REJECTED = (401, 403)
# git's output after a rejection, and not after a failure of the network or of the server.
_REJECTION = re.compile("(?:error:|HTTP) 4|remote rejected|denied|not authorized")
# CloudTrail's event history is up to 15 minutes late.
_HISTORY_SECONDS = 1800
_FREE, _PROTECTED = "refs/heads/free", "refs/heads/protected"


class Clone(Working):
    """A clone that also pushes several references at once."""

    def push_together(self, login: Login, url: str, *references: str) -> str:
        """git's output."""
        return self._git_as(login, "push", url, *(f"HEAD:{reference}" for reference in references)).stderr

    def rename(self, former: str, to: str) -> None:
        self._git("mv", former, to)

    def all_references(self, login: Login, url: str) -> dict[str, str]:
        listed = self._git_as(login, "ls-remote", url)
        if listed.returncode != 0:
            raise PushRefused(listed.stderr)
        return {name: commit for commit, name in (line.split("\t") for line in listed.stdout.splitlines())}


@dataclass
class Repository:
    """A repository with the branch main, and the clone and login of a user that may not push to one branch."""

    world: World
    name: str
    url: str
    clone: Clone
    login: Login
    user: str

    @property
    def codecommit(self) -> Any:
        return self.world.client("codecommit")

    def differences(self, before: str, after: str) -> list[dict[str, Any]]:
        """The first page."""
        page = self.codecommit.get_differences(
            repositoryName=self.name, beforeCommitSpecifier=before, afterCommitSpecifier=after)
        return list(page["differences"])

    def commit(self, **files: str) -> str:
        return self.clone.push(self.login, self.url, files).commit

    def pushes(self, *references: str) -> tuple[list[str], str]:
        """Pushes them together. Returns the protected and free branches that the repository then has, and git's
        output."""
        output = self.clone.push_together(self.login, self.url, *references)
        there = self.clone.all_references(self.login, self.url)
        for reference in (_FREE, _PROTECTED):
            if reference in there:
                self.codecommit.delete_branch(repositoryName=self.name, branchName=reference.removeprefix("refs/heads/"))
        found = [each for each in (_FREE, _PROTECTED) if each in there]
        if not found and not _REJECTION.search(output):
            raise NotSeen(f"the push was neither accepted nor rejected: {shortened(output, 200)}")
        return found, output


@Scene
@contextmanager
def repository(world: World) -> Iterator[Repository]:
    codecommit, iam, name = world.client("codecommit"), world.client("iam"), probe(world)
    made = codecommit.create_repository(repositoryName=name)["repositoryMetadata"]
    try:
        with user(world) as pusher:
            iam.put_user_policy(UserName=pusher, PolicyName="push", PolicyDocument=_policy(made["Arn"]))
            login = issue_login(world.story.aws, pusher)
            world.story.loop.passwords.add(login.password)
            url, clone = made["cloneUrlHttp"], Clone(Path(world.story.directory) / name, "main")
            seconds_until(lambda: login.status(url) == 200, 300)
            clone.push(login, url, {"README": "a probe\n"})
            yield Repository(world, name, url, clone, login, pusher)
    finally:
        codecommit.delete_repository(repositoryName=name)


def _policy(arn: str) -> str:
    """As AWS's example 4, with which an administrator protects a branch:
    https://docs.aws.amazon.com/codecommit/latest/userguide/customer-managed-policies.html."""
    return json.dumps(policy(
        allows("codecommit:GitPull", "codecommit:GitPush", resource=arn),
        allows("codecommit:GitPush", resource=arn, effect="Deny", condition={
            "StringEqualsIfExists": {"codecommit:References": [_PROTECTED]}, "Null": {"codecommit:References": "false"}})))


@repository.observes("differences-of-a-long-page")
def long_page(held: Repository) -> Seen:
    before = held.commit(first="1\n")
    count = len(held.differences(before, held.commit(**{f"{number}": f"{number}\n" for number in range(200)})))
    return Seen(count >= 100, f"the first of 200 differences' pages has {count}", count)


@repository.observes("differences-name-both-paths")
def renamed_file(held: Repository) -> Seen:
    before = held.commit(former="one line\n" * 50)
    held.clone.rename("former", "renamed")
    found = held.differences(before, held.commit(renamed="one line\n" * 50))
    paths = {blob["path"] for each in found for blob in (each.get("beforeBlob"), each.get("afterBlob")) if blob}
    return Seen(paths == {"former", "renamed"}, f"the paths {', '.join(sorted(paths))}", found)


@repository.observes("codecommit-rejected-push-message")
def rejected_push(held: Repository) -> Seen:
    there, output = held.pushes(_PROTECTED)
    if there:
        raise NotSeen("the push was accepted")
    message = next((line for line in output.splitlines() if "error" in line), shortened(output, 100))
    return Seen("403" in output, message, output)


@repository.observes("codecommit-judges-each-reference")
def each_reference(held: Repository) -> Seen:
    if _FREE not in held.pushes(_FREE)[0]:
        raise NotSeen("a push of the free branch alone was rejected")
    both = [held.pushes(_FREE, _PROTECTED)[0], held.pushes(_PROTECTED, _FREE)[0]]
    free = "accepts" if _FREE in both[0] else "rejects"
    return Seen(not any(_PROTECTED in there for there in both),
                f"a push of a protected and a free branch {free} the free one", both)


# Last, because the login is used above.
@repository.observes("inactive-login-rejected-within-1min")
def inactive_login(held: Repository) -> Seen | None:
    if held.login.status(held.url) != 200:
        return None
    held.world.client("iam").update_service_specific_credential(
        UserName=held.user, ServiceSpecificCredentialId=held.login.credential_id, Status="Inactive")
    took = seconds_until(lambda: held.login.status(held.url) in _REJECTED, 300)
    return Seen(took <= 60, f"rejected after {took:.0f} s")


@observes("event-history-has-git-pushes")
def pushes_in_the_history(world: World) -> Seen:
    """The run's mirrors push, and the acts read with their login. The history may lack some pushes."""
    records = trail(world, world.story.names.user, "Username", eventSource="codecommit.amazonaws.com")
    names = {record["eventName"] for record in records if record.get("sourceIPAddress")}
    held = {"GitPush", "GitPull"} <= names
    created = world.story.environment.describe()["CreationTime"]
    if not held and (not mirrored(world) or seconds_between(created, datetime.now(UTC)) < _HISTORY_SECONDS):
        raise NotSeen(f"the environment is too young for the event history: {len(records)} events")
    shown = [{name: record.get(name) for name in ("eventSource", "eventName", "eventType", "eventVersion")} | {
        "hasSourceIPAddress": bool(record.get("sourceIPAddress"))} for record in records[:1]]
    return Seen(held, f"{len(records)} events, at least one of each: {', '.join(sorted(names))}", shown)
