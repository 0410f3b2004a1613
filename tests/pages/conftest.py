"""A release folder with the function of this machine, and an environment that a reader deploys from it."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.deployment.pages import OF_DEV, Folder
from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play.mirroring import MirroredProject, Source
from tests.play.steps import BOOTSTRAP, Environment
from tools.release import dist

BRANCH = "main"
_ACCOUNTS = count(222200000000)


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as running:
        yield running


@pytest.fixture
def account(aws: LocalAws) -> LocalAws:
    """An account for a test that leaves an environment of its own."""
    return aws.in_account(str(next(_ACCOUNTS)))


@pytest.fixture(scope="session")
def gitlab() -> Iterator[LocalGitLab]:
    with local_gitlab.running(protected_delay=0.5, unprotected_delay=0.5) as running:
        yield running


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `dist` with a function that needs no `make build`, and without what no command reads."""
    directory = tmp_path_factory.mktemp("release")
    dist.write_for_local_aws(directory, BOOTSTRAP)
    return directory


@pytest.fixture
def git_settings(aws: LocalAws, gitlab: LocalGitLab) -> dict[str, str]:
    """git as on the reader's machine: it reaches CodeCommit at AWS's address, and is logged in to GitLab."""
    settings = {
        f"http.https://git-codecommit.{aws.region}.amazonaws.com.proxy": aws.git_url,
        f"credential.{gitlab.url}.helper": f"!printf 'username=developer\\npassword={gitlab.token}\\n' #",
    }
    variables = {
        "GIT_SSL_CAINFO": str(aws.authority),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (name, value) in enumerate(settings.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


@pytest.fixture
def reader(aws: LocalAws, gitlab: LocalGitLab, folder: Path, tmp_path: Path) -> Folder:
    return Folder(aws, folder, tmp_path, gitlab.url)


@pytest.fixture(scope="session")
def project(aws: LocalAws, gitlab: LocalGitLab, tmp_path_factory: pytest.TempPathFactory) -> MirroredProject:
    """The project in GitLab that the pages name."""
    source = Source(aws, gitlab, "platform/infra", "gitlab/infra", BRANCH)
    return MirroredProject(aws, "dev", "infra", tmp_path_factory.mktemp("project"), source, BRANCH)


@pytest.fixture
def infra(aws: LocalAws, reader: Folder, project: MirroredProject, tmp_path: Path) -> MirroredProject:
    """The first project of dev, deployed from the folder. The first test that uses it deploys it."""
    if not Environment(aws, tmp_path).exists():
        project.source.store_token()
        first = project.push_only().commit
        reader.write_parameters(
            "dev", OF_DEV, ProjectID="infra", BranchName=BRANCH, **project.source.parameters()
        )
        reader.run("sam deploy --config-env dev --no-confirm-changeset --no-progressbar")
        assert project.deploy(first) == "Succeeded", project.said()
    return project
