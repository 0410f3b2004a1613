"""The example for Terraform: its syntax, and that the template has what it names.
tests/deployment/test_cdk.py has CDK's."""

import re
from pathlib import Path

import hcl2

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/cdk-and-terraform.md").read_text()


def test_terraform_example_names_what_the_template_has():
    [example] = re.findall(r"```hcl\n(.*?)```", PAGE, re.DOTALL)
    parsed = hcl2.loads(example)
    [stack] = [resource["aws_cloudformation_stack"]["shop"] for resource in parsed["resource"]]
    [file] = re.findall(r'file\("(.*)"\)', str(stack["template_body"]))
    parameters, outputs = (ROOT / file).read_text().split("\nParameters:\n")[1].split("\nOutputs:\n")
    [given] = stack["parameters"]
    assert [name for name in given if f"\n  {name}:\n" not in f"\n{parameters}"] == []
    [shown] = re.findall(r'outputs\["(\w+)"\]', example)
    assert f"\n  {shown}:\n" in f"\n{outputs}"
    assert stack["capabilities"] == [["CAPABILITY_NAMED_IAM"]]
    assert "This example was not run" in PAGE
