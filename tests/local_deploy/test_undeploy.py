"""What `make deploy` and `make undeploy` run, with another environment of samconfig.toml."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws import LocalAws
from local_deploy import steps
from local_deploy.conftest import Witness
from local_deploy.steps import ROOT

BUCKET = "s3-prd-codepipeline-artifact-123456789012-eu-central-1"


class Scripts:
    def __init__(self, aws: LocalAws, directory: Path) -> None:
        self.said = ""
        self._environment = aws.environment() | {
            "__SAM_CLI_APP_DIR": str(directory), "PATH": f"{Path(sys.executable).parent}:{aws.environment()['PATH']}"}

    def run(self, script: str, *arguments: str, **variables: str) -> tuple[int, str]:
        ran = subprocess.run([sys.executable, ROOT / "scripts" / script, "--config-env", "prd", *arguments],
                             env=self._environment | variables, cwd=ROOT, text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
        self.said += ran.stdout
        return ran.returncode, ran.stdout


@pytest.fixture
def scripts(aws: LocalAws, witness: Witness, tmp_path: Path) -> Iterator[Scripts]:
    started = Scripts(aws, tmp_path)
    # Another order of what the graph leaves open than the first environment's.
    aws.set(order_seed=7)
    yield started
    aws.set(order_seed=0)
    witness.hears("what deploying and undeploying printed", started.said)


def test_an_environment_comes_goes_and_comes_again_once_its_bucket_is_gone(aws: LocalAws, scripts: Scripts) -> None:
    before = steps.what_is_there(aws)
    status, said = scripts.run("deploy.py", "--yes", "--", "RotationSerial=1")
    assert status == 0, said
    s3 = aws.client("s3")
    for body in (b"1", b"2"):
        s3.put_object(Bucket=BUCKET, Key="artifact", Body=body)
    s3.delete_object(Bucket=BUCKET, Key="artifact")

    status, said = scripts.run("undeploy.py")
    assert (status, "stays" in said) == (0, True), said
    after = steps.what_is_there(aws)
    assert {kind: sorted(set(names) - set(before[kind])) for kind, names in after.items() if names != before[kind]} == {
        "buckets": [BUCKET]}

    status, said = scripts.run("deploy.py", "--yes")
    assert status == 1 and BUCKET in said and "make undeploy" in said
    assert not steps.Stack(aws, "cfn-gitops-prd").exists()

    status, said = scripts.run("undeploy.py", DELETE_BUCKET="yes")
    assert status == 1 and "CONFIRM=yes" in said
    assert BUCKET in steps.what_is_there(aws)["buckets"]
    status, said = scripts.run("undeploy.py", DELETE_BUCKET="yes", CONFIRM="yes")
    assert status == 0 and "3 versions and delete markers" in said, said
    assert steps.what_is_there(aws) == before
