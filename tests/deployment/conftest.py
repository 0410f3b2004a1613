"""One local AWS with one environment for all tests here: deploying is the slow part."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local import gitlab as local_gitlab
from local.aws import LocalAws
from local.aws.settings import IAM_IS_LATE
from local.gitlab import LocalGitLab
from tests.deployment.pipelines import Pipeline, ProjectStack, eventually
from tests.deployment.steps import (
    BOOTSTRAP,
    ROOT,
    TEMPLATES,
    Environment,
    Login,
    Stack,
    Working,
    function_log_events,
    login,
    sam_settings,
)

# The environment that most use comes first, and the last two look back at what the others did.
FIRST, LAST = ["test_template"], ["test_least_privilege", "test_secrecy"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place - len(FIRST) for place, name in enumerate(FIRST)}
    order |= {name: place + 1 for place, name in enumerate(LAST)}
    items.sort(key=lambda item: order.get(item.path.stem, 0))


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    assert BOOTSTRAP.exists(), "`make build` comes first"
    with LocalAws(settings=IAM_IS_LATE) as running:
        yield running


class Witness:
    """What was said during all tests, and the passwords and GitLab's tokens that must not be among it."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}
        self.passwords: set[str] = set()
        self.tokens: set[str] = set()
        self.denials_meant: list[dict[str, Any]] = []
        self.granted: set[str] = set()
        self._gone: set[str] = set()
        self._heard_until: dict[str, int] = {}

    def hears(self, where: str, what: str) -> None:
        self.said[where] = what

    def hears_function(self, aws: LocalAws, name: str) -> None:
        """What it has logged since the last time: reading all of it after each test takes longer and longer."""
        events = function_log_events(aws, name, since=self._heard_until.get(name, 0))
        if events:
            where = f"the function's log, {name}"
            self.said[where] = self.said.get(where, "") + "".join(f"{event['message']}\n" for event in events)
            # Instances that run side by side need not write in the order of time.
            self._heard_until[name] = events[-1]["timestamp"] - 2000

    def hears_pipeline(self, pipeline: Pipeline) -> None:
        """Before it is deleted: its executions and its log go with it."""
        self.hears(f"pipeline {pipeline.name} and its builds' log", pipeline.said())

    def hears_pipelines(self, aws: LocalAws) -> None:
        for about in aws.client("codepipeline").list_pipelines()["pipelines"]:
            env_id, _, project_id = about["name"].removeprefix("codepipeline-").partition("-cfn-")
            self.hears_pipeline(Pipeline(aws, env_id, project_id))

    def hears_stacks(self, aws: LocalAws) -> None:
        """Each deleted one once more, and then never again."""
        cloudformation = aws.client("cloudformation")
        pages = cloudformation.get_paginator("list_stacks").paginate()
        for stack in [stack for page in pages for stack in page["StackSummaries"]]:
            is_gone = stack["StackStatus"] == "DELETE_COMPLETE"
            if is_gone and stack["StackId"] in self._gone:
                continue
            said = [cloudformation.describe_stacks(StackName=stack["StackId"]),
                    cloudformation.describe_stack_events(StackName=stack["StackId"]),
                    {} if is_gone else cloudformation.describe_stack_resources(StackName=stack["StackId"])]
            self.hears(stack["StackId"], json.dumps(said, default=str))
            if is_gone:
                self._gone.add(stack["StackId"])

    def learns(self, aws: LocalAws) -> None:
        """Every version of every secret that is there now."""
        secrets = aws.client("secretsmanager")
        for secret in secrets.list_secrets()["SecretList"]:
            listed = secrets.list_secret_version_ids(SecretId=secret["ARN"], IncludeDeprecated=True)["Versions"]
            for version in listed:
                value = secrets.get_secret_value(SecretId=secret["ARN"], VersionId=version["VersionId"])
                if value["SecretString"] in self.tokens:
                    continue
                found = json.loads(value["SecretString"])
                if "password" in found:
                    self.passwords.add(found["password"])


@pytest.fixture(scope="session")
def witness() -> Witness:
    return Witness()


@pytest.fixture(scope="session")
def gitlab(witness: Witness) -> Iterator[LocalGitLab]:
    """Where GitLab puts a sync off by a minute, this one does by half a second."""
    with local_gitlab.running(protected_delay=0.5, unprotected_delay=0.5) as running:
        witness.tokens.add(running.token)
        yield running
        assert running.complaints == []


@pytest.fixture(autouse=True)
def _witnessed(aws: LocalAws, witness: Witness) -> Iterator[None]:
    """After each test, because a stack takes its log and its secrets along."""
    yield
    witness.learns(aws)
    for env_id in ("dev", "prd", "tst"):
        witness.hears_function(aws, f"cfn-gitops-{env_id}")
    witness.hears_stacks(aws)
    witness.hears_pipelines(aws)
    witness.hears("what the function answered", json.dumps(aws.exchanges()))
    aws.reset()


@pytest.fixture
def denials_meant(aws: LocalAws, witness: Witness) -> Iterator[None]:
    """For a test that asks for what is not allowed: what is denied meanwhile is meant to be."""
    before = len(aws.decisions())
    yield
    witness.denials_meant += [decision for decision in aws.decisions()[before:] if not decision["allowed"]]


@pytest.fixture(scope="session")
def environment(aws: LocalAws, witness: Witness, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """`template.yaml`, deployed with every default."""
    deployed = Environment(aws, tmp_path_factory.mktemp("environment"))
    first = deployed.deploy()
    witness.hears("sam's output, first", first.output)
    assert first.succeeded, first.output + "\n".join(deployed.failures())
    return deployed


@pytest.fixture(scope="session")
def git_login(aws: LocalAws, environment: Environment) -> Callable[[], Login]:
    """A developer's, who may push to every repository of dev. The mirror user may push to its own project's alone."""
    iam, user = aws.client("iam"), "developer"
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="push", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": ["codecommit:GitPull", "codecommit:GitPush"],
            "Resource": f"arn:aws:codecommit:{aws.region}:{aws.account_id}:codecommit-dev-*"}]}))
    made = iam.create_service_specific_credential(
        UserName=user, ServiceName="codecommit.amazonaws.com")["ServiceSpecificCredential"]
    aws.put_iam_into_effect()
    developer = Login(made["ServiceUserName"], made["ServicePassword"], made["ServiceSpecificCredentialId"])
    url = environment.outputs()["RepositoryCloneUrl"]
    eventually(lambda: developer.status(url) == 200, "CodeCommit accepts the developer's login")
    return lambda: developer


class Production(Environment):
    """The environment prd in the same account, with the table of samconfig.toml that a user deploys it by."""

    def __init__(self, aws: LocalAws, directory: Path) -> None:
        super().__init__(aws, directory, env_id="prd")
        self.said = ""
        self._environment = aws.environment() | sam_settings(directory) | {
            "PATH": f"{Path(sys.executable).parent}:{aws.environment()['PATH']}"}

    def run(self, script: str, *arguments: str, **variables: str) -> tuple[int, str]:
        """What `make deploy` and `make undeploy` run: the exit status, and what it says."""
        ran = subprocess.run([sys.executable, ROOT / "scripts" / script, "--config-env", "prd", *arguments],
                             env=self._environment | variables, cwd=ROOT, text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
        self.said += ran.stdout
        return ran.returncode, ran.stdout

    def login(self) -> Login:
        return login(self.aws, "codecommit-mirror/user-prd-codecommit-mirroring")


@pytest.fixture(scope="session")
def _production(aws: LocalAws, environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Production:
    return Production(aws, tmp_path_factory.mktemp("production"))


@pytest.fixture
def production(_production: Production, witness: Witness) -> Iterator[Production]:
    """prd as it is after its first deployment, whichever test comes first."""
    if not _production.exists():
        # Another order of what the graph leaves open than the first environment's.
        _production.aws.set(order_seed=7)
        status, said = _production.run("deploy.py", "--yes")
        assert status == 0, said
    yield _production
    witness.hears("what deploying and undeploying prd printed", _production.said)


@pytest.fixture
def working(tmp_path: Path, name: str) -> Working:
    """With a branch of its own: tests share the environment's repository."""
    return Working(tmp_path / "work", branch=name)


@pytest.fixture
def name() -> str:
    return f"t{uuid.uuid4().hex[:8]}"


class Mirror(Stack):
    """A stack of `templates/mirror.yaml`, which remembers its parameters."""

    def __init__(self, aws: LocalAws, name: str, witness: Witness) -> None:
        super().__init__(aws, f"mirror-{name}")
        self._witness = witness
        self._parameters = {"Name": name}

    def make(self, **parameters: str) -> None:
        self._parameters |= parameters
        status = self.create(TEMPLATES / "mirror.yaml", **self._parameters)
        assert status == "CREATE_COMPLETE", self.failures()
        self._witness.learns(self.aws)

    def change(self, **parameters: str) -> str:
        status = self.update(TEMPLATES / "mirror.yaml", **(self._parameters | parameters))
        self._witness.learns(self.aws)
        return status

    def become(self, **parameters: str) -> None:
        assert self.change(**parameters) == "UPDATE_COMPLETE", self.failures()
        self._parameters |= parameters

    @property
    def clone_url(self) -> str:
        return self.outputs()["CloneUrl"]

    def login(self) -> Login:
        return login(self.aws, self.outputs()["SecretName"])


@pytest.fixture
def mirror(aws: LocalAws, environment: Environment, name: str, witness: Witness) -> Iterator[Mirror]:
    stack = Mirror(aws, name, witness)
    yield stack
    if stack.exists():
        assert stack.delete() == "DELETE_COMPLETE", stack.failures()


@pytest.fixture
def stack(aws: LocalAws, git_login: Callable[[], Login], name: str, witness: Witness,
          tmp_path: Path) -> Iterator[ProjectStack]:
    """A stack for a pipeline of its own, which is not made yet."""
    yield from _project_stack(aws, ProjectStack(aws, name, tmp_path, git_login), witness)


@pytest.fixture
def other_stack(aws: LocalAws, git_login: Callable[[], Login], name: str, witness: Witness,
                tmp_path: Path) -> Iterator[ProjectStack]:
    """The same for a second project of the environment."""
    yield from _project_stack(aws, ProjectStack(aws, f"{name}o", tmp_path, git_login), witness)


def _project_stack(aws: LocalAws, stack: ProjectStack, witness: Witness) -> Iterator[ProjectStack]:
    yield stack
    aws.reset()
    witness.hears_pipeline(stack.project)
    if stack.exists():
        assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    # It stays, on purpose; here it would be in the way of the others' comparisons.
    if stack.project.deployed.exists():
        assert stack.project.deployed.delete() == "DELETE_COMPLETE", stack.project.deployed.failures()
