"""No template names the partition or the domain of the commercial regions where China or GovCloud (US) has
another.

tests/deployment/test_partition.py deploys one of them in China. Sources:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
https://docs.amazonaws.cn/en_us/aws/latest/userguide/endpoints-arns.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-services
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
_DOMAIN = re.compile(r"[\w.:${}/*-]*(?:amazonaws\.com|\$\{AWS::URLSuffix\})[\w.]*")
# `ec2` is the only service here whose principal has another name in China:
# https://github.com/aws/aws-cdk/blob/v2.1.0/packages/@aws-cdk/region-info/lib/default.ts
_PRINCIPAL = re.compile(r"(?!ec2\.)[a-z-]+\.amazonaws\.com|ec2\.\$\{AWS::URLSuffix\}")
# kms:ViaService, and git's host.
_HOST = re.compile(r"(https://git-)?[a-z0-9]+\.(\$\{AWS::Region\}|\$region)\.\$\{AWS::URLSuffix\}(/.*)?")
# A path of roles: https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
_PATH = re.compile(r"arn:\$\{AWS::Partition\}:iam::\*:role/aws-reserved/sso\.amazonaws\.com")


def content(template: Path) -> str:
    """The template without its comments."""
    return "\n".join(line for line in template.read_text().splitlines() if not line.lstrip().startswith("#"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_template_takes_partition_and_domain_from_its_region(template):
    text = content(template)
    assert re.findall(r".*arn:aws[:-].*", text) == []
    domains = [found for found in _DOMAIN.findall(text) if "docs.aws" not in found]
    assert [
        each for each in domains if not any(form.fullmatch(each) for form in (_PRINCIPAL, _HOST, _PATH))
    ] == []


@pytest.mark.parametrize(
    "wrong",
    [
        "ec2.amazonaws.com",
        "codecommit.${AWS::URLSuffix}",
        "sns.${AWS::Region}.amazonaws.com",
        "git-codecommit.$region.amazonaws.com",
    ],
)
def test_literal_that_china_does_not_have_is_found(wrong):
    [found] = _DOMAIN.findall(f"            Principal: {{ Service: {wrong} }}")
    assert not any(form.fullmatch(found) for form in (_PRINCIPAL, _HOST, _PATH))
