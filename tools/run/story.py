"""The acts of `make run` and `make try`: from a push to a deployed stack, and through the life of a mirror.

`make run` performs them with a local AWS and a local GitLab, `make try` in an account and a project of the
user. So nothing here uses anything but the services' public interfaces. tests/deployment asserts the same.
"""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.play import steps, waiting
from tests.play.mirroring import MirroredProject, Source
from tests.play.steps import Account, Environment, Login, PushRefused
from tests.play.waiting import NotInTime, eventually, under_way
from tools.run.changes import Changes
from tools.run.console import NotShown, Progress, difference, note, require, table
from tools.run.loop import Loop

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Names:
    """The environments of a story, and the branches of its GitLab project."""

    first: str
    branch: str
    second: str
    second_branch: str
    # Its first deployment fails.
    failing: str
    # A protected branch, which is mirrored, without a pipeline.
    other_branch: str
    unprotected_branch: str
    # A protected wildcard, and a branch that matches it.
    review_branches: str
    review_branch: str

    @property
    def user(self) -> str:
        return f"user-{self.first}-codecommit-mirroring"

    @property
    def secret(self) -> str:
        return f"codecommit-mirror/{self.user}"

    @property
    def bucket_prefix(self) -> str:
        return f"s3-{self.first}-codepipeline-artifact-"


class Story:
    """The actions of the acts. Each raises `NotShown` if it does not show what it should."""

    def __init__(self, aws: Account, source: Source, names: Names, directory: Path) -> None:
        self.aws, self.source, self.names = aws, source, names
        self.directory = directory
        self.environment = Environment(aws, directory, names.first)
        self.second = Environment(aws, directory, names.second)
        self.failing = Environment(aws, directory, names.failing)
        self.loop = Loop(MirroredProject(aws, names.first, "infra", directory, source, names.branch))
        self.second_loop = Loop(
            MirroredProject(aws, names.second, "infra", directory, source, names.second_branch)
        )
        self.changes = Changes(self.loop, self.environment, names.review_branch)
        self.before = steps.what_is_there(aws)
        self.clone_url = ""
        # Further parameters of the first environment.
        self.parameters: dict[str, str] = {}

    def login(self) -> Login:
        return self.loop.login()

    def push(self) -> str:
        """Pushes to a branch without a pipeline."""
        commit = self.loop.push(self.names.other_branch)
        mirror = self.loop.mirror()
        return f"git push to GitLab; mirror {mirror.id} pushes {commit[:12]} to CodeCommit."

    def deploy(self) -> None:
        project, token = self.source.project, self.source.secret_id
        note(
            f"GitLab has the project {project.path}. The account has the secret {token} with an access token"
            f" of GitLab. Its tag cfn-gitops:gitlab-url allows only {self.source.gitlab.url} to receive it."
        )
        given = self.source.parameters(
            BranchName=self.names.branch,
            ReviewBranches=self.names.review_branches,
            Drift="Report",
            **self.parameters,
        )
        note(
            f"sam deploy with this project, this secret and branch {self.names.branch}. Further parameters"
            " are for reviews, drift and approvals."
        )
        deployed = self.environment.deploy(**given)
        # Without a stack, it has no events either.
        require(self.environment.exists(), deployed.output)
        require(deployed.succeeded, deployed.output + "\n".join(self.environment.failures()))
        outputs = self.environment.outputs()
        self.clone_url = outputs["RepositoryCloneUrl"]
        note(
            f"Stack {self.environment.name} with {len(self.environment.resources())} resources. "
            "Custom::MirrorCredential returned:"
        )
        table(
            [
                (name, outputs[name])
                for name in (
                    "SecretName",
                    "UserName",
                    "ServiceUserName",
                    "CredentialId",
                    "CredentialCreateDate",
                )
            ]
        )
        eventually(
            lambda: steps.credential_ids(self.aws, self.names.user) == [outputs["CredentialId"]],
            "IAM lists only this credential",
        )
        note("IAM lists only this credential. The password is in the secret and in no output.")
        mirror = self.loop.mirror()
        require(mirror.enabled and mirror.only_protected_branches, f"the mirror is {mirror}")
        note(
            f"GitLab has push mirror {mirror.id} for protected branches, with this login. cfn-gitops verified"
            " the login before the stack completed."
        )
        child = self.loop.project
        made = sorted(resource["LogicalResourceId"] for resource in child.child.resources())
        note(
            f"Custom::GitOpsPipeline created the stack {child.stack_name} ({', '.join(made)}). It creates the"
            " pipeline on the first push: a new pipeline starts at once, and fails if its branch does not"
            " exist."
        )

    def another_environment(self) -> None:
        first = self.loop.project
        runs, deployed = len(first.executions()), first.deployed_commit()
        made = self.second.deploy(**self.source.parameters(BranchName=self.names.second_branch))
        require(made.succeeded, made.output + "\n".join(self.second.failures()))
        note(
            f"Stack {self.second.name} in the same account: {self.second.status()}. The same GitLab project "
            f"has a second mirror, {self.second_loop.mirror().id}, with its own login."
        )
        self.second_loop.deploys_first_push()
        require(
            (len(first.executions()), first.deployed_commit()) == (runs, deployed),
            f"{self.names.first} changed",
        )
        note(f"Nothing ran and nothing changed in {self.names.first}.")

    def rotates(self) -> None:
        """Starts the rotation that Secrets Manager starts every RotationDays."""
        old, mirror = self.login(), self.loop.mirror()
        commits: list[str] = []
        failures: list[Exception] = []
        ended = threading.Event()

        def developer() -> None:
            try:
                while not ended.is_set():
                    commits.append(
                        self.loop.project.push_only(to=f"refs/heads/{self.names.other_branch}").commit
                    )
                    ended.wait(waiting.PACE.interval)
            except PushRefused as error:
                failures.append(error)

        note(
            f"aws secretsmanager rotate-secret --secret-id {self.names.secret}, while a developer keeps"
            " pushing:"
        )
        progress, pushing = Progress(), threading.Thread(target=developer)
        pushing.start()
        try:
            steps.rotate(self.aws, self.names.secret)
        finally:
            ended.set()
            pushing.join()
        require(not failures, f"GitLab rejected a push: {failures}")
        new, moved = self.login(), self.loop.mirror_after(mirror)
        require(new.credential_id != old.credential_id, "nothing was rotated")
        progress.show(
            "rotated", f"mirror {mirror.id} is deleted, mirror {moved.id} has the login {new.credential_id}."
        )
        self.loop.project.arrives(f"refs/heads/{self.names.other_branch}", commits[-1])
        progress.show(
            "pushes",
            f"{len(commits)} pushes during the rotation. CodeCommit has the last commit, {commits[-1][:12]}.",
        )
        progress.show("old login", f"HTTP {self.rejected(old)}.")

    def changes_passwords(self) -> None:
        self.rotates()
        self.changes_by_deployment()

    def rejected(self, old: Login) -> int:
        """Waits until CodeCommit rejects the login. Returns the status."""
        return int(
            eventually(
                lambda: status if (status := old.status(self.clone_url)) in (401, 403) else 0,
                "the old login is rejected",
            )
        )

    def changes_by_deployment(self) -> None:
        """The same by a deployment, at once."""
        old, mirror = self.login(), self.loop.mirror()
        rotated = self.environment.deploy(RotationSerial="1")
        require(rotated.succeeded, rotated.output)
        new, moved = self.login(), self.loop.mirror()
        require(new.credential_id != old.credential_id, "the credential is the old one")
        eventually(
            lambda: steps.credential_ids(self.aws, self.names.user) == [new.credential_id],
            "IAM lists only the new credential",
        )
        note(
            f"RotationSerial=1: credential {old.credential_id} is replaced by {new.credential_id}, and mirror"
            f" {mirror.id} by {moved.id}."
        )
        note(f"The old login: HTTP {self.rejected(old)}. The new one: {self.push()}")

    def restores_the_mirror(self) -> None:
        mirror = self.loop.mirror()
        self.diagnose("Before", True)
        self.source.project.delete_mirror(mirror.id)
        note(f"A person deletes mirror {mirror.id} in GitLab.")
        self.diagnose("After the deletion", False)
        healed = self.environment.deploy(RotationSerial="2")
        require(healed.succeeded, healed.output + "\n".join(self.environment.failures()))
        note(f"RotationSerial=2: mirror {self.loop.mirror().id} is created. {self.push()}")
        self.diagnose("After the deployment", True)

    def diagnose(self, when: str, is_healthy: bool) -> None:
        """Runs the health check until the mirror is as expected: IAM lists a new credential late."""
        subject = f"the mirror of project {self.source.project.path} to"

        def look() -> str:
            found = steps.unhealthy(self.aws, self.environment).items()
            problem = next((problem for of, problem in found if of.startswith(subject)), "ok")
            return problem if is_healthy == (problem == "ok") else ""

        found = eventually(look, f"the mirror is {'healthy' if is_healthy else 'unhealthy'}")
        note(f"{when}, the health check: {found}")

    def fails(self) -> None:
        self.fails_and_rolls_back()
        self.first_deployment_fails()

    def fails_and_rolls_back(self) -> None:
        held = self.login()
        foreign = self.aws.client("iam").create_service_specific_credential(
            UserName=self.names.user, ServiceName="codecommit.amazonaws.com"
        )["ServiceSpecificCredential"]
        foreign_id = foreign["ServiceSpecificCredentialId"]
        note(
            f"A person creates the credential {foreign_id}, which takes the user's second and last slot. Then"
            " RotationSerial=3:"
        )
        eventually(
            lambda: foreign_id in steps.credential_ids(self.aws, self.names.user), "IAM lists the credential"
        )
        failed = self.environment.deploy(RotationSerial="3")
        require(not failed.succeeded, "the deployment should have failed")
        status = self.environment.status()
        require(status == "UPDATE_ROLLBACK_COMPLETE", f"the stack is {status}")
        note(f"{status}: {self.environment.failures()[-1]}", indent=6)
        require(self.login() == held, "the login is another one")
        note(f"The login and the mirror are unchanged. {self.push()}")
        self.aws.client("iam").delete_service_specific_credential(
            UserName=self.names.user, ServiceSpecificCredentialId=foreign_id
        )

    def first_deployment_fails(self) -> None:
        before = self.own(steps.what_is_there(self.aws))
        branch = self.names.unprotected_branch
        failed = self.failing.deploy(**self.source.parameters(BranchName=branch))
        require(not failed.succeeded, "the deployment should have failed")
        status = self.failing.status()
        require(status == "ROLLBACK_COMPLETE", f"the stack is {status}")
        note(
            f"Environment {self.names.failing} for branch {branch}, which GitLab does not protect and would"
            f" not mirror: {status}: {self.failing.failures()[0]}"
        )
        self.failing.delete()
        self.wait_until_left(before, {})
        note("No user, credential, secret, pipeline or bucket of it is left.")

    def own(self, there: dict[str, list[str]]) -> dict[str, list[str]]:
        """The resources that may belong to the story, of all in the account."""
        return there

    def is_deleted(self) -> None:
        held = self.login()
        require(held.status(self.clone_url) == 200, "the login does not work before the deletion")
        self.undeploy(self.names.first, fails=True)
        self.loop.delete_deployed()
        self.undeploy(self.names.first)
        eventually(
            lambda: not steps.user_exists(self.aws, self.names.user), f"user {self.names.user} is deleted"
        )
        eventually(
            lambda: not steps.secret_exists(self.aws, self.names.secret), f"{self.names.secret} is deleted"
        )
        note(f"User, credential and secret are deleted. The last login: HTTP {self.rejected(held)}.")
        kept = self.source.mirrors_to(self.second_loop.project.mirrored_url)
        require(self.source.mirrors_to(self.clone_url) == [] and len(kept) == 1, "GitLab has other mirrors")
        note(f"GitLab has one mirror left, {kept[0].id} of {self.names.second}.")
        url = kept[0].url
        self.second_loop.delete_deployed()
        self.undeploy(self.names.second, "--delete-bucket")
        require(self.source.mirrors_to(url) == [], "GitLab still has a mirror")
        note("GitLab has no mirror left.")

    def leaves(self) -> None:
        bucket = f"{self.names.bucket_prefix}{self.aws.account_id}-{self.aws.region}"
        self.wait_until_left(self.own(self.before), {"buckets": [bucket]})
        after = self.own(steps.what_is_there(self.aws))
        left = difference(self.own(self.before), after)
        table(
            [
                *((kind, ", ".join(left.get(kind, [])) or "nothing") for kind in after),
                ("tombstones", ", ".join(self.tombstones())),
            ]
        )
        note(
            f"{self.names.first}'s artifact bucket is retained on purpose. Names that begin with aws-sam-cli"
            " belong to sam, which shares them between all stacks. A tombstone, a secret without a value"
            " that AWS deletes after a week, keeps a late request from creating a deleted pipeline again."
        )
        self.undeploy(self.names.first, "--delete-bucket")
        self.wait_until_left(self.own(self.before), {})

    def wait_until_left(self, before: dict[str, list[str]], expected: dict[str, list[str]]) -> None:
        """Waits until only `expected` is left of the story, beside sam's resources. Lists may be late."""
        left: dict[str, list[str]] = {}
        kept = ", ".join(name for names in expected.values() for name in names)

        def look() -> bool:
            found = difference(before, self.own(steps.what_is_there(self.aws)))
            own = {
                kind: [name for name in names if not name.startswith("aws-sam-cli-managed-default")]
                for kind, names in found.items()
            }
            left.clear()
            left.update({kind: names for kind, names in own.items() if names})
            return left == expected

        try:
            eventually(look, f"only {kept or 'nothing'} is left")
        except NotInTime as late:
            raise NotShown(f"left behind: {left}") from late

    def tombstones(self) -> list[str]:
        return [
            name
            for name in steps.deletion_marks(self.aws)
            if name.startswith((f"cfn-gitops-{self.names.first}/", f"cfn-gitops-{self.names.second}/"))
        ]

    def undeploy(self, env_id: str, *options: str, fails: bool = False) -> None:
        with under_way(f"cfn-gitops undeploy has deleted {env_id}"):
            ran = undeploy(self.aws.environment(), env_id, *options)
        note(f"cfn-gitops undeploy --env {env_id} {' '.join([*options, '--yes'])}:")
        for line in ran.stdout.splitlines():
            note(line, indent=6)
        require((ran.returncode != 0) == fails, "undeploy should " + ("fail" if fails else "succeed"))


def undeploy(
    environment: dict[str, str], env_id: str, *options: str, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    return cfn_gitops(environment, "undeploy", env_id, *options, timeout=timeout)


def cfn_gitops(
    environment: dict[str, str], command: str, env_id: str, *arguments: str, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a subcommand that changes something, with a table for this environment."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as settings:
        settings.write(
            f'[{env_id}.global.parameters]\nstack_name = "cfn-gitops-{env_id}"\n'
            f'[{env_id}.deploy.parameters]\nparameter_overrides = ["EnvID={env_id}"]\n'
        )
        settings.flush()
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "cli",
                command,
                "--env",
                env_id,
                "--config-file",
                settings.name,
                *arguments,
                "--yes",
            ],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=timeout,
        )


@dataclass(frozen=True)
class Act:
    title: str
    reason: str
    run: Callable[[Story], None]
    proof: str


ACTS = [
    Act(
        "sam deploy: the whole environment, and GitLab's mirror",
        "One command creates everything that an environment needs. You never copy a password into GitLab.",
        lambda story: story.deploy(),
        "the login works, GitLab has it, and no output contains its password",
    ),
    Act(
        "git push to GitLab: mirror, event, pipeline, build, approval, deployment",
        "A developer uses only GitLab. The pushed commit is what the pipeline deploys.",
        lambda story: story.loop.first_push(),
        "the pipeline's first run deploys the pushed commit, after an approval in AWS",
    ),
    Act(
        "A failed build",
        "The developer needs the cause, and has no login for AWS.",
        lambda story: story.loop.build_fails(),
        "the note on the commit has the command that failed",
    ),
    Act(
        "A failed deployment",
        "A build, an approval and CloudFormation's validation do not find everything. The developer needs the"
        " first cause.",
        lambda story: story.loop.deployment_fails(),
        "the note lists the failed resource first, with its reason",
    ),
    Act(
        "Pushes that start nothing, and a rejected deployment",
        "Only a push to the environment's branch may deploy, and only after an approval.",
        lambda story: story.loop.starts_nothing_and_is_rejected(
            story.names.other_branch, story.names.unprotected_branch
        ),
        "tags and other branches start nothing; a rejected deployment does not happen",
    ),
    Act(
        "A review branch",
        "The reader of a merge request sees what a merge would change, before anything is deployed.",
        lambda story: story.changes.reviews(),
        "the note lists the change, no change set is left, nothing is deployed",
    ),
    Act(
        "A second environment beside the first",
        "Environments share an account and a project in GitLab, and must not affect each other.",
        Story.another_environment,
        "a second environment works, and nothing changed in the first",
    ),
    Act(
        "New passwords",
        "A password that no person uses can change every month, if no push is lost. If it may have leaked, a"
        " deployment changes it at once.",
        lambda story: story.changes_passwords(),
        "a new login each time, the old one rejected, every push arrived",
    ),
    Act(
        "A deleted mirror",
        "A person deletes the mirror in GitLab. The health check reports it, and a deployment restores it.",
        Story.restores_the_mirror,
        "the health check reports it, a deployment restores it",
    ),
    Act(
        "Failed deployments of an environment",
        "A failed update must keep the working login, and name the remedy. A failed first deployment must"
        " leave nothing.",
        lambda story: story.fails(),
        "the reason contains the command, the former login still pushes, nothing is left",
    ),
    Act(
        "Changes by hand",
        "A change outside of the pipeline must not stay unnoticed, and the operator decides about it.",
        lambda story: story.changes.reverts_drift(),
        "drift is reported, and reverted by the logged command",
    ),
    Act(
        "Deletion of the stacks",
        "Deletion removes every resource, and is rejected while stacks of pipelines exist.",
        lambda story: story.is_deleted(),
        "user, login, secret and mirrors are deleted",
    ),
    Act(
        "Resources that remain",
        "Only resources that are retained on purpose may remain.",
        lambda story: story.leaves(),
        "only the artifact bucket, which is retained on purpose",
    ),
]
