"""One local AWS with one environment for all tests here: deploying is the slow part."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws import LocalAws
from local_deploy.steps import BOOTSTRAP, TEMPLATES, Environment, Login, Stack, Working, function_log, login

# The last two look back at what the others did.
ORDER = ["test_template", "test_another_stack", "test_hostile_templates", "test_readme", "test_undeploy",
         "test_least_privilege", "test_secrecy"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ORDER.index(item.path.stem) if item.path.stem in ORDER else -1)


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    assert BOOTSTRAP.exists(), "`make build` comes first"
    with LocalAws() as running:
        yield running


class Witness:
    """What was said during all tests, and the passwords that must not be among it."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}
        self.passwords: set[str] = set()
        self.denials_meant: list[dict[str, Any]] = []
        self.granted: set[str] = set()

    def hears(self, where: str, what: str) -> None:
        self.said[where] = what

    def learns(self, aws: LocalAws) -> None:
        """Every version of every secret that is there now."""
        secrets = aws.client("secretsmanager")
        for secret in secrets.list_secrets()["SecretList"]:
            listed = secrets.list_secret_version_ids(SecretId=secret["ARN"], IncludeDeprecated=True)["Versions"]
            for version in listed:
                value = secrets.get_secret_value(SecretId=secret["ARN"], VersionId=version["VersionId"])
                found = json.loads(value["SecretString"])
                if "password" in found:
                    self.passwords.add(found["password"])


@pytest.fixture(scope="session")
def witness() -> Witness:
    return Witness()


@pytest.fixture(autouse=True)
def _witnessed(aws: LocalAws, witness: Witness) -> Iterator[None]:
    """After each test, because a stack takes its log and its secrets along."""
    yield
    witness.learns(aws)
    for env_id in ("dev", "tst"):
        log = function_log(aws, f"cfn-gitops-{env_id}")
        if log:
            witness.hears(f"the function's log, {env_id}", log)
    cloudformation = aws.client("cloudformation")
    stacks = cloudformation.list_stacks()["StackSummaries"]
    for stack in stacks:
        said = [cloudformation.describe_stacks(StackName=stack["StackId"]),
                cloudformation.describe_stack_events(StackName=stack["StackId"]),
                cloudformation.describe_stack_resources(StackName=stack["StackId"])
                if stack["StackStatus"] != "DELETE_COMPLETE" else {}]
        witness.hears(stack["StackId"], json.dumps(said, default=str))
    witness.hears("what the function answered", json.dumps(aws.exchanges()))


@pytest.fixture(scope="session")
def environment(aws: LocalAws, witness: Witness, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """`template.yaml`, deployed with every default."""
    deployed = Environment(aws, tmp_path_factory.mktemp("environment"))
    first = deployed.deploy()
    witness.hears("sam's output, first", first.output)
    assert first.succeeded, first.output + "\n".join(deployed.failures())
    return deployed


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
