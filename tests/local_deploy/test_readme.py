"""The README's example is deployed as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from local_aws import LocalAws
from local_deploy import steps
from local_deploy.conftest import Witness
from local_deploy.steps import ROOT, Environment, Stack, Working


def test_the_example_of_another_stack_is_deployed_pushes_and_goes(aws: LocalAws, environment: Environment,
                                                                 witness: Witness, tmp_path: Path) -> None:
    [example] = [block for block in re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
                 if "Custom::MirrorCredential" in block]
    before, stack = steps.what_is_there(aws), Stack(aws, "website")
    assert stack.create(example) == "CREATE_COMPLETE", stack.failures()
    witness.learns(aws)
    outputs = stack.outputs()
    pushed = Working(tmp_path / "work").push(steps.login(aws, outputs["SecretName"]), outputs["CloneUrl"])
    assert pushed.accepted, pushed.output
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert steps.what_is_there(aws) == before
