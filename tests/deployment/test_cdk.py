"""The app of docs/how-to/cdk-and-terraform.md: `cdk synth` with the page's command, then a deployment.

npm installs what tests/cdk/package-lock.json pins with hashes, 80 MB.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import INHERITED
from tests.deployment.conftest import Transcript
from tests.deployment.pages import blocks
from tests.local.aws import LocalAws
from tests.play import steps
from tests.play.steps import ROOT, Environment, Stack, Working
from tests.templates.custom_resources import SCHEMAS, CustomResources

PAGE = ROOT / "docs/how-to/cdk-and-terraform.md"
pytestmark = pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cdk")
    [app], [commands] = blocks(PAGE, "js"), blocks(PAGE)
    install, synth = commands.splitlines()
    (folder / "app.mjs").write_text(app)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(ROOT / "tests/cdk" / name, folder / name)
    pinned = json.loads((folder / "package.json").read_text())["dependencies"]
    assert install == f"npm install {' '.join(sorted(pinned))}"
    for command in ("npm ci --ignore-scripts --no-audit --no-fund", synth):
        subprocess.run(
            command,
            shell=True,
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            env={
                **INHERITED,
                "HOME": str(folder),
                "CI": "true",
                "CDK_DISABLE_CLI_TELEMETRY": "true",
                "CDK_DISABLE_VERSION_CHECK": "true",
            },
        )
    return folder / "cdk.out/Website.template.json"


def test_properties_of_the_app_follow_the_schemas(synthesized: Path) -> None:
    app = CustomResources(template={"Outputs": {}, **json.loads(synthesized.read_text())})
    assert len(app.of_type(*SCHEMAS)) == 2 and app.faults() == []


def test_app_deploys_a_login_that_pushes_and_a_pipeline(
    aws: LocalAws, environment: Environment, transcript: Transcript, synthesized: Path, tmp_path: Path
) -> None:
    before, stack = steps.what_is_there(aws), Stack(aws, "Website")
    # `cdk bootstrap` creates it, and the template requires it.
    aws.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    assert stack.create(synthesized) == "CREATE_COMPLETE", stack.failures()
    transcript.collect_passwords(aws)
    secret, child = (
        next(each["PhysicalResourceId"] for each in stack.resources() if each["ResourceType"] == kind)
        for kind in ("Custom::MirrorCredential", "Custom::GitOpsPipeline")
    )
    assert (secret, child) == ("codecommit-mirror/user-dev-website", "gitops-dev-website")
    url = aws.client("codecommit").get_repository(repositoryName="codecommit-dev-website")[
        "repositoryMetadata"
    ]["cloneUrlHttp"]
    pushed = Working(tmp_path / "work").push(steps.login(aws, secret), url)
    assert pushed.accepted, pushed.output

    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert steps.what_is_there(aws) == before
