"""Runs the whole loop with a local GitLab and a local AWS, the real sam and the real git: `make run`.

It goes from a push to a deployed stack, and through the life of the mirror and its credential. `story` has the acts,
except those that only the local AWS and the local GitLab can show. `--region` selects the region and its partition.
"""

import argparse
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    # Nothing has started before the imports end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from cli.shell.ending import entry
from cli.shell.output import BOLD, GREEN, RED
from tests.play import mirroring, steps, waiting
from tests.play.local import IAM_IS_LATE, LocalAws, LocalGitLab, gitlab as local_gitlab
from tests.play.mirroring import Source
from tests.play.steps import PushRefused
from tests.play.waiting import NotInTime
from tools.run.approval import PARAMETERS, AwsApprover, GitLabApprover
from tools.run.console import (
    Heartbeat, NotShown, ending_at_interrupt, has_printed, heading, note, reason, require, summary, table, warnings, write)
from tools.run.regions import checked
from tools.run.story import ACTS as SHARED_ACTS, Act, Names, Story, cfn_gitops
from tools.run.two_accounts import Elsewhere

ROOT = Path(__file__).parents[2]
NAMES = Names(first="dev", branch="development", second="prd", second_branch="master", failing="tst",
              other_branch="elsewhere", unprotected_branch="feature", review_branches="review/*",
              review_branch="review/another")


class LocalStory(Story):
    """The story with a local AWS and a local GitLab."""

    def __init__(self, aws: LocalAws, gitlab: LocalGitLab, directory: Path) -> None:
        # The protected branches, which a mirror pushes: one of each environment, one without a pipeline, and those for
        # reviews.
        source = Source(aws, gitlab, "platform/infra", "gitlab/infra", NAMES.branch, NAMES.second_branch,
                        NAMES.other_branch, NAMES.review_branches)
        source.store_token()
        super().__init__(aws, source, NAMES, directory)
        # It is compiled sooner than the function for Lambda.
        template = steps.template_with(ROOT / "target/local/bootstrap", directory)
        for environment in (self.environment, self.second, self.failing):
            environment.template = template
        # Each further deployment takes seconds.
        self.parameters = PARAMETERS
        self.olivia, self.ann = AwsApprover(aws, NAMES.first, NAMES.second), GitLabApprover(gitlab, source)
        self.gitlab = gitlab
        self.elsewhere = Elsewhere(aws, directory, self.environment)

    def deploy(self) -> None:
        self.olivia.join()
        for loop in (self.loop, self.second_loop):
            loop.approved_by(f"Olivia, a member of {self.olivia.group(loop.env_id)},", self.olivia.client)
        self.elsewhere.scene.project.approver = self.olivia.client("codepipeline")
        self.ann.protect_tags()
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

    def loses_an_event(self) -> None:
        self.aws.set(loses_events_of=self.second_loop.project.repository)
        try:
            self.second_loop.pushes_without_an_event(self.second.function_name)
        finally:
            self.aws.set(loses_events_of="")

    def printed_no_password(self) -> None:
        passwords = self.loop.passwords | self.second_loop.passwords | {self.elsewhere.scene.login.password}
        require(len(passwords) > 2, "too few passwords were issued")
        require(not any(has_printed(password) for password in passwords), "the output contains a password")
        tokens = {self.gitlab.token, self.ann.token.value, self.olivia.key["SecretAccessKey"]}
        require(not any(has_printed(token) for token in tokens), "the output contains a token of GitLab or a secret key")
        sent = {request.token for request in self.gitlab.requests}
        require(sent == {"the maintainer", "the approver"}, f"GitLab received requests with the tokens {sent}")
        require(self.gitlab.complaints == [], f"requests differ from GitLab's OpenAPI: {self.gitlab.complaints}")
        note(f"The output contains none of the {len(passwords)} passwords and no token of GitLab. GitLab "
             f"received {len(self.gitlab.requests)} requests, all of them valid by its OpenAPI description.")


APPROVAL_IN_GITLAB = Act(
    "git push again, with the approval in GitLab",
    "A Maintainer without a login for AWS approves what others have changed since the last deployment. A first deployment has "
    "no former one, so Olivia approved it in AWS.",
    lambda story: story.loop.push_approved_by(story.ann.approve),
    "the tag of a Maintainer, who is not an author of the new commits, approves")
BAD_RELEASE = Act(
    "A bad release",
    "A build, a review and an approval do not find everything. The operator deploys the former commit again, after an "
    "approval.",
    lambda story: story.undoes_a_bad_release(), "one command deploys the former commit, and GitLab shows it")
LOST_EVENT = Act(
    "A lost event", "AWS delivers the event of a push by best effort.", lambda story: story.loses_an_event(),
    "no run starts, and the health check looks for the push")
FOUND_PUSH = Act(
    "The push of the lost event", "A push must not be forgotten because its event is.",
    lambda story: story.second_loop.deploys_the_push_without_an_event(), "the push is deployed all the same")
LOCAL_ACT = Act(
    "A source and an image in another account", "Code and base images may belong to another account.",
    lambda story: story.elsewhere.shown(), "both start the pipeline here, pinned to the pushed commit and image")
LAST_ACT = Act("The output", "A printed password is no longer secret.",
               lambda story: story.printed_no_password(), "the output contains no password and no token")
# Two approvals after the first push. The event is lost as soon as there is a second environment, and found much
# later, so that the run does not wait for the health check. The others come before the deletion.
ACTS = [*SHARED_ACTS[:2], APPROVAL_IN_GITLAB, BAD_RELEASE, *SHARED_ACTS[2:5], LOST_EVENT, *SHARED_ACTS[5:-2], FOUND_PUSH,
        LOCAL_ACT, *SHARED_ACTS[-2:], LAST_ACT]
NEXT = [("make shell", "a shell in a local AWS, for aws and the example events"),
        ("make shell EMPTY=1", "an empty local AWS and a local GitLab, for the five steps of README.md"),
        ("README.md", "\"Deploy it\" has the five steps to an environment in your own account"),
        ("make try", "most of these acts in your own account (docs/how-to/try.md)")]


@entry("The local AWS and the local GitLab are stopped")
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--region", default="eu-central-1")
    region = checked(parser.parse_args().region)
    with (ending_at_interrupt("Interrupted: the local AWS and the local GitLab are stopped, and their data is deleted."),
          Heartbeat(waiting.UNDER_WAY)):
        return perform(region)


def perform(region: str) -> int:
    started = time.monotonic()
    # GitLab delays a mirror's next run by a minute, the local one by a second.
    with (tempfile.TemporaryDirectory(prefix="cfn-gitops-") as directory, LocalAws(region=region, settings=IAM_IS_LATE) as aws,
          local_gitlab.running(protected_delay=1, unprotected_delay=1) as gitlab):
        write(f"The local AWS started in {time.monotonic() - started:.1f} s: account {aws.account_id}, {aws.region}, "
              "with IAM, CodeCommit")
        write("and CodePipeline. The local GitLab runs beside it. The following takes about two minutes.")
        story = LocalStory(aws, gitlab, Path(directory))
        took: list[tuple[int, float, str]] = []
        for number, act in enumerate(ACTS, 1):
            heading(number, len(ACTS), act.title, act.reason)
            start = time.monotonic()
            try:
                with waiting.under_way(f"act {number} has ended"):
                    act.run(story)
            except (NotShown, NotInTime, PushRefused) as error:
                reason(f"   FAILED after {time.monotonic() - start:.1f} s: ", str(error), RED)
                print_log(steps.function_log(aws, story.environment.function_name))
                return 1
            took.append((number, time.monotonic() - start, act.proof))
            write(f"   ok, {took[-1][1]:.1f} s", GREEN)
    summary(took)
    write("")
    write(f"All {len(ACTS)} acts succeeded, in {time.monotonic() - started:.0f} s. The local AWS and the local "
          "GitLab are stopped,", GREEN)
    write("and their data is deleted.", GREEN)
    write("")
    write("Next:", BOLD)
    table(NEXT)
    return 0


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
