"""No template names the partition of the commercial regions, where GovCloud (US) has another.

tests/deployment/test_partition.py deploys one of them there. Source:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEMPLATES = [
    ROOT / "template.yaml",
    *sorted((ROOT / "templates").glob("*.yaml")),
    *sorted((ROOT / "examples").glob("*/*.yaml")),
]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_template_takes_the_partition_from_its_region(template):
    lines = [line for line in template.read_text().splitlines() if not line.lstrip().startswith("#")]
    assert [line for line in lines if re.search("arn:aws[:-]", line)] == []
