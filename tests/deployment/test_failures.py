"""`cfn-gitops failures` of a project: its own stack, a build and a deployment that fail."""

import os
import subprocess
import sys
from pathlib import Path

from tests.deployment.test_status import observer
from tests.local.aws import LocalAws
from tests.play.mirroring import FurtherProject, Source
from tests.play.pipelines import PROJECT
from tests.play.steps import ROOT, Environment, eventually

FAILING = "version: 0.2\nphases: {build: {commands: [make package]}}\n"
# The role of deployments may not create it.
DENIED = (
    (PROJECT / "template.yaml")
    .read_text()
    .replace("Resources:\n", "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n")
)


def failures(aws: LocalAws, *arguments: str, **user: str) -> list[str]:
    """The printed lines of a command that ends with status 1, without the first one."""
    ran = subprocess.run(
        [sys.executable, "-m", "cli", "failures", *arguments, "--env", "dev"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        env={**os.environ, **aws.environment(), **user},
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (1, ""), ran
    return ran.stdout.splitlines()[1:]


def test_cause_of_each_failure_is_printed_first(
    aws: LocalAws, environment: Environment, source: Source, name: str, tmp_path: Path
) -> None:
    shop, own = FurtherProject(aws, "dev", name, tmp_path, source), f"project-dev-{name}"
    aws.client("secretsmanager").put_secret_value(SecretId=source.secret_id, SecretString="glpat-unknown")
    assert shop.create() == "ROLLBACK_COMPLETE"
    problem = f"Project {name}: stack {own}: its status is ROLLBACK_COMPLETE: its creation failed"
    first, resource, *rest = failures(aws, name)
    assert (first.split(":")[0], rest) == (f"Stack {own}", [problem]) and "CFG-406" in resource, resource
    # An observer may not read the stack's events.
    reader = observer(aws, name)
    assert failures(aws, name, **reader)[0::2] == [f"Stack {own} is in ROLLBACK_COMPLETE", problem]
    assert shop.stack.delete() == "DELETE_COMPLETE"
    aws.client("secretsmanager").put_secret_value(SecretId=source.secret_id, SecretString=source.gitlab.token)
    assert shop.create() == "CREATE_COMPLETE", shop.stack.failures()

    failed = shop.execution_of(shop.push(buildspec=FAILING).commit)
    assert shop.ended(failed) == "Failed"
    assert failures(aws, name, **reader)[0].startswith(f"Project {name}: Build failed: ")
    commit = shop.push(template=DENIED).commit
    failed = shop.execution_of(commit)
    shop.decide(failed)
    assert shop.ended(failed) == "Failed"
    lines = failures(aws, name, **reader)
    assert lines[0].startswith(f"Project {name}: Deploy failed: ") and "Topic" in lines[0]
    [note] = eventually(lambda: source.project.commit_notes(commit), "the failure is shown")
    assert "- `Topic` (`AWS::SNS::Topic`): `pipelines may not call sns:CreateTopic. " in note.body
    assert any(
        line.startswith("  Topic (AWS::SNS::Topic): ") for line in failures(aws, f"cfnstack-dev-{name}")
    )
    assert shop.stack.delete() == "DELETE_COMPLETE", shop.stack.failures()
    assert shop.deployed.delete() == "DELETE_COMPLETE", shop.deployed.failures()
