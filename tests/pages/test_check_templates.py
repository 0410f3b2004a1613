"""docs/how-to/check-templates.md: a build rejects a template by the rules of the page. npm downloads 12
MB."""

import shutil
from importlib import metadata

import pytest

from tests.deployment.pages import blocks
from tests.play.mirroring import MirroredProject
from tests.play.pipelines import with_resources
from tests.play.steps import ROOT

PAGE = ROOT / "docs/how-to/check-templates.md"
USER = "  Deployer:\n    Type: AWS::IAM::User\n"


@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")
def test_build_rejects_a_template_that_breaks_a_rule(infra: MirroredProject) -> None:
    (rules, expected), [added] = blocks(PAGE, "text"), blocks(PAGE, "yaml")
    # Installed here already.
    install = f"      - pip install --quiet cfn-lint=={metadata.version('cfn-lint')}\n"
    assert install in added
    buildspec = infra.buildspec.replace("phases:\n", added.replace(install, ""))

    kept = infra.push_only(buildspec=buildspec, further={"rules/policy.guard": rules}).commit
    assert infra.deploy(kept) == "Succeeded", infra.said()
    template = with_resources().replace("Resources:\n", f"Resources:\n{USER}")
    rejected = infra.push_only(
        buildspec=buildspec, template=template, further={"rules/policy.guard": rules}
    ).commit
    execution = infra.execution_of(rejected)
    assert infra.ended(execution) == "Failed"
    assert "validate --rules rules --data template.yaml. Reason: exit status 19" in infra.said()
    printed = {" ".join(line.split()) for line in infra.build_log().splitlines()}
    assert {" ".join(line.split()) for line in expected.splitlines()} <= printed
    assert infra.deployed_commit() == kept
