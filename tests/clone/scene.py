"""Two accounts: one with repositories, one with the instances that clone them."""

import subprocess
from pathlib import Path

from tests import preloaded
from tests.local.aws import LocalAws
from tests.play.steps import ROOT, Stack

REPOSITORIES, INSTANCES = "111122223333", "123456789012"
LABS = "222233334444"  # a second account with instances
# Every kind of character that an external ID may have.
EXTERNAL_ID = "7f3c_+=,.@:/-Z"


class Scene:
    def __init__(self, aws: LocalAws, directory: Path) -> None:
        self.aws, self._directory = aws, directory
        self.user_data: dict[tuple[str, str], str] = {}  # by account and environment

    def administrator(self, account: str) -> dict[str, str]:
        """The environment of a program with an administrator's keys and this project's AWS CLI in its
        PATH."""
        environment = self.aws.environment() | self.git_environment()
        environment |= {"AWS_ACCESS_KEY_ID": account, "HOME": str(self._directory)}
        return environment | {"PATH": f"{preloaded.path()}:{environment['PATH']}"}

    def git_environment(self) -> dict[str, str]:
        """Makes git connect to the local CodeCommit for AWS's address, and changes no other configuration."""
        proxy = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.proxy",
            "GIT_CONFIG_VALUE_0": self.aws.git_url,
        }
        return proxy | {
            "GIT_SSL_CAINFO": str(self.aws.authority),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }

    def push(self, repository: str, branch: str, files: dict[str, str], region: str = "") -> str:
        """A commit by the administrator. Creates the repository if it does not exist. Returns the commit's
        ID."""
        work, environment = self._directory / repository, self.administrator(REPOSITORIES)
        region = region or self.aws.region

        def run(*command: str) -> str:
            return subprocess.run(
                command, cwd=work, env=environment, check=True, text=True, capture_output=True
            ).stdout

        if not work.exists():
            work.mkdir()
            run("git", "init", "--quiet", f"--initial-branch={branch}")
            run("aws", "codecommit", "create-repository", "--repository-name", repository, "--region", region)
        for name, content in files.items():
            (work / name).write_text(content)
        run("git", "add", "--all")
        run(
            "git",
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.com",
            "commit",
            "--quiet",
            "--message=A change",
        )
        run(
            "git",
            "-c",
            "credential.helper=!aws codecommit credential-helper",
            "-c",
            "credential.UseHttpPath=true",
            "push",
            "--quiet",
            address(repository, region),
            branch,
        )
        return run("git", "rev-parse", "HEAD").strip()

    def deploy(
        self,
        env_id: str,
        repositories: list[str],
        region: str = "",
        role: dict[str, str] | None = None,
        instance: dict[str, str] | None = None,
        account: str = INSTANCES,
        instances_id: str = "",
    ) -> None:
        """clone-instance.yaml is deployed first: neither waits for the other. `role`, `instance`: more
        parameters."""
        arns = [
            f"arn:aws:codecommit:{region or self.aws.region}:{REPOSITORIES}:{name}" for name in repositories
        ]
        self._deploy(
            "clone-instance",
            account,
            EnvID=env_id,
            RepositoryAccountId=REPOSITORIES,
            InstancesID=instances_id,
            RepositoryRegion=region,
            ExternalId=EXTERNAL_ID,
            **(instance or {}),
        )
        self._deploy(
            "clone-role",
            REPOSITORIES,
            EnvID=env_id,
            InstanceAccountId=account,
            ExternalId=EXTERNAL_ID,
            InstancesID=instances_id,
            RepositoryArns=",".join(arns),
            **(role or {}),
        )

    def _deploy(self, template: str, account: str, **parameters: str) -> None:
        name = "-".join(filter(None, (template, parameters["EnvID"], parameters["InstancesID"])))
        stack = Stack(self.aws.in_account(account), name)
        assert stack.create(ROOT / f"templates/{template}.yaml", **parameters) == "CREATE_COMPLETE", (
            stack.failures()
        )

    def profile_arn(self, env_id: str, account: str = INSTANCES) -> str:
        return f"arn:aws:iam::{account}:instance-profile/instance-profile-{env_id}-clone"


def address(repository: str, region: str) -> str:
    """The address at AWS. Its connections end at the local CodeCommit, with TLS and host name."""
    return f"https://git-codecommit.{region}.amazonaws.com/v1/repos/{repository}"
