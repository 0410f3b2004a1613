"""The acceptance run in an account and a GitLab project of the user: `make try`.

    GITLAB_PROJECT=group/project GITLAB_TOKEN=… make try
    make try CLEAN=try12345        delete what an interrupted run has left

It creates a fresh environment, performs the acts of `make run`, and compares what AWS and GitLab do with the
assumptions of docs/project/assumptions.yaml. It deletes everything, and leaves a report without secrets.
"""

import argparse
import getpass
import os
import re
import secrets
import string
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cli.environment import account
from cli.shell import terminal
from cli.shell.ending import end_at_ctrl_c_only, entry
from cli.shell.output import BOLD, GREEN, RED
from tests.play import steps, waiting
from tests.play.mirroring import Source
from tests.play.scenarios import Scenario
from tools.run.console import heading, reason, write
from tools.run.story import Act, Names, Story
from tools.trial import assumptions
from tools.trial.account import RemoteAccount
from tools.trial.acts import STEPS, Step, TryStory
from tools.trial.cleanup import Cleanup
from tools.trial.gitlab import RemoteGitLab, RemoteProject
from tools.trial.observing import Observing, observed
from tools.trial.ownership import own
from tools.trial.report import Report
from tools.trial.stories import Stories, chosen, developer

ROOT = Path(__file__).parents[2]

# The rest of the observers that no call can delete at once.
STAYS = (
    "a KMS key that is deleted after seven days",
    "the record of an EventBridge replay",
    "the service-linked role AWSServiceRoleForCodeStarNotifications, if it is missing",
)
# Proxies and CAs of this machine, for git.
_NETWORK = (
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "GIT_SSL_CAINFO",
    "SSL_CERT_FILE",
)


@dataclass
class Options:
    account: RemoteAccount
    gitlab: RemoteGitLab
    project: str
    names: Names
    acts: int
    scenarios: tuple[Scenario, ...] = ()

    @property
    def observes(self) -> bool:
        """Whether the run plays stories, so it also calls the observers."""
        return bool(self.scenarios)


def names_of(first: str) -> Names:
    return Names(
        first,
        first,
        f"{first}p",
        f"{first}p",
        f"{first}x",
        f"{first}-other",
        f"{first}-feature",
        f"{first}-review/*",
        f"{first}-review/another",
    )


@entry("Delete what a run has left with make try CLEAN=<its name>")
def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--acts", type=int, default=len(STEPS), help="perform only the first ones")
    arguments.add_argument("--scenarios", default="", help="also play these stories, or all")
    arguments.add_argument("--clean", default="", help="only delete what the run of this name has left")
    arguments.add_argument("--interval", type=float, default=5, help="seconds between two looks at a state")
    given = arguments.parse_args()
    if given.clean and not re.fullmatch(r"try[a-z0-9]{5}", given.clean):
        sys.exit(f"{given.clean} is not the name of a run. Nothing was deleted")
    waiting.PACE = waiting.Pace(given.interval, seconds=1800, stack_seconds=7200, sam_interval=given.interval)
    steps.PROXIES.update({name: os.environ[name] for name in _NETWORK if os.environ.get(name)})
    name = given.clean or "try" + "".join(
        secrets.choice(string.ascii_lowercase + string.digits) for _ in range(5)
    )
    options = Options(
        RemoteAccount(account.connect()),
        gitlab_of_the_user(),
        project_of_the_user(),
        names_of(name),
        given.acts,
        tuple(chosen(given.scenarios)),
    )
    source = RemoteSource(options)
    with tempfile.TemporaryDirectory(prefix="cfn-gitops-") as directory:
        if given.clean:
            return clean(options, source, Path(directory))
        problems, story = prepared(options, source, Path(directory))
        if problems or story is None:
            terminal.write(*(f"- {problem}" for problem in problems), "Nothing was created.", to=sys.stderr)
            return 1
        if not is_confirmed(options, source.secret_id):
            terminal.write("Nothing was created.", to=sys.stderr)
            return 1
        return run(options, source, story, Path(directory))


def prepared(options: Options, source: Source, directory: Path) -> tuple[list[str], TryStory | None]:
    """The obstacles to the run, or else its story, which has read every kind of resource in the account."""
    names = options.names
    try:
        project: RemoteProject = source.project  # type: ignore[assignment]
        problems = options.account.problems()
        problems += project.problems(
            (
                names.branch,
                names.second_branch,
                names.other_branch,
                names.unprotected_branch,
                names.review_branch,
            )
        )
        if problems:
            return problems, None
        steps.Working(directory / "first-look").references(source.developer(), project.url, must_succeed=True)
        return [], TryStory(options.account, source, names, directory)
    except Exception as error:  # nothing was created, so the reason is enough
        return [f"{type(error).__name__}: {error}"], None


class RemoteSource(Source):
    """The project of the user. Unlike `Source`, it protects no branch before the user has confirmed."""

    def __init__(self, options: Options) -> None:
        self.aws, self.gitlab = options.account, options.gitlab
        self.secret_id = f"gitlab/{options.names.first}"
        self.project = options.gitlab.project(options.project)

    def parameters(self, **more: str) -> dict[str, str]:
        page = f"{self.gitlab.url}/{self.project.path}"
        return super().parameters(GitLabProjectUrl=page, **more)


def gitlab_of_the_user() -> RemoteGitLab:
    url = os.environ.get("GITLAB_URL", "https://gitlab.com")
    # http is only for the local GitLab of the tests, as in template.yaml.
    if not url.startswith(("https://", "http://127.0.0.1:")):
        sys.exit(f"GITLAB_URL is {url}. Set it to an https address: the token must not be sent in the clear")
    given = os.environ.get("GITLAB_TOKEN") or getpass.getpass("GitLab token (scope api, role Maintainer): ")
    token = given.strip()
    if token.split() != [token]:
        sys.exit("the GitLab token is empty or has white space within. Set GITLAB_TOKEN to the token alone")
    return RemoteGitLab(url, token)


def project_of_the_user() -> str:
    project = os.environ.get("GITLAB_PROJECT", "")
    if not project:
        sys.exit(
            "GITLAB_PROJECT is not set. Set it to the full path of a GitLab project for the run:"
            " group/project"
        )
    return project


def is_confirmed(options: Options, secret_id: str) -> bool:
    """Shows the run's resources and costs, and prompts for confirmation."""
    names, aws = options.names, options.account
    shown = f"""\
This run creates in account {aws.account_id}, region {aws.region}:
- the environments {names.first} and {names.second}, and {names.failing}, whose deployment fails: a stack
  cfn-gitops-<name> each, with an IAM user, roles, a function, a bucket, alarms, a dashboard and a pipeline
- the stacks cfnstack-{names.first}-infra and cfnstack-{names.second}-infra, with one disabled event rule each
- the secret {secret_id} with the GitLab token
- if it is missing: the stack aws-sam-cli-managed-default, the bucket of `sam deploy`, which stays
and in project {options.project} of {options.gitlab.url}:
- the protected branches {names.branch}, {names.second_branch}, {names.other_branch} and {names.review_branches}, the
  branch {names.unprotected_branch}, a tag, and two push mirrors. They push every protected branch and every tag of the project
  to CodeCommit. Webhooks and integrations of the project receive the events of all this
- a merge request, commit statuses, deployments and notes, all at commits of this run

{of_stories(options)}
Then it deletes all of it. In GitLab, closed merge requests stay, and records of pipelines and notes at commits that no
branch contains.
It takes about an hour, with SCENARIOS=all up to 13, and costs at most 2 US dollars. CodeCommit costs 1 more for each of
up to 60 users that the account has beyond five this month: AWS counts users, roles and perhaps their sessions.
"""  # noqa: E501
    terminal.write(*shown.split("\n"))
    return is_typed(names.first)


def of_stories(options: Options) -> str:
    """The resources of the stories and the observers."""
    first = options.names.first
    if not options.scenarios:
        return ""
    return f"""\
- for {len(options.scenarios)} stories: stacks story-{first}-s<number>, the IAM user {developer(options.names)}, and
  branches {first}-s<number>-… in GitLab, of which two are protected, with a push mirror at a time
- for {len(observed())} observers, with {first}-probe in their names: stacks with roles, functions, topics, queues, a bus, a key,
  a pipeline, build projects, alarms, repositories and notification rules, two IAM users that push, buckets and secrets. In GitLab a merge request, statuses, and for seconds a
  project access token with the role Developer and the scope api
- what stays of them: {", ".join(STAYS)}
"""  # noqa: E501


def is_typed(name: str) -> bool:
    """Whether the user typed the name of the run, or set CONFIRM=yes."""
    if os.environ.get("CONFIRM"):
        return os.environ["CONFIRM"] == "yes"
    terminal.write(f"To go on, type {name}: ", end="")
    return sys.stdin.readline().strip() == name


def run(options: Options, source: RemoteSource, story: TryStory, directory: Path) -> int:
    names = options.names
    report = Report(options.account, source, story, stays=STAYS if options.observes else ())
    try:
        source.project.protect(names.branch, names.second_branch, names.other_branch, names.review_branches)
        source.store_token()
        perform_all(story, planned(options, Stories(story, Observing(story))), report)
    except KeyboardInterrupt:
        report.failed("interrupted")
    except Exception as error:  # the report has to be written
        report.failed(f"preparation: {type(error).__name__}: {error}")
    finally:
        end_at_ctrl_c_only()
        announce_deletion(options)
        report.left = Cleanup(options.account, source, names, directory).run()
    report.print()
    return 0 if report.is_good() else 1


def announce_deletion(options: Options) -> None:
    write("")
    write("Deleting everything. If this is interrupted:", BOLD)
    write(
        f"AWS_REGION={options.account.region} make try GITLAB_PROJECT={options.project}"
        f" CLEAN={options.names.first}"
    )


def planned(options: Options, stories: Stories) -> list[Step]:
    """The acts, with the stories before the deletion, or at the end of the first ones."""
    acts = STEPS[: options.acts]
    before = [each for each in acts if each.name not in ("delete", "leave")]
    played = [
        Step(
            Act(f"Story: {scenario.name}", scenario.story, partial(_play, stories, number, scenario), ""),
            is_independent=True,
        )
        for number, scenario in enumerate(options.scenarios, 1)
    ]
    if options.observes:
        played.append(
            Step(
                Act(
                    "Further assumptions",
                    "Each observer compares one assumption with what AWS and GitLab do.",
                    lambda _: stories.end(),
                    "",
                )
            )
        )
    return [*before, *played, *acts[len(before) :]]


def _play(stories: Stories, number: int, scenario: Scenario, _: Story) -> None:
    stories.play(number, scenario)


def perform_all(story: TryStory, steps_: list[Step], report: Report) -> None:
    for number, step in enumerate(steps_, 1):
        if not perform(story, (number, len(steps_)), step, report) and not step.is_independent:
            break


def perform(story: TryStory, place: tuple[int, int], step: Step, report: Report) -> bool:
    """Whether the act and its observations went through."""
    number = place[0]
    heading(*place, step.act.title, step.act.reason)
    began = time.monotonic()
    try:
        step.act.run(story)
        for name in assumptions.implied(step.name):
            story.seen.add(name, True, f"act {number} succeeded")
        if step.observe:
            step.observe(story, story.seen)
    except Exception as error:  # everything has to be deleted, and the report written
        report.failed(f"act {number}, {step.act.title}: {type(error).__name__}: {error}")
        reason(f"   FAILED after {time.monotonic() - began:.0f} s: ", str(error), RED)
        return False
    report.acts.append((number, step.act.title, time.monotonic() - began))
    write(f"   ok, {report.acts[-1][2]:.0f} s", GREEN)
    return True


def clean(options: Options, source: RemoteSource, directory: Path) -> int:
    there = own(steps.what_is_there(options.account), options.names)
    terminal.write(
        f"Account {options.account.account_id}, region {options.account.region}, run {options.names.first}:"
    )
    terminal.write(*(f"- {kind}: {', '.join(names)}" for kind, names in there.items() if names))
    if not any(there.values()):
        terminal.write("It has nothing in this account and region.")
    cleanup = Cleanup(options.account, source, options.names, directory)
    terminal.write(f"Project {options.project} of {options.gitlab.url}, as far as they exist:")
    try:
        terminal.write(*(f"- {each}" for each in cleanup.in_gitlab()))
    except Exception as error:  # the resources in AWS have to be deleted all the same
        reason("- not read: ", str(error))
    if not is_typed(options.names.first):
        terminal.write("Nothing was deleted.", to=sys.stderr)
        return 1
    end_at_ctrl_c_only()
    left = cleanup.run()
    for each in left:
        reason("", each)
    terminal.write(f"If it had observers, these stay: {', '.join(STAYS)}.")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
