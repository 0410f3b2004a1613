"""Runs the whole loop with a local GitLab and a local AWS, the real sam and the real git: `make run`.

It goes from a push to a deployed stack, and through the life of the mirror and its credential. `story` has
the acts, except those that only the local AWS and the local GitLab can show. `--region` selects the region
and its partition.
"""

import argparse
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from html import escape
from pathlib import Path

if __name__ == "__main__":
    # Nothing has started before the imports end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from cli.shell.ending import entry
from cli.shell.output import BOLD, GREEN, RED
from tests.play import mirroring, steps, waiting
from tests.play.local import IAM_IS_LATE, LocalAws, LocalGitLab
from tests.play.local import gitlab as local_gitlab
from tests.play.mirroring import FurtherProject, Source
from tests.play.steps import PushRefused
from tests.play.waiting import NotInTime
from tools.run.approval import AwsApprover
from tools.run.console import (
    Heartbeat,
    NotShown,
    ending_at_interrupt,
    heading,
    note,
    printed,
    reason,
    require,
    summary,
    table,
    warnings,
    write,
)
from tools.run.loop import Loop
from tools.run.merging import Merges
from tools.run.page import Page
from tools.run.regions import checked
from tools.run.story import ACTS as SHARED_ACTS
from tools.run.story import Act, Names, Story, cfn_gitops
from tools.run.two_accounts import Elsewhere

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "target/local-run.html"
NAMES = Names(
    first="dev",
    branch="development",
    second="prd",
    second_branch="master",
    failing="tst",
    other_branch="elsewhere",
    unprotected_branch="feature",
    review_branches="review/*",
    review_branch="review/another",
)


class LocalStory(Story):
    """The story with a local AWS and a local GitLab."""

    def __init__(self, aws: LocalAws, gitlab: LocalGitLab, directory: Path) -> None:
        # The protected branches, which a mirror pushes: one of each environment, one without a pipeline, and
        # those for reviews.
        source = Source(
            aws,
            gitlab,
            "platform/infra",
            "gitlab/infra",
            NAMES.branch,
            NAMES.second_branch,
            NAMES.other_branch,
            NAMES.review_branches,
        )
        source.store_token()
        super().__init__(aws, source, NAMES, directory)
        # It is compiled sooner than the function for Lambda.
        template = steps.template_with(ROOT / "target/local/bootstrap", directory)
        for environment in (self.environment, self.second, self.failing):
            environment.template = template
        self.olivia, self.merges = (
            AwsApprover(aws, NAMES.first, NAMES.second),
            Merges(aws, gitlab, NAMES.first, directory),
        )
        # Each further deployment takes seconds.
        self.parameters = self.merges.parameters
        self.gitlab, self.page = (
            gitlab,
            Page(gitlab, f"{time.strftime('%Y-%m-%d %H:%M %Z')}, commit {commit()}"),
        )
        self.blog = FurtherProject(
            aws,
            NAMES.first,
            "blog",
            directory,
            Source(aws, gitlab, "platform/blog", "gitlab/blog", "main"),
            "main",
        )
        self.blog_loop = Loop(self.blog)
        self.elsewhere = Elsewhere(aws, directory, self.environment)

    def deploy(self) -> None:
        self.olivia.join()
        for loop in (self.loop, self.second_loop, self.blog_loop):
            loop.approved_by(f"Olivia, a member of {self.olivia.group(loop.env_id)},", self.olivia.client)
        self.elsewhere.scene.project.approver = self.olivia.client("codepipeline")
        super().deploy()

    def is_deleted(self) -> None:
        super().is_deleted()
        self.olivia.leave()

    def rotates(self) -> None:
        super().rotates()
        failed = mirroring.refusals(self.gitlab)
        require(not failed, f"GitLab could not push: {failed}")

    def undoes_a_bad_release(self) -> None:
        self.loop.undoes_a_bad_release(partial(cfn_gitops, self.aws.environment(), "undo", self.names.first))

    def freezes(self) -> None:
        self.second_loop.waits_during_a_freeze(
            lambda: self.operate("freeze", "--reason", "Holiday until Monday"),
            self.aws.wait_for_events,
            lambda: self.operate("thaw"),
            self.second.function_name,
        )
        note(
            "The next health check looks for branches whose tip no run has. An event may still be on its way,"
            " so it looks "
            f'again after a minute. Meanwhile, the next acts go on. "{PUSH_OF_THE_FREEZE.title}" shows what'
            " it starts."
        )

    def operate(self, command: str, *options: str) -> None:
        """The operator runs a command for the first project of the second environment."""
        project, env_id = self.second_loop.project.project_id, self.names.second
        ran = cfn_gitops(self.aws.environment(), command, env_id, project, *options)
        require(ran.returncode == 0, ran.stdout)
        note(f"{shlex.join(['cfn-gitops', command, project, '--env', env_id, *options, '--yes'])}:")
        for line in ran.stdout.splitlines():
            note(line, indent=6)

    def adds_a_project(self) -> None:
        blog, infra = self.blog, self.loop.project
        runs = len(infra.executions())
        blog.source.store_token()
        status = blog.create()
        require(status == "CREATE_COMPLETE", f"{blog.stack.name} is {status}: {blog.stack.failures()}")
        note(
            f"Stack {blog.stack.name} of templates/project.yaml: {status}. The GitLab project"
            f" {blog.source.project.path} has mirror {self.blog_loop.mirror().id}, with a login of its own."
        )
        self.blog_loop.deploys_first_push()
        require(len(infra.executions()) == runs, "a pipeline of another project ran")
        # A report may be late, and its function needs the pipeline's settings.
        self.aws.wait_for_functions()
        self.blog_loop.delete_deployed()
        status = blog.stack.delete()
        require(
            status == "DELETE_COMPLETE" and blog.source.project.mirrors() == [],
            f"{blog.stack.name} is {status}",
        )
        blog.source.forget_token()
        note(f"{blog.stack.name}: {status}. Repository, pipeline, login and mirror are deleted.")

    def leaves(self) -> None:
        super().leaves()
        self.shows_no_secret()

    def shows_no_secret(self) -> None:
        passwords = (
            self.loop.passwords
            | self.second_loop.passwords
            | self.blog_loop.passwords
            | self.merges.loop.passwords
            | {self.elsewhere.scene.login.password}
        )
        require(len(passwords) > 3, "too few passwords were issued")
        tokens = {self.gitlab.token, self.merges.ann.password, self.olivia.key["SecretAccessKey"]}
        shown = self.page.text()
        require("executing command: make test" in shown, "the page lacks the failed build")
        secrets = {form for secret in passwords | tokens for form in (secret, escape(secret))}
        require(
            not any(secret in text for secret in secrets for text in (printed(), shown)),
            "the output or the page contains a password, a token of GitLab or a secret key",
        )
        sent = {request.token for request in self.gitlab.requests}
        require(sent == {"the maintainer"}, f"GitLab received requests with the tokens {sent}")
        require(
            self.gitlab.complaints == [], f"requests differ from GitLab's OpenAPI: {self.gitlab.complaints}"
        )
        note(
            f"Neither the output nor the page below contains one of the {len(passwords)} passwords, or a"
            f" token of GitLab. GitLab received {len(self.gitlab.requests)} requests, all of them valid by"
            " its OpenAPI description."
        )


MERGE = Act(
    "A merge that is the approval",
    "A team without logins for AWS reads the change set on the merge request, and lets the merge deploy. One"
    " Maintainer suffices.",
    lambda story: story.merges.shown(),
    "the merge request shows the change set, and the merge deploys it",
)
BAD_RELEASE = Act(
    "A bad release",
    "A build, a review and an approval do not find everything. The operator deploys the former commit again,"
    " after an approval.",
    lambda story: story.undoes_a_bad_release(),
    "one command deploys the former commit, and GitLab shows it",
)
FREEZE = Act(
    "A freeze",
    "The operator stops deployments for some time, and no push may be forgotten.",
    lambda story: story.freezes(),
    "no run starts, and after the thaw the health check looks for the push",
)
PROJECT = Act(
    "A second project",
    "A project is one stack of templates/project.yaml, in an environment that exists.",
    lambda story: story.adds_a_project(),
    "its own mirror, login and pipeline, and its deletion leaves nothing",
)
PUSH_OF_THE_FREEZE = Act(
    "The push of the freeze",
    f'The act "{FREEZE.title}" held this push. The same recovers a push whose event AWS lost.',
    lambda story: story.second_loop.deploys_the_push_of_the_freeze(),
    "the push is deployed, after its approval",
)
LOCAL_ACT = Act(
    "A source and an image in another account",
    "Code and base images may belong to another account.",
    lambda story: story.elsewhere.shown(),
    "both start the pipeline here, pinned to the pushed commit and image",
)
# The push of the freeze is found much later, so that the run does not wait for the health check. The others
# come before the deletion.
ACTS = [
    *SHARED_ACTS[:2],
    MERGE,
    BAD_RELEASE,
    *SHARED_ACTS[2:7],
    PROJECT,
    FREEZE,
    *SHARED_ACTS[7:-2],
    LOCAL_ACT,
    PUSH_OF_THE_FREEZE,
    *SHARED_ACTS[-2:],
]
NEXT = [
    ("make shell", "a shell in a local AWS, for aws and the example events"),
    ("make shell EMPTY=1", "an empty local AWS and a local GitLab, for the five steps of README.md"),
    ("README.md", '"Deploy it" has the five steps to an environment in your own account'),
    ("make try", "most of these acts in your own account (docs/how-to/try.md)"),
]


@entry("The local AWS and the local GitLab are stopped")
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--region", default="eu-central-1")
    region = checked(parser.parse_args().region)
    PAGE.unlink(missing_ok=True)
    try:
        with (
            ending_at_interrupt(
                "Interrupted: the local AWS and the local GitLab are stopped, and their data is deleted."
            ),
            Heartbeat(waiting.UNDER_WAY),
        ):
            return perform(region)
    finally:
        if PAGE.exists():
            write("")
            write(
                f"The statuses, notes and deployments in GitLab, by act: {PAGE.relative_to(ROOT)}. Open it in"
                " a browser.",
                BOLD,
            )


def perform(region: str) -> int:
    started = time.monotonic()
    # GitLab delays a mirror's next run by a minute, the local one by a second.
    with (
        tempfile.TemporaryDirectory(prefix="cfn-gitops-") as directory,
        LocalAws(region=region, settings=IAM_IS_LATE) as aws,
        local_gitlab.running(protected_delay=1, unprotected_delay=1) as gitlab,
    ):
        write(
            f"The local AWS started in {time.monotonic() - started:.1f} s: account {aws.account_id},"
            f" {aws.region}, with IAM, CodeCommit"
        )
        write("and CodePipeline. The local GitLab runs beside it. The following takes about two minutes.")
        story = LocalStory(aws, gitlab, Path(directory))
        try:
            took = perform_acts(story)
        finally:
            PAGE.write_text(story.page.text(), encoding="utf-8")
    if len(took) < len(ACTS):
        return 1
    summary(took)
    write("")
    write(
        f"All {len(ACTS)} acts succeeded, in {time.monotonic() - started:.0f} s. The local AWS and the local "
        "GitLab are stopped,",
        GREEN,
    )
    write("and their data is deleted.", GREEN)
    write("")
    write("Next:", BOLD)
    table(NEXT)
    return 0


def perform_acts(story: LocalStory) -> list[tuple[int, float, str]]:
    """Ends at the first act that fails. Returns number, time and proof of the others."""
    took: list[tuple[int, float, str]] = []
    for number, act in enumerate(ACTS, 1):
        heading(number, len(ACTS), act.title, act.reason)
        start = time.monotonic()
        story.page.begins(act.title, act.reason)
        try:
            with waiting.under_way(f"act {number} has ended"):
                act.run(story)
        except (NotShown, NotInTime, PushRefused) as error:
            reason(f"   FAILED after {time.monotonic() - start:.1f} s: ", str(error), RED)
            print_log(steps.function_log(story.aws, story.environment.function_name))
            break
        took.append((number, time.monotonic() - start, act.proof))
        write(f"   ok, {took[-1][1]:.1f} s", GREEN)
    return took


def commit() -> str:
    """The commit of the clone, with `-dirty` if files were changed. Empty without git's data."""
    return subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    ).stdout.strip()


def print_log(log: str) -> None:
    """Prints the function's warnings and errors, and the path of its whole log."""
    with tempfile.NamedTemporaryFile("w", prefix="cfn-gitops-run-", suffix=".log", delete=False) as kept:
        kept.write(log + "\n")
    logged = warnings(log)[-20:]
    write("")
    write("The function's latest warnings and errors:" if logged else "The function logged no warning.", BOLD)
    for line in logged:
        write(f"  {line}")
    write(f"The whole log: {kept.name}")


if __name__ == "__main__":
    sys.exit(main())
