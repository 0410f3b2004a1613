"""One local AWS with one environment for all tests here, because a deployment is slow."""

import json
import os
import pickle
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import preloaded
from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.aws.settings import IAM_IS_LATE
from tests.local.gitlab import LocalGitLab
from tests.play.mirroring import Source
from tests.play.pipelines import Pipeline, ProjectStack, developer_login, eventually
from tests.play.steps import (
    BOOTSTRAP,
    DEPLOYABLE,
    ROOT,
    Environment,
    Login,
    Working,
    decisions_of,
    function_log_events,
    granted_actions,
    login,
    of_a_project,
    sam_settings,
)

# The environment that most tests use comes first. The last two evaluate what the other tests did.
FIRST, LAST = ["test_template"], ["test_least_privilege", "test_secrecy"]
# `make test` divides the tests among sessions. Each writes its transcript into this folder, and the last two
# tests evaluate all of them. Without the folder, they evaluate their own session.
TRANSCRIPTS = os.environ.get("DEPLOYMENT_TRANSCRIPTS")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if BOOTSTRAP != DEPLOYABLE:
        # `make deploy` accepts the deployable function only.
        for item in items:
            if "production" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason="it needs `make build`"))
    order = {name: place - len(FIRST) for place, name in enumerate(FIRST)}
    order |= {name: place + 1 for place, name in enumerate(LAST)}
    items.sort(key=lambda item: order.get(item.path.stem, 0))


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    assert BOOTSTRAP.exists(), "`make build` comes first"
    with LocalAws(settings=IAM_IS_LATE) as running:
        yield running


class Transcript:
    """Every log, event, output and response of the tests, and the passwords and GitLab tokens that must not
    be in them."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.passwords: set[str] = set()
        self.tokens: set[str] = set()
        self.expected_denials: list[dict[str, Any]] = []
        # Of each role of dev: the actions of its policies, those that it used, and the denials that no test
        # expected.
        self.granted: dict[str, set[str]] = {}
        self.used: dict[str, set[str]] = {}
        self.denials: dict[str, list[dict[str, Any]]] = {}
        self._deleted: set[str] = set()
        self._read_until: dict[str, int] = {}

    def add(self, source: str, text: str) -> None:
        self.texts[source] = text

    def add_function_log(self, aws: LocalAws, name: str) -> None:
        """Adds the log lines since the last call: reading the whole log after each test would take longer and
        longer."""
        events = function_log_events(aws, name, since=self._read_until.get(name, 0))
        if events:
            source = f"the function's log, {name}"
            self.texts[source] = self.texts.get(source, "") + "".join(
                f"{event['message']}\n" for event in events
            )
            # Concurrent instances may write out of order.
            self._read_until[name] = events[-1]["timestamp"] - 2000

    def add_pipeline(self, pipeline: Pipeline) -> None:
        """Call it before the pipeline is deleted: its executions and its log are deleted with it."""
        self.add(f"pipeline {pipeline.name} and its builds' log", pipeline.said())

    def add_pipelines(self, aws: LocalAws) -> None:
        for about in aws.client("codepipeline").list_pipelines()["pipelines"]:
            env_id, _, project_id = about["name"].removeprefix("codepipeline-").partition("-cfn-")
            self.add_pipeline(Pipeline(aws, env_id, project_id))

    def add_stacks(self, aws: LocalAws) -> None:
        """Adds each stack, and a deleted stack only once after its deletion."""
        cloudformation = aws.client("cloudformation")
        pages = cloudformation.get_paginator("list_stacks").paginate()
        for stack in [stack for page in pages for stack in page["StackSummaries"]]:
            is_deleted = stack["StackStatus"] == "DELETE_COMPLETE"
            if is_deleted and stack["StackId"] in self._deleted:
                continue
            found = [
                cloudformation.describe_stacks(StackName=stack["StackId"]),
                cloudformation.describe_stack_events(StackName=stack["StackId"]),
                {} if is_deleted else cloudformation.describe_stack_resources(StackName=stack["StackId"]),
            ]
            self.add(stack["StackId"], json.dumps(found, default=str))
            if is_deleted:
                self._deleted.add(stack["StackId"])

    def add_environment(self, aws: LocalAws, environment: Environment) -> None:
        """Adds sam's output, what the policies of the roles allow now, and the calls so far."""
        self.add("sam's output", environment.sam_output)
        pages = aws.client("iam").get_paginator("list_roles").paginate()
        for role in [role["RoleName"] for page in pages for role in page["Roles"]]:
            if role.startswith(f"role-{environment.env_id}-"):
                decisions = decisions_of(aws, role)
                self.granted[role] = self.granted.get(role, set()) | granted_actions(aws, role)
                self.used[role] = {decision["action"] for decision in decisions if decision["allowed"]}
                self.denials[role] = [
                    decision
                    for decision in decisions
                    if not decision["allowed"]
                    and not decision.get("late")
                    and decision not in self.expected_denials
                ]

    def collect_passwords(self, aws: LocalAws) -> None:
        """Collects the passwords of every version of every secret that exists now."""
        secrets = aws.client("secretsmanager")
        for secret in secrets.list_secrets()["SecretList"]:
            listed = secrets.list_secret_version_ids(SecretId=secret["ARN"], IncludeDeprecated=True)[
                "Versions"
            ]
            for version in listed:
                value = secrets.get_secret_value(SecretId=secret["ARN"], VersionId=version["VersionId"])
                if value["SecretString"] in self.tokens:
                    continue
                found = json.loads(value["SecretString"])
                if "password" in found:
                    self.passwords.add(found["password"])


@pytest.fixture(scope="session")
def transcript() -> Iterator[Transcript]:
    yield (written := Transcript())
    if TRANSCRIPTS:
        Path(TRANSCRIPTS).mkdir(parents=True, exist_ok=True)
        (Path(TRANSCRIPTS) / f"{os.getpid()}.pickle").write_bytes(pickle.dumps(written))


@pytest.fixture(scope="session")
def transcripts(request: pytest.FixtureRequest) -> list[Transcript]:
    """One of each session."""
    if TRANSCRIPTS:
        return [pickle.loads(file.read_bytes()) for file in Path(TRANSCRIPTS).glob("*.pickle")]
    own: Transcript = request.getfixturevalue("transcript")
    own.add_environment(request.getfixturevalue("aws"), request.getfixturevalue("environment"))
    return [own]


@pytest.fixture(scope="session")
def gitlab(transcript: Transcript) -> Iterator[LocalGitLab]:
    """GitLab delays a mirror's next run by a minute, the local one by half a second."""
    with local_gitlab.running(protected_delay=0.5, unprotected_delay=0.5) as running:
        transcript.tokens.add(running.token)
        yield running
        assert running.complaints == []


@pytest.fixture(autouse=True)
def _record_everything(request: pytest.FixtureRequest) -> Iterator[None]:
    """Records after each test, because the log and the secrets of a stack are deleted with it."""
    if "transcripts" in request.fixturenames:
        yield
        return
    aws, transcript = request.getfixturevalue("aws"), request.getfixturevalue("transcript")
    yield
    transcript.collect_passwords(aws)
    for name in (f"cfn-gitops-{env_id}{end}" for env_id in ("dev", "prd", "tst") for end in ("", "-read")):
        transcript.add_function_log(aws, name)
    transcript.add_stacks(aws)
    transcript.add_pipelines(aws)
    transcript.add("the function's responses", json.dumps(aws.exchanges()))
    aws.reset()


@pytest.fixture
def expected_denials(aws: LocalAws, transcript: Transcript) -> Iterator[None]:
    """For a test that makes denied calls: its denials are expected."""
    before = len(aws.decisions())
    yield
    transcript.expected_denials += [
        decision for decision in aws.decisions()[before:] if not decision["allowed"]
    ]


@pytest.fixture
def queued_requests(aws: LocalAws) -> None:
    """For a test that makes denied requests: the function retries them for a minute since their signature, so
    for ten seconds."""
    aws.set(requests_queued_seconds=50)


@pytest.fixture(scope="session")
def environment(
    aws: LocalAws, transcript: Transcript, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Environment]:
    """`template.yaml`, deployed with every default."""
    deployed = Environment(aws, tmp_path_factory.mktemp("environment"))
    first = deployed.deploy()
    transcript.add("sam's output, first", first.output)
    assert first.succeeded, first.output + "\n".join(deployed.failures())
    yield deployed
    transcript.add_environment(aws, deployed)


@pytest.fixture
def bounded(aws: LocalAws, environment: Environment) -> Iterator[Environment]:
    """The environment while its pipelines may create roles."""
    assert environment.change(DeployedRoles="Bounded") == "UPDATE_COMPLETE", environment.failures()
    aws.put_iam_into_effect()
    yield environment
    assert environment.change(DeployedRoles="None") == "UPDATE_COMPLETE", environment.failures()


@pytest.fixture(scope="session")
def git_login(aws: LocalAws, environment: Environment) -> Callable[[], Login]:
    """A developer's login for every repository of dev."""
    developer = developer_login(aws, "dev")
    aws.put_iam_into_effect()
    url = environment.outputs()["RepositoryCloneUrl"]
    eventually(lambda: developer.status(url) == 200, "CodeCommit accepts the developer's login")
    return lambda: developer


class Production(Environment):
    """The environment prd in the same account, deployed with its table of samconfig.toml."""

    def __init__(self, aws: LocalAws, directory: Path) -> None:
        super().__init__(aws, directory, env_id="prd")
        self.output = ""
        self._environment = (
            aws.environment()
            | sam_settings(directory)
            | {"PATH": f"{preloaded.path()}:{aws.environment()['PATH']}"}
        )

    def run(self, command: str, *arguments: str) -> tuple[int, str]:
        """Runs `make deploy` with a first project, or a subcommand of cfn-gitops. Returns its exit status and
        output."""
        program = ["tools.run.deploy"] if command == "deploy" else ["cli", command]
        if command == "deploy" and "ProjectID=" not in arguments:
            given = [f"{name}={value}" for name, value in of_a_project("prd").items()]
            arguments = (*arguments, *([] if "--" in arguments else ["--"]), *given)
        ran = subprocess.run(
            [sys.executable, "-m", *program, "--env", "prd", *arguments],
            env=self._environment | {"PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        self.output += ran.stdout
        return ran.returncode, ran.stdout

    def login(self) -> Login:
        return login(self.aws, "codecommit-mirror/user-prd-codecommit-mirroring")


@pytest.fixture(scope="session")
def _production(
    aws: LocalAws, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Production:
    return Production(aws, tmp_path_factory.mktemp("production"))


@pytest.fixture
def production(_production: Production, transcript: Transcript) -> Iterator[Production]:
    """prd after its first deployment. The first test that uses it deploys it."""
    if not _production.exists():
        # Another order of independent resources than in the first environment.
        _production.aws.set(order_seed=7)
        status, output = _production.run("deploy", "--yes")
        assert status == 0, output
    yield _production
    transcript.add("the output of deploying and undeploying prd", _production.output)


@pytest.fixture
def working(tmp_path: Path, name: str) -> Working:
    """A clone with its own branch, because the tests share the environment's repository."""
    return Working(tmp_path / "work", branch=name)


@pytest.fixture
def name() -> str:
    return f"t{uuid.uuid4().hex[:8]}"


@pytest.fixture
def source(aws: LocalAws, gitlab: LocalGitLab, name: str) -> Iterator[Source]:
    """A project in GitLab, whose token the function may read."""
    source = Source(aws, gitlab, f"platform/{name}", f"gitlab/{name}", "development")
    source.store_token()
    yield source
    source.forget_token()


@pytest.fixture
def stack(
    aws: LocalAws, git_login: Callable[[], Login], name: str, transcript: Transcript, tmp_path: Path
) -> Iterator[ProjectStack]:
    """A stack for a pipeline, which the test creates."""
    yield from _project_stack(aws, ProjectStack(aws, name, tmp_path, git_login), transcript)


@pytest.fixture
def other_stack(
    aws: LocalAws, git_login: Callable[[], Login], name: str, transcript: Transcript, tmp_path: Path
) -> Iterator[ProjectStack]:
    """A stack for the pipeline of a second project of the environment."""
    yield from _project_stack(aws, ProjectStack(aws, f"{name}o", tmp_path, git_login), transcript)


def _project_stack(aws: LocalAws, stack: ProjectStack, transcript: Transcript) -> Iterator[ProjectStack]:
    yield stack
    aws.reset()
    transcript.add_pipeline(stack.project)
    if stack.exists():
        assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    # cfn-gitops retains the deployed stack; here it would disturb the comparisons of other tests.
    if stack.project.deployed.exists():
        assert stack.project.deployed.delete() == "DELETE_COMPLETE", stack.project.deployed.failures()
