"""Shows the whole loop with a local GitLab and a local AWS, the real sam and the real git, from a push to a deployed
stack, and the whole life of the mirror and its credential: `make run`.

The steps are those of tests/deployment; here they are told, there they are asserted.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
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
from run_loop import Loop  # noqa: E402
from run_two_accounts import Elsewhere  # noqa: E402
from console import (  # noqa: E402
    BOLD, DIM, GREEN, RED, NotShown, Steps, difference, has_said, of_note, require, say, summary, table, tell)

USER = "user-dev-codecommit-mirroring"
SECRET = f"codecommit-mirror/{USER}"
TOKEN = "gitlab/infra"


class Story:
    """The steps in their order; each raises `NotShown` when it does not show what it is there for."""

    def __init__(self, aws: LocalAws, gitlab: LocalGitLab, directory: Path) -> None:
        self.aws, self.gitlab = aws, gitlab
        self.directory = directory
        self.environment = Environment(aws, directory)
        self.production = Environment(aws, directory, env_id="prd")
        # Protected are those that a mirror is to push: the two environments', and one that no pipeline is for.
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
        """To a branch that no pipeline is for."""
        commit = self.loop.push("elsewhere")
        mirror = self.loop.mirror()
        return f"git push to GitLab, whose mirror {mirror.id} brings {commit[:12]} to CodeCommit."

    def deploy(self) -> None:
        tell(f"GitLab has the project {self.source.project.path}, without a commit, and the account a secret {TOKEN} "
             "with a token of GitLab's. Its tag cfn-gitops:gitlab-url says where the token may be sent: "
             f"{self.gitlab.url}.")
        given = self.source.parameters()
        tell(f"sam deploy with {' '.join(f'{name}={value}' for name, value in given.items())}")
        deployed = self.environment.deploy(**given)
        require(deployed.succeeded, deployed.output + "\n".join(self.environment.failures()))
        outputs = self.environment.outputs()
        self.clone_url = outputs["RepositoryCloneUrl"]
        tell(f"Stack {self.environment.name} with {len(self.environment.resources())} resources. "
             "Custom::MirrorCredential answered:")
        table([(name, outputs[name]) for name in ("SecretName", "SecretArn", "UserName", "ServiceUserName",
                                                  "CredentialId", "CredentialCreateDate")])
        require(steps.credential_ids(self.aws, USER) == [outputs["CredentialId"]], "IAM lists another credential")
        tell("IAM lists that one credential. The password is in the secret, and in no output.")
        mirror = self.loop.mirror()
        require(mirror.enabled and mirror.only_protected_branches, f"the mirror is {mirror}")
        tell(f"GitLab has push mirror {mirror.id}, of protected branches, with that login. It was proved before the "
             "stack was complete; nobody has copied a password.")
        project = self.loop.project
        made = sorted(resource["LogicalResourceId"] for resource in project.child.resources())
        tell(f"Custom::GitOpsPipeline made the stack {project.stack_name} ({', '.join(made)}). The pipeline itself "
             "waits for the first push: it would run at once, and fail without its branch.")

    def another_environment(self) -> None:
        dev = self.loop.project
        runs, deployed = len(dev.executions()), dev.deployed_commit()
        made = self.production.deploy(**self.source.parameters())
        require(made.succeeded, made.output + "\n".join(self.production.failures()))
        tell(f"Stack {self.production.name}, in the same account: {self.production.status()}. The same project in "
             f"GitLab has a second mirror, {self.loop_in_production.mirror().id}, with a login of its own.")
        self.loop_in_production.first_push()
        require((len(dev.executions()), dev.deployed_commit()) == (runs, deployed), "something happened in dev")
        tell("In dev nothing ran, and nothing changed.")

    def changes_nothing(self) -> None:
        held, asked = self.login(), len(self.aws.exchanges())
        again = self.environment.deploy()
        require(again.succeeded and "No changes to deploy" in again.output, again.output)
        require(self.login() == held and len(self.aws.exchanges()) == asked, "something changed")
        tell("sam: no changes to deploy. The function was not called, the login is the same.")

    def rotates(self) -> None:
        """What Secrets Manager does every RotationDays."""
        old, mirror = self.login(), self.loop.mirror()
        commits: list[str] = []
        ended = threading.Event()

        def developer() -> None:
            while not ended.is_set():
                commits.append(self.loop.project.push_only(to="refs/heads/elsewhere").commit)

        tell(f"aws secretsmanager rotate-secret --secret-id {SECRET}, while a developer pushes all the time:")
        told, pushing = Steps(), threading.Thread(target=developer)
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
        told.tell("rotated", f"in {len(run['steps'])} steps: mirror {mirror.id} is gone, mirror {moved.id} has the "
                             f"login {new.credential_id}.")
        self.loop.project.arrives("refs/heads/elsewhere", commits[-1])
        failed = mirroring.refusals(self.gitlab)
        require(not failed, f"GitLab could not push: {failed}")
        told.tell("pushes", f"{len(commits)} pushes were made meanwhile, and CodeCommit refused GitLab none of them. The "
                            f"last one, {commits[-1][:12]}, is there.")
        status = old.status(self.clone_url)
        require(status == 401, f"the old login is answered {status}")
        told.tell("old login", f"HTTP {status}.")

    def changes_by_deployment(self) -> None:
        old, mirror = self.login(), self.loop.mirror()
        rotated = self.environment.deploy(RotationSerial="1")
        require(rotated.succeeded, rotated.output)
        new, moved = self.login(), self.loop.mirror()
        require(new.credential_id != old.credential_id, "the credential is the old one")
        require(steps.credential_ids(self.aws, USER) == [new.credential_id], "the old credential is still there")
        status = old.status(self.clone_url)
        require(status == 401, f"the old login is answered {status}")
        tell(f"RotationSerial=1: {old.credential_id} is gone, {new.credential_id} is live; mirror {mirror.id} is gone, "
             f"{moved.id} is there.")
        tell(f"The old login: HTTP {status}. The new one: {self.push()}")

    def is_put_right(self) -> None:
        mirror = self.loop.mirror()
        self.looks("finds it well", 1)
        self.source.project.delete_mirror(mirror.id)
        tell(f"Somebody deletes mirror {mirror.id} in GitLab.")
        self.looks("finds it ill, which raises an alarm", 0)
        healed = self.environment.deploy(RotationSerial="2")
        require(healed.succeeded, healed.output + "\n".join(self.environment.failures()))
        tell(f"RotationSerial=2: mirror {self.loop.mirror().id} is there. {self.push()}")
        self.looks("finds it well again", 1)

    def looks(self, finding: str, healthy: float) -> None:
        found = watching.looks(self.aws)
        counted = found.get(("MirrorHealthy", self.source.project.path))
        require(counted == healthy, f"MirrorHealthy is {counted}, the health check counted {found}")
        require(found["HealthCheckFailed", ""] == 0, f"the health check failed: {found}")
        tell(f"The health check {finding}: MirrorHealthy of {self.source.project.path} is {healthy:.0f}.")

    def fails_and_rolls_back(self) -> None:
        held = self.login()
        foreign = self.aws.client("iam").create_service_specific_credential(
            UserName=USER, ServiceName="codecommit.amazonaws.com")["ServiceSpecificCredential"]
        tell(f"Somebody makes a credential by hand, {foreign['ServiceSpecificCredentialId']}, which takes the "
             "user's second slot. Then RotationSerial=3:")
        failed = self.environment.deploy(RotationSerial="3")
        require(not failed.succeeded, "the deployment should have failed")
        status = self.environment.status()
        require(status == "UPDATE_ROLLBACK_COMPLETE", f"the stack is {status}")
        tell(f"{status}, because: {self.environment.failures()[-1]}", indent=6)
        require(self.login() == held, "the login is another one")
        tell(f"The login is the one before, and so is the mirror. {self.push()}")
        self.aws.client("iam").delete_service_specific_credential(
            UserName=USER, ServiceSpecificCredentialId=foreign["ServiceSpecificCredentialId"])

    def second_fails(self) -> None:
        before = steps.what_is_there(self.aws)
        second = Environment(self.aws, self.directory, env_id="tst")
        failed = second.deploy(BranchName="testing", MirrorSecretNames="elsewhere/*")
        require(not failed.succeeded, "the deployment should have failed")
        status = second.status()
        require(status == "ROLLBACK_COMPLETE", f"the stack is {status}")
        tell(f"The environment tst, whose function may not write its secret (MirrorSecretNames=elsewhere/*): {status}, "
             f"because: {second.failures()[0]}")
        second.delete()
        after = steps.what_is_there(self.aws)
        require(after == before, f"left behind: {difference(before, after)}")
        tell("Nothing of it is left: no user, no credential, no secret, no pipeline, no bucket.")

    def is_deleted(self) -> None:
        held = self.login()
        require(held.status(self.clone_url) == 200, "the login should work until the end")
        self.undeploy("dev", refuses=True)
        self.loop.is_forgotten()
        self.undeploy("dev")
        require(not steps.user_exists(self.aws, USER), f"user {USER} is still there")
        require(not steps.secret_exists(self.aws, SECRET), f"secret {SECRET} is still there")
        status = held.status(self.clone_url)
        require(status == 401, f"the old login is answered {status}")
        tell(f"User, credential and secret are gone. The last login: HTTP {status}.")
        there = [mirror.id for mirror in self.source.project.mirrors()]
        require(there == [self.loop_in_production.mirror().id], f"GitLab has the mirrors {there}")
        tell(f"GitLab has only prd's mirror left, {there[0]}.")
        self.loop_in_production.is_forgotten()
        self.undeploy("prd", DELETE_BUCKET="yes")
        require(self.source.project.mirrors() == [], "GitLab has a mirror still")
        tell("GitLab has no mirror left.")

    def leaves(self) -> None:
        after = steps.what_is_there(self.aws)
        left = difference(self.before, after)
        bucket = f"s3-dev-codepipeline-artifact-{self.aws.account_id}-{self.aws.region}"
        sams = {kind: [name for name in left.get(kind, []) if name.startswith("aws-sam-cli-managed-default")]
                for kind in ("stacks", "buckets")}
        marks = steps.deletion_marks(self.aws)
        table([*((kind, ", ".join(left.get(kind, [])) or "nothing") for kind in after),
               ("marks of deletions", ", ".join(marks))])
        tell("dev's artifact bucket is kept on purpose; what begins with aws-sam-cli is sam's own, shared by all that "
             "sam deploys. The marks, secrets without a value that AWS removes after a week, keep late requests from "
             "making a deleted pipeline again.")
        require(left == {"stacks": sams["stacks"], "buckets": sorted([bucket, *sams["buckets"]])},
                f"left behind: {left}")
        self.undeploy("dev", DELETE_BUCKET="yes")
        require(bucket not in steps.what_is_there(self.aws)["buckets"], f"{bucket} is still there")

    def told_no_password(self) -> None:
        passwords = self.loop.passwords | self.loop_in_production.passwords | {self.elsewhere.scene.login.password}
        require(len(passwords) > 2, "more passwords were issued")
        require(not any(has_said(password) for password in passwords), "a password stands above")
        require(not has_said(self.gitlab.token), "GitLab's token stands above")
        sent = {request.token for request in self.gitlab.requests}
        require(sent == {"the maintainer"}, f"GitLab was asked with {sent}")
        require(self.gitlab.complaints == [], f"GitLab's API knows other requests: {self.gitlab.complaints}")
        tell(f"Of the {len(passwords)} passwords that pushed, none stands above, and neither does GitLab's token. "
             f"GitLab was asked {len(self.gitlab.requests)} times, always as its OpenAPI description says.")

    def undeploy(self, config_env: str, refuses: bool = False, **variables: str) -> None:
        """As a script would: with CONFIRM, because nobody answers the question here."""
        given = {"CONFIG_ENV": config_env, **variables, "CONFIRM": f"cfn-gitops-{config_env}"}
        said = subprocess.run([sys.executable, ROOT / "scripts/undeploy.py", "--config-env", config_env],
                              env=self.aws.environment() | given, stdin=subprocess.DEVNULL,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        tell(f"make undeploy {' '.join(f'{name}={value}' for name, value in given.items())}")
        for line in said.stdout.splitlines():
            tell(line, indent=6)
        require((said.returncode != 0) == refuses, "undeploying should have " + ("refused" if refuses else "succeeded"))


def main() -> int:
    began = time.monotonic()
    # Where GitLab puts a mirror's next run off by a minute, a second does here.
    with (tempfile.TemporaryDirectory(prefix="cfn-gitops-") as directory, LocalAws(settings=IAM_IS_LATE) as aws,
          local_gitlab.running(protected_delay=1, unprotected_delay=1) as gitlab):
        print(f"A local AWS is up after {time.monotonic() - began:.1f} s: account {aws.account_id}, {aws.region}, "
              "IAM enforced,\nCodeCommit's git and CodePipeline included. Beside it, a local GitLab. What follows takes a "
              "minute and a half or so.", flush=True)
        story = Story(aws, gitlab, Path(directory))
        # The title, what is done, why it matters, and what it has proved when it is over.
        acts: list[tuple[str, Callable[[], None], str, str]] = [
            ("sam deploy: the whole environment, and GitLab's mirror", story.deploy,
             "One command makes what an environment needs, and nobody copies a password into GitLab.",
             "the login works, GitLab has it, and no output holds its password"),
            ("git push to GitLab: mirror, event, pipeline, build, approval, deployment", story.loop.first_push,
             "A developer knows GitLab alone; what is pushed there is what runs here.",
             "the pushed commit is deployed, after an approval, by the pipeline's first run"),
            ("What starts nothing, and what is rejected", story.loop.starts_nothing_and_is_rejected,
             "Only a push to the environment's branch may deploy, and only what somebody approved.",
             "tags and other branches start nothing; what is rejected is not deployed"),
            ("prd beside dev", story.another_environment,
             "Environments share an account and a project in GitLab, and must not touch each other.",
             "a second environment works, and nothing happened in the first"),
            ("The same deployment again", story.changes_nothing,
             "Deploying twice must be safe, and cheap.",
             "nothing was called, nothing changed"),
            ("Rotation by Secrets Manager", story.rotates,
             "A password that nobody knows can be changed every month, if no push is lost.",
             "a new login, the old one dead, every push arrived"),
            ("A new password by deployment", story.changes_by_deployment,
             "The same at once, when a password may have leaked.",
             "the old login is refused, the new mirror pushes"),
            ("A mirror that is gone", story.is_put_right,
             "Somebody deletes in GitLab what the stack made: it has to be seen, and put right.",
             "the health check tells, a deployment puts it right"),
            ("An update that fails", story.fails_and_rolls_back,
             "A failed change must leave what worked, and say what to do.",
             "the reason names the command; the former login still pushes"),
            ("An environment that cannot be made", story.second_fails,
             "A failed first deployment must leave nothing that stands in the next one's way.",
             "nothing is left of it"),
            ("A source and an image in another account", story.elsewhere.shown,
             "Code and base images may belong to somebody else's account.",
             "both start the pipeline here, pinned to what was pushed"),
            ("The stacks are deleted", story.is_deleted,
             "Deletion takes what was made, and refuses to strand what pipelines deployed.",
             "user, login, secret and mirrors are gone"),
            ("What is left of everything", story.leaves,
             "What remains after a deletion should be what was meant to.",
             "the artifact bucket alone, which is kept on purpose"),
            ("What was printed", story.told_no_password,
             "A password that is printed is not secret any more.",
             "no password and no token stands above"),
        ]
        took: list[tuple[int, float, str]] = []
        for number, (title, act, why, proved) in enumerate(acts, 1):
            say(f"\n{number}. {title}", BOLD)
            tell(why, indent=3, style=DIM)
            start = time.monotonic()
            try:
                act()
            except (NotShown, NotInTime, PushRefused) as error:
                say(f"   FAILED after {time.monotonic() - start:.1f} s: {error}", RED)
                tell_log(steps.function_log(aws, story.environment.function_name))
                return 1
            took.append((number, time.monotonic() - start, proved))
            say(f"   ok, {took[-1][1]:.1f} s", GREEN)
    summary(took)
    say(f"\nAll {len(acts)} steps are as they should be, in {time.monotonic() - began:.0f} s. The local AWS and the "
        "local GitLab are gone with all\nthey held.", GREEN)
    return 0


def tell_log(log: str) -> None:
    """What a person needs when an act has failed: what the function warned of, and where the rest is."""
    with tempfile.NamedTemporaryFile("w", prefix="cfn-gitops-run-", suffix=".log", delete=False) as kept:
        kept.write(log + "\n")
    noted = of_note(log)[-20:]
    say("\nThe function's latest warnings and errors:" if noted else "\nThe function warned of nothing.", BOLD)
    for line in noted:
        say(f"  {line}")
    say(f"Its whole log: {kept.name}")


if __name__ == "__main__":
    sys.exit(main())
