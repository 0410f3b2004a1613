"""Shows the whole life of a mirror credential on a local AWS, with the real sam and the real git: `make run`.

The steps are those of tests/local_deploy; here they are told, there they are asserted.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from local_aws import LocalAws  # noqa: E402
from local_deploy import steps  # noqa: E402
from local_deploy.steps import Environment, Login, Working  # noqa: E402

WIDTH = 96
USER = "user-dev-codecommit-mirroring"
SECRET = f"codecommit-mirror/{USER}"


class NotShown(Exception):
    """Something is not as it should be."""


def require(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise NotShown(otherwise)


def tell(text: str, indent: int = 4) -> None:
    print(textwrap.fill(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2),
                        break_long_words=False, break_on_hyphens=False), flush=True)


def table(rows: list[tuple[str, str]]) -> None:
    width = max(len(left) for left, _ in rows)
    for left, right in rows:
        print(f"    {left:<{width}}  {right}", flush=True)


class Story:
    """The steps in their order; each raises `NotShown` when it does not show what it is there for."""

    def __init__(self, aws: LocalAws, directory: Path) -> None:
        self.aws = aws
        self.directory = directory
        self.environment = Environment(aws, directory)
        self.working = Working(directory / "work")
        self.before = steps.what_is_there(aws)
        self.clone_url = ""
        self.repository = ""

    def login(self) -> Login:
        return steps.login(self.aws, SECRET)

    def push(self) -> str:
        held = self.login()
        pushed = self.working.push(held, self.clone_url)
        require(pushed.accepted, f"git push was refused: {pushed.output}")
        head = steps.branch_commit(self.aws, self.repository)
        require(head == pushed.commit, f"CodeCommit has {head}, not {pushed.commit}")
        return f"git push as {held.name} accepted; CodeCommit's development is at {head[:12]}."

    def deploy(self) -> None:
        deployed = self.environment.deploy()
        require(deployed.succeeded, deployed.output + "\n".join(self.environment.failures()))
        outputs = self.environment.outputs()
        self.clone_url, self.repository = outputs["RepositoryCloneUrl"], outputs["RepositoryName"]
        tell(f"Stack {self.environment.name} with {len(self.environment.resources())} resources. "
             "Custom::MirrorCredential answered:")
        table([(name, outputs[name]) for name in ("SecretName", "SecretArn", "UserName", "ServiceUserName",
                                                  "CredentialId", "CredentialCreateDate")])
        require(steps.credential_ids(self.aws, USER) == [outputs["CredentialId"]], "IAM lists another credential")
        tell("IAM lists that one credential. The password is in the secret, and in no output.")

    def pushes(self) -> None:
        tell(self.push())

    def changes_nothing(self) -> None:
        held, asked = self.login(), len(self.aws.exchanges())
        again = self.environment.deploy()
        require(again.succeeded and "No changes to deploy" in again.output, again.output)
        require(self.login() == held and len(self.aws.exchanges()) == asked, "something changed")
        tell("sam: no changes to deploy. The function was not called, the login is the same.")

    def rotates(self) -> None:
        old = self.login()
        rotated = self.environment.deploy(RotationSerial="1")
        require(rotated.succeeded, rotated.output)
        new = self.login()
        require(new.credential_id != old.credential_id, "the credential is the old one")
        require(steps.credential_ids(self.aws, USER) == [new.credential_id], "the old credential is still there")
        status = old.status(self.clone_url)
        require(status == 401, f"the old login is answered {status}")
        tell(f"RotationSerial=1: {old.credential_id} is gone, {new.credential_id} is live.")
        tell(f"The old login: HTTP {status}. The new one: {self.push()}")

    def fails_and_rolls_back(self) -> None:
        held = self.login()
        foreign = self.aws.client("iam").create_service_specific_credential(
            UserName=USER, ServiceName="codecommit.amazonaws.com")["ServiceSpecificCredential"]
        tell(f"Somebody makes a credential by hand, {foreign['ServiceSpecificCredentialId']}, which takes the "
             "user's second slot. Then RotationSerial=2:")
        failed = self.environment.deploy(RotationSerial="2")
        require(not failed.succeeded, "the deployment should have failed")
        status = self.environment.status()
        require(status == "UPDATE_ROLLBACK_COMPLETE", f"the stack is {status}")
        tell(f"{status}, because: {self.environment.failures()[-1]}", indent=6)
        require(self.login() == held, "the login is another one")
        tell(f"The login is the one before: {self.push()}")
        self.aws.client("iam").delete_service_specific_credential(
            UserName=USER, ServiceSpecificCredentialId=foreign["ServiceSpecificCredentialId"])

    def second_fails(self) -> None:
        before = steps.what_is_there(self.aws)
        second = Environment(self.aws, self.directory, env_id="tst")
        failed = second.deploy(MirrorSecretNames="elsewhere/*")
        require(not failed.succeeded, "the deployment should have failed")
        status = second.status()
        require(status == "ROLLBACK_COMPLETE", f"the stack is {status}")
        tell(f"The environment tst, whose function may not write its secret (MirrorSecretNames=elsewhere/*): {status}, "
             f"because: {second.failures()[0]}")
        second.delete()
        after = steps.what_is_there(self.aws)
        require(after == before, f"left behind: {difference(before, after)}")
        tell("Nothing of it is left: no user, no credential, no secret, no bucket.")

    def is_deleted(self) -> None:
        held = self.login()
        require(held.status(self.clone_url) == 200, "the login should work until the end")
        self.undeploy()
        require(not steps.user_exists(self.aws, USER), f"user {USER} is still there")
        require(not steps.secret_exists(self.aws, SECRET), f"secret {SECRET} is still there")
        status = held.status(self.clone_url)
        require(status == 401, f"the old login is answered {status}")
        tell(f"User, credential and secret are gone. The last login: HTTP {status}.")

    def leaves(self) -> None:
        after = steps.what_is_there(self.aws)
        left = difference(self.before, after)
        bucket = f"s3-dev-codepipeline-artifact-{self.aws.account_id}-{self.aws.region}"
        sams = [name for name in left.get("buckets", []) if name.startswith("aws-sam-cli-managed-default")]
        table([(kind, ", ".join(left.get(kind, [])) or "nothing") for kind in after])
        tell("The artifact bucket is kept on purpose (`make undeploy DELETE_BUCKET=yes` removes it); the other one is "
             "sam's own, shared by everything that sam deploys in an account and region.")
        require(left == {"buckets": sorted([bucket, *sams])}, f"left behind: {left}")
        s3 = self.aws.client("s3")
        s3.put_object(Bucket=bucket, Key="artifact", Body=b"1")
        s3.put_object(Bucket=bucket, Key="artifact", Body=b"2")
        s3.delete_object(Bucket=bucket, Key="artifact")
        tell("With two versions of an artifact and a delete marker put into the bucket:")
        self.undeploy(DELETE_BUCKET="yes", CONFIRM="yes")
        require(bucket not in steps.what_is_there(self.aws)["buckets"], f"{bucket} is still there")

    def undeploy(self, **variables: str) -> None:
        said = subprocess.run([sys.executable, ROOT / "scripts/undeploy.py"], env=self.aws.environment() | variables,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        tell(f"make undeploy {' '.join(f'{name}={value}' for name, value in variables.items())}".rstrip())
        print(textwrap.indent(said.stdout.rstrip(), " " * 6), flush=True)
        require(said.returncode == 0, "undeploying failed")


def difference(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    more = {kind: sorted(set(names) - set(before[kind])) for kind, names in after.items()}
    return {kind: names for kind, names in more.items() if names}


def main() -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cfn-gitops-") as directory, LocalAws() as aws:
        print(f"A local AWS is up after {time.monotonic() - began:.1f} s: account {aws.account_id}, {aws.region}, "
              "IAM enforced, CodeCommit's git included.", flush=True)
        story = Story(aws, Path(directory))
        acts: list[tuple[str, Callable[[], None]]] = [
            ("sam deploy: the whole environment", story.deploy),
            ("git push through the mirror's login", story.pushes),
            ("The same deployment again", story.changes_nothing),
            ("Rotation", story.rotates),
            ("An update that fails", story.fails_and_rolls_back),
            ("A second environment that cannot be made", story.second_fails),
            ("The stack is deleted", story.is_deleted),
            ("What is left of everything", story.leaves),
        ]
        for number, (title, act) in enumerate(acts, 1):
            print(f"\n{number}. {title}", flush=True)
            start = time.monotonic()
            try:
                act()
            except NotShown as error:
                print(f"   FAILED after {time.monotonic() - start:.1f} s: {error}", flush=True)
                print("\nThe function's log:\n" + steps.function_log(aws, story.environment.function_name))
                return 1
            print(f"   ok, {time.monotonic() - start:.1f} s", flush=True)
    print(f"\nAll {len(acts)} steps are as they should be, in {time.monotonic() - began:.0f} s. The local AWS is gone "
          "with all it held.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
