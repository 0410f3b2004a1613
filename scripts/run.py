"""Runs the whole loop with a local GitLab and a local AWS, the real sam and the real git: `make run`.

It goes from a push to a deployed stack, and through the life of the mirror and its credential. tests/deployment asserts
the same steps that this script prints.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from local import gitlab as local_gitlab  # noqa: E402
from local.aws import LocalAws  # noqa: E402
from local.aws.settings import IAM_IS_LATE  # noqa: E402
from local.gitlab import LocalGitLab  # noqa: E402
from tests.deployment import mirroring, steps, watching  # noqa: E402
from tests.deployment.mirroring import Source  # noqa: E402
from tests.deployment.pipelines import NotInTime, PushRefused  # noqa: E402
from tests.deployment.steps import Environment, Login  # noqa: E402
from console import (  # noqa: E402
    BOLD, DIM, GREEN, RED, NotShown, Progress, difference, has_printed, note, require, summary, table, warnings, write)
from run_loop import Loop  # noqa: E402
from run_two_accounts import Elsewhere  # noqa: E402

USER = "user-dev-codecommit-mirroring"
SECRET = f"codecommit-mirror/{USER}"
TOKEN = "gitlab/infra"


class Story:
    """The actions of the steps. Each raises `NotShown` if it does not show what it should."""

    def __init__(self, aws: LocalAws, gitlab: LocalGitLab, directory: Path) -> None:
        self.aws, self.gitlab = aws, gitlab
        self.directory = directory
        self.environment = Environment(aws, directory)
        self.production = Environment(aws, directory, env_id="prd")
        # The protected branches, which a mirror pushes: one of each environment, and one without a pipeline.
        self.source = Source(aws, gitlab, "platform/infra", TOKEN, "development", "master", "elsewhere")
        self.source.store_token()
        self.loop = Loop(aws, "dev", "development", directory, self.source)
        self.loop_in_production = Loop(aws, "prd", "master", directory, self.source)
        self.elsewhere = Elsewhere(aws, directory, self.environment)
        self.before = steps.what_is_there(aws)
        self.clone_url = ""

    def login(self) -> Login:
        return self.loop.login()

    def push(self) -> str:
        """Pushes to a branch without a pipeline."""
        commit = self.loop.push("elsewhere")
        mirror = self.loop.mirror()
        return f"git push to GitLab; mirror {mirror.id} pushes {commit[:12]} to CodeCommit."

    def deploy(self) -> None:
        note(f"GitLab has the empty project {self.source.project.path}. The account has the secret {TOKEN} with an "
             f"access token of GitLab. Its tag cfn-gitops:gitlab-url allows only {self.gitlab.url} to receive it.")
        given = self.source.parameters()
        note(f"sam deploy with {' '.join(f'{name}={value}' for name, value in given.items())}")
        deployed = self.environment.deploy(**given)
        require(deployed.succeeded, deployed.output + "\n".join(self.environment.failures()))
        outputs = self.environment.outputs()
        self.clone_url = outputs["RepositoryCloneUrl"]
        note(f"Stack {self.environment.name} with {len(self.environment.resources())} resources. "
             "Custom::MirrorCredential returned:")
        table([(name, outputs[name]) for name in ("SecretName", "SecretArn", "UserName", "ServiceUserName",
                                                  "CredentialId", "CredentialCreateDate")])
        require(steps.credential_ids(self.aws, USER) == [outputs["CredentialId"]], "IAM lists another credential")
        note("IAM lists only this credential. The password is in the secret and in no output.")
        mirror = self.loop.mirror()
        require(mirror.enabled and mirror.only_protected_branches, f"the mirror is {mirror}")
        note(f"GitLab has push mirror {mirror.id} for protected branches, with this login. cfn-gitops verified the "
             "login before the stack completed.")
        project = self.loop.project
        made = sorted(resource["LogicalResourceId"] for resource in project.child.resources())
        note(f"Custom::GitOpsPipeline created the stack {project.stack_name} ({', '.join(made)}). It creates the "
             "pipeline on the first push: a new pipeline starts at once, and fails if its branch does not exist.")

    def another_environment(self) -> None:
        dev = self.loop.project
        runs, deployed = len(dev.executions()), dev.deployed_commit()
        made = self.production.deploy(**self.source.parameters())
        require(made.succeeded, made.output + "\n".join(self.production.failures()))
        note(f"Stack {self.production.name} in the same account: {self.production.status()}. The same GitLab project "
             f"has a second mirror, {self.loop_in_production.mirror().id}, with its own login.")
        self.loop_in_production.first_push()
        require((len(dev.executions()), dev.deployed_commit()) == (runs, deployed), "dev changed")
        note("Nothing ran and nothing changed in dev.")

    def changes_nothing(self) -> None:
        held, requests_before = self.login(), len(self.aws.exchanges())
        again = self.environment.deploy()
        require(again.succeeded and "No changes to deploy" in again.output, again.output)
        require(self.login() == held and len(self.aws.exchanges()) == requests_before, "something changed")
        note("sam: no changes to deploy. The function was not invoked, and the login is the same.")

    def rotates(self) -> None:
        """Starts the rotation that Secrets Manager starts every RotationDays."""
        old, mirror = self.login(), self.loop.mirror()
        commits: list[str] = []
        ended = threading.Event()

        def developer() -> None:
            while not ended.is_set():
                commits.append(self.loop.project.push_only(to="refs/heads/elsewhere").commit)

        note(f"aws secretsmanager rotate-secret --secret-id {SECRET}, while a developer keeps pushing:")
        progress, pushing = Progress(), threading.Thread(target=developer)
        pushing.start()
        try:
            self.aws.client("secretsmanager").rotate_secret(SecretId=SECRET)
            run = self.aws.rotated(SECRET)
        finally:
            ended.set()
            pushing.join()
        require(run["events"][-1] == "RotationSucceeded", f"{run}")
        new, moved = self.login(), self.loop.mirror()
        require(new.credential_id != old.credential_id and moved.id != mirror.id, "nothing was rotated")
        progress.show("rotated", f"in {len(run['steps'])} steps: mirror {mirror.id} is deleted, mirror {moved.id} has "
                                    f"the login {new.credential_id}.")
        self.loop.project.arrives("refs/heads/elsewhere", commits[-1])
        failed = mirroring.refusals(self.gitlab)
        require(not failed, f"GitLab could not push: {failed}")
        progress.show("pushes", f"{len(commits)} pushes during the rotation. CodeCommit rejected none of them, and "
                                   f"has the last commit, {commits[-1][:12]}.")
        status = old.status(self.clone_url)
        require(status == 401, f"the old login gets HTTP {status}")
        progress.show("old login", f"HTTP {status}.")

    def changes_by_deployment(self) -> None:
        old, mirror = self.login(), self.loop.mirror()
        rotated = self.environment.deploy(RotationSerial="1")
        require(rotated.succeeded, rotated.output)
        new, moved = self.login(), self.loop.mirror()
        require(new.credential_id != old.credential_id, "the credential is the old one")
        require(steps.credential_ids(self.aws, USER) == [new.credential_id], "the old credential is still there")
        status = old.status(self.clone_url)
        require(status == 401, f"the old login gets HTTP {status}")
        note(f"RotationSerial=1: credential {old.credential_id} is replaced by {new.credential_id}, and mirror "
             f"{mirror.id} by {moved.id}.")
        note(f"The old login: HTTP {status}. The new one: {self.push()}")

    def restores_the_mirror(self) -> None:
        mirror = self.loop.mirror()
        self.check_health("before", 1)
        self.source.project.delete_mirror(mirror.id)
        note(f"A person deletes mirror {mirror.id} in GitLab.")
        self.check_health("after the deletion, which raises an alarm", 0)
        healed = self.environment.deploy(RotationSerial="2")
        require(healed.succeeded, healed.output + "\n".join(self.environment.failures()))
        note(f"RotationSerial=2: mirror {self.loop.mirror().id} is created. {self.push()}")
        self.check_health("after the deployment", 1)

    def check_health(self, when: str, healthy: float) -> None:
        found = watching.looks(self.aws)
        counted = found.get(("MirrorHealthy", self.source.project.path))
        require(counted == healthy, f"MirrorHealthy is {counted}, the health check counted {found}")
        require(found["HealthCheckFailed", ""] == 0, f"the health check failed: {found}")
        note(f"Health check {when}: MirrorHealthy of {self.source.project.path} is {healthy:.0f}.")

    def fails_and_rolls_back(self) -> None:
        held = self.login()
        foreign = self.aws.client("iam").create_service_specific_credential(
            UserName=USER, ServiceName="codecommit.amazonaws.com")["ServiceSpecificCredential"]
        note(f"A person creates the credential {foreign['ServiceSpecificCredentialId']}, which takes the user's second "
             "and last slot. Then RotationSerial=3:")
        failed = self.environment.deploy(RotationSerial="3")
        require(not failed.succeeded, "the deployment should have failed")
        status = self.environment.status()
        require(status == "UPDATE_ROLLBACK_COMPLETE", f"the stack is {status}")
        note(f"{status}: {self.environment.failures()[-1]}", indent=6)
        require(self.login() == held, "the login is another one")
        note(f"The login and the mirror are unchanged. {self.push()}")
        self.aws.client("iam").delete_service_specific_credential(
            UserName=USER, ServiceSpecificCredentialId=foreign["ServiceSpecificCredentialId"])

    def second_fails(self) -> None:
        before = steps.what_is_there(self.aws)
        second = Environment(self.aws, self.directory, env_id="tst")
        failed = second.deploy(BranchName="testing", MirrorSecretNames="elsewhere/*")
        require(not failed.succeeded, "the deployment should have failed")
        status = second.status()
        require(status == "ROLLBACK_COMPLETE", f"the stack is {status}")
        note(f"Environment tst, whose function may not write its secret (MirrorSecretNames=elsewhere/*): {status}: "
             f"{second.failures()[0]}")
        second.delete()
        after = steps.what_is_there(self.aws)
        require(after == before, f"left behind: {difference(before, after)}")
        note("No user, credential, secret, pipeline or bucket of it is left.")

    def is_deleted(self) -> None:
        held = self.login()
        require(held.status(self.clone_url) == 200, "the login does not work before the deletion")
        self.undeploy("dev", fails=True)
        self.loop.delete_deployed()
        self.undeploy("dev")
        require(not steps.user_exists(self.aws, USER), f"user {USER} is still there")
        require(not steps.secret_exists(self.aws, SECRET), f"secret {SECRET} is still there")
        status = held.status(self.clone_url)
        require(status == 401, f"the old login gets HTTP {status}")
        note(f"User, credential and secret are deleted. The last login: HTTP {status}.")
        there = [mirror.id for mirror in self.source.project.mirrors()]
        require(there == [self.loop_in_production.mirror().id], f"GitLab has the mirrors {there}")
        note(f"GitLab has one mirror left, {there[0]} of prd.")
        self.loop_in_production.delete_deployed()
        self.undeploy("prd", DELETE_BUCKET="yes")
        require(self.source.project.mirrors() == [], "GitLab still has a mirror")
        note("GitLab has no mirror left.")

    def leaves(self) -> None:
        after = steps.what_is_there(self.aws)
        left = difference(self.before, after)
        bucket = f"s3-dev-codepipeline-artifact-{self.aws.account_id}-{self.aws.region}"
        sams = {kind: [name for name in left.get(kind, []) if name.startswith("aws-sam-cli-managed-default")]
                for kind in ("stacks", "buckets")}
        marks = steps.deletion_marks(self.aws)
        table([*((kind, ", ".join(left.get(kind, [])) or "nothing") for kind in after),
               ("tombstones", ", ".join(marks))])
        note("dev's artifact bucket is retained on purpose. Names that begin with aws-sam-cli belong to sam, which "
             "shares them between all stacks. A tombstone, a secret without a value that AWS deletes after a week, "
             "keeps a late request from creating a deleted pipeline again.")
        require(left == {"stacks": sams["stacks"], "buckets": sorted([bucket, *sams["buckets"]])},
                f"left behind: {left}")
        self.undeploy("dev", DELETE_BUCKET="yes")
        require(bucket not in steps.what_is_there(self.aws)["buckets"], f"{bucket} is still there")

    def printed_no_password(self) -> None:
        passwords = self.loop.passwords | self.loop_in_production.passwords | {self.elsewhere.scene.login.password}
        require(len(passwords) > 2, "too few passwords were issued")
        require(not any(has_printed(password) for password in passwords), "the output contains a password")
        require(not has_printed(self.gitlab.token), "the output contains GitLab's token")
        sent = {request.token for request in self.gitlab.requests}
        require(sent == {"the maintainer"}, f"GitLab received requests with the tokens {sent}")
        require(self.gitlab.complaints == [], f"requests differ from GitLab's OpenAPI: {self.gitlab.complaints}")
        note(f"The output contains none of the {len(passwords)} passwords, and not the token of GitLab. GitLab "
             f"received {len(self.gitlab.requests)} requests, all of them valid by its OpenAPI description.")

    def undeploy(self, config_env: str, fails: bool = False, **variables: str) -> None:
        """Runs `make undeploy` with CONFIRM, which answers its question."""
        given = {"CONFIG_ENV": config_env, **variables, "CONFIRM": f"cfn-gitops-{config_env}"}
        undeploy = subprocess.run([sys.executable, ROOT / "scripts/undeploy.py", "--config-env", config_env],
                              env=self.aws.environment() | given, stdin=subprocess.DEVNULL,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        note(f"make undeploy {' '.join(f'{name}={value}' for name, value in given.items())}")
        for line in undeploy.stdout.splitlines():
            note(line, indent=6)
        require((undeploy.returncode != 0) == fails, "undeploy should " + ("fail" if fails else "succeed"))


@dataclass(frozen=True)
class Act:
    title: str
    reason: str
    run: Callable[[Story], None]
    proof: str


ACTS = [
    Act("sam deploy: the whole environment, and GitLab's mirror",
        "One command creates everything that an environment needs. You never copy a password into GitLab.",
        Story.deploy, "the login works, GitLab has it, and no output contains its password"),
    Act("git push to GitLab: mirror, event, pipeline, build, approval, deployment",
        "A developer uses only GitLab. The pushed commit is what the pipeline deploys.",
        lambda story: story.loop.first_push(),
        "the pipeline's first run deploys the pushed commit, after an approval"),
    Act("Pushes that start nothing, and a rejected deployment",
        "Only a push to the environment's branch may deploy, and only after an approval.",
        lambda story: story.loop.starts_nothing_and_is_rejected(),
        "tags and other branches start nothing; a rejected deployment does not happen"),
    Act("prd beside dev",
        "Environments share an account and a project in GitLab, and must not affect each other.",
        Story.another_environment, "a second environment works, and nothing changed in the first"),
    Act("The same deployment again",
        "Deploying twice must be safe and cheap.",
        Story.changes_nothing, "no call, no change"),
    Act("Rotation by Secrets Manager",
        "A password that no person uses can change every month, if no push is lost.",
        Story.rotates, "a new login, the old one rejected, every push arrived"),
    Act("A new password by deployment",
        "The same at once, if a password may have leaked.",
        Story.changes_by_deployment, "the old login is rejected, the new mirror pushes"),
    Act("A deleted mirror",
        "A person deletes the mirror in GitLab. The health check reports it, and a deployment restores it.",
        Story.restores_the_mirror, "the health check reports it, a deployment restores it"),
    Act("An update that fails",
        "A failed update must keep the working login, and name the remedy.",
        Story.fails_and_rolls_back, "the reason contains the command; the former login still pushes"),
    Act("A first deployment that fails",
        "It must leave nothing that blocks the next deployment.",
        Story.second_fails, "nothing of it is left"),
    Act("A source and an image in another account",
        "Code and base images may belong to another account.",
        lambda story: story.elsewhere.shown(), "both start the pipeline here, pinned to the pushed commit and image"),
    Act("Deletion of the stacks",
        "Deletion removes every resource, and is rejected while stacks of pipelines exist.",
        Story.is_deleted, "user, login, secret and mirrors are deleted"),
    Act("Resources that remain",
        "Only resources that are retained on purpose may remain.",
        Story.leaves, "only the artifact bucket, which is retained on purpose"),
    Act("The output",
        "A printed password is no longer secret.",
        Story.printed_no_password, "the output contains no password and no token"),
]


def main() -> int:
    started = time.monotonic()
    # GitLab delays a mirror's next run by a minute, the local one by a second.
    with (tempfile.TemporaryDirectory(prefix="cfn-gitops-") as directory, LocalAws(settings=IAM_IS_LATE) as aws,
          local_gitlab.running(protected_delay=1, unprotected_delay=1) as gitlab):
        print(f"The local AWS started in {time.monotonic() - started:.1f} s: account {aws.account_id}, {aws.region}, "
              "with IAM, CodeCommit\nand CodePipeline. The local GitLab runs beside it. The following takes two to "
              "three minutes.", flush=True)
        story = Story(aws, gitlab, Path(directory))
        took: list[tuple[int, float, str]] = []
        for number, act in enumerate(ACTS, 1):
            write(f"\n{number}. {act.title}", BOLD)
            note(act.reason, indent=3, style=DIM)
            start = time.monotonic()
            try:
                act.run(story)
            except (NotShown, NotInTime, PushRefused) as error:
                write(f"   FAILED after {time.monotonic() - start:.1f} s: {error}", RED)
                print_log(steps.function_log(aws, story.environment.function_name))
                return 1
            took.append((number, time.monotonic() - start, act.proof))
            write(f"   ok, {took[-1][1]:.1f} s", GREEN)
    summary(took)
    write(f"\nAll {len(ACTS)} steps succeeded, in {time.monotonic() - started:.0f} s. The local AWS and the local "
        "GitLab are stopped,\nand their data is deleted.", GREEN)
    return 0


def print_log(log: str) -> None:
    """Prints the function's warnings and errors, and the path of its whole log."""
    with tempfile.NamedTemporaryFile("w", prefix="cfn-gitops-run-", suffix=".log", delete=False) as kept:
        kept.write(log + "\n")
    logged = warnings(log)[-20:]
    write("\nThe function's latest warnings and errors:" if logged else "\nThe function logged no warning.", BOLD)
    for line in logged:
        write(f"  {line}")
    write(f"The whole log: {kept.name}")


if __name__ == "__main__":
    sys.exit(main())
