"""A repository in one region, its replica in another, and the script of templates/replication.yaml."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

from tests.local.aws import LocalAws
from tests.play.steps import ROOT
from tests.play.waiting import eventually
from tests.replication.aws_cli import AwsCli

SOURCE_REGION, REPLICA_REGION = "eu-central-1", "eu-west-1"
TAG = "cfn-gitops:replica-of"
_HERE = Path(__file__).parent
_END_SECONDS = 180


def template(name: str) -> dict[str, Any]:
    return yaml_parse((ROOT / "templates" / name).read_text())  # type: ignore[no-any-return]


def script() -> str:
    """The build's script: the lines between the command's first and last line."""
    spec = yaml.safe_load(
        template("replication.yaml")["Resources"]["Build"]["Properties"]["Source"]["BuildSpec"]
    )
    first, *lines, last = spec["phases"]["build"]["commands"][0].splitlines()
    assert first == "cat >replicate.sh <<'END_OF_SCRIPT'" and last == "END_OF_SCRIPT"
    return "".join(f"{line}\n" for line in lines)


def in_region(aws: LocalAws, region: str) -> LocalAws:
    other = aws.in_account(aws.account_id)
    other.region = region
    return other


def until(look: Callable[[], Any]) -> Any:
    return eventually(look, "the condition", _END_SECONDS)


def programs(directory: Path, cli: AwsCli) -> Path:
    """A directory with `aws` and `git` in it, to prepend to a PATH."""
    directory.mkdir()
    cli.install(directory)
    shutil.copy(_HERE / "git_program.sh", directory / "git")
    (directory / "git").chmod(0o755)
    return directory


class Run:
    """One run of the script, with files of its own that specify the faults."""

    def __init__(self, scene: Scene, number: int, **environment: str) -> None:
        self.directory = scene.directory / f"run-{number}"
        self.directory.mkdir()
        (self.directory / "tmp").mkdir()
        (self.directory / "replicate.sh").write_text(script())
        self.environment = {
            **scene.environment(scene.key),
            "SCENE": str(self.directory),
            "TMPDIR": str(self.directory / "tmp"),
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def fail(self, what: str, times: int) -> Run:
        (self.directory / f"fail-{what}").write_text(str(times))
        return self

    def held_before(self, what: str) -> Run:
        """Starts the run, and waits until it is about to do this."""
        (self.directory / f"hold-{what}").touch()
        self.start()
        until((self.directory / f"held-{what}").exists)
        return self

    def release(self, what: str) -> Run:
        (self.directory / f"hold-{what}").unlink()
        return self

    def start(self) -> Run:
        with (self.directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["sh", "replicate.sh"],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def kill(self) -> None:
        """Kills the run like the loss of a machine: no process can clean up."""
        assert self._process is not None
        os.killpg(self._process.pid, 9)
        self._process.wait()

    def code(self) -> int:
        if self._process is None:
            self.start()
        assert self._process is not None
        try:
            return self._process.wait(_END_SECONDS)
        finally:
            if self._process.poll() is None:
                self.kill()

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    def calls(self) -> list[str]:
        return (self.directory / "calls").read_text().split()


class Scene:
    def __init__(self, aws: LocalAws, cli: AwsCli, name: str, directory: Path) -> None:
        self.aws, self.name, self.directory = aws, name, directory
        self.path = programs(directory / "bin", cli)
        self.codecommit = {
            region: in_region(aws, region).client("codecommit") for region in (SOURCE_REGION, REPLICA_REGION)
        }
        self.source = self._create(SOURCE_REGION, {})
        self.replica = self._create(REPLICA_REGION, {TAG: self.source["Arn"]})
        self.key = self._user()
        self._runs = 0
        self.work = directory / "work"
        self.git("init", "--quiet", "--initial-branch=main", str(self.work), at=directory)
        self.git("remote", "add", "origin", self.source["cloneUrlHttp"])

    def _create(self, region: str, tags: dict[str, str]) -> dict[str, Any]:
        made: dict[str, Any] = self.codecommit[region].create_repository(repositoryName=self.name, tags=tags)[
            "repositoryMetadata"
        ]
        return made

    def _user(self) -> dict[str, str]:
        """With the permissions of the build's role only."""
        iam = self.aws.client("iam")
        iam.create_user(UserName=self.name)
        reading = ["codecommit:GetRepository", "codecommit:GitPull", "codecommit:ListTagsForResource"]
        iam.put_user_policy(
            UserName=self.name,
            PolicyName="own",
            PolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {"Effect": "Allow", "Action": reading, "Resource": self.source["Arn"]},
                        {
                            "Effect": "Allow",
                            "Action": [*reading, "codecommit:GitPush", "codecommit:UpdateDefaultBranch"],
                            "Resource": self.replica["Arn"],
                        },
                    ],
                }
            ),
        )
        key: dict[str, str] = iam.create_access_key(UserName=self.name)["AccessKey"]
        return key

    def environment(self, key: dict[str, str]) -> dict[str, str]:
        return {
            "PATH": f"{self.path}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.directory),
            "REAL_GIT": shutil.which("git") or "",
            "GIT_CONFIG_NOSYSTEM": "1",
            "NO_PROXY": "127.0.0.1",
            "AWS_ENDPOINT_URL": self.aws.endpoint_url,
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "SOURCE_REGION": SOURCE_REGION,
            "SOURCE_REPOSITORY": self.name,
            "REPLICA_REGION": REPLICA_REGION,
            "REPLICA_REPOSITORY": self.name,
            "RETRY_SECONDS": "0",
        }

    # --- calls of people --------------------------------------------------------------------

    def git(self, *arguments: str, at: Path | None = None) -> str:
        """The account's administrator, who may push to any repository."""
        environment = self.environment({"AccessKeyId": self.aws.account_id, "SecretAccessKey": "local"}) | {
            "SCENE": str(self.directory),
            "GIT_TERMINAL_PROMPT": "0",
        }
        for role in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{role}_NAME": "A", f"GIT_{role}_EMAIL": "a@example.com"}
        done = subprocess.run(
            [
                environment["REAL_GIT"],
                "-c",
                "credential.helper=!aws codecommit credential-helper $@",
                "-c",
                "credential.useHttpPath=true",
                *arguments,
            ],
            cwd=at or self.work,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def push(self, *arguments: str) -> None:
        self.git("push", "--quiet", "origin", *arguments)

    def push_to_replica(self, *arguments: str) -> None:
        self.git("push", "--quiet", self.replica["cloneUrlHttp"], *arguments)

    def set_default(self, region: str, branch: str) -> None:
        self.codecommit[region].update_default_branch(repositoryName=self.name, defaultBranchName=branch)

    def default(self, region: str) -> str | None:
        held = self.codecommit[region].get_repository(repositoryName=self.name)["repositoryMetadata"]
        branch: str | None = held.get("defaultBranch")
        return branch

    def references(self, region: str) -> dict[str, str]:
        """All references, each annotated tag also with the commit that it points to."""
        url = (self.source if region == SOURCE_REGION else self.replica)["cloneUrlHttp"]
        lines = self.git("ls-remote", url).splitlines()
        return {name: found for found, name in (line.split("\t") for line in lines)}

    def in_step(self) -> bool:
        return self.references(SOURCE_REGION) == self.references(REPLICA_REGION) and self.default(
            SOURCE_REGION
        ) == self.default(REPLICA_REGION)

    # --- calls of the build ---------------------------------------------------------------

    def run(self, **environment: str) -> Run:
        self._runs += 1
        return Run(self, self._runs, **environment)

    def replicate(self, **environment: str) -> Run:
        return self.ends_in_step(self.run(**environment))

    def ends_in_step(self, run: Run) -> Run:
        assert run.code() == 0, run.log
        assert self.in_step(), run.log
        return run
