"""No policy is too long: each template with the longest value of each parameter, in each partition."""

import re

import pytest

from tests.local.policies import sizes
from tests.local.policies.sizes import length
from tests.local.policies.statements import as_list
from tests.policies import scene
from tests.policies.longest import LISTS, PARTITIONS, deployed, in_policies, longest, template_of, variants
from tests.templates.deployed import source

# Policies with a limit of their own:
# https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
DOCUMENTS = {"AWS::IAM::ManagedPolicy": sizes.MANAGED, "AWS::Organizations::Policy": 5_120}
# One policy for each resource, however many of the templates' resources its statements come from:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/add-bucket-policy.html
# https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_SetRepositoryPolicy.html
# https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
RESOURCES = {
    "s3": 20_480,
    "sns": 30_720,
    "sqs": 8_192,
    "events": 10_240,
    "ecr": 10_240,
    "kms": 32_768,
    "lambda": 20_480,
}


def measured(stack):
    """Each policy, or all policies of one principal or resource, with its limit and its length."""
    resources, together = stack.deployed.template["Resources"], {}
    for policy in stack.policies():
        kind = resources[policy.logical_id]["Type"]
        if policy.side == "trust":
            yield policy.place, sizes.TRUST, length(policy.document)
        elif kind in DOCUMENTS:
            yield policy.place, DOCUMENTS[kind], length(policy.document)
        elif policy.side == "identity":
            for principal in policy.principals:
                limit = sizes.INLINE[principal.split(":")[5].split("/")[0]]
                together.setdefault((principal, limit), []).append(policy.document)
        else:
            limit = RESOURCES[policy.resource.split(":")[2]]
            together.setdefault((policy.resource, limit), []).extend(as_list(policy.document["Statement"]))
    for (holder, limit), parts in together.items():
        yield (
            holder,
            limit,
            length(*parts)
            if "Version" in parts[0]
            else length({"Version": "2012-10-17", "Statement": parts}),
        )


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("path", scene.templates(), ids=lambda path: path.stem)
def test_policies_fit_iams_size_limits(path, partition):
    too_long = {
        (place, *given.items()): (size, limit)
        for given in variants(path)
        for place, limit, size in measured(deployed(path, partition, **given))
        if size > limit
    }
    assert too_long == {}


@pytest.mark.parametrize("path", scene.templates(), ids=lambda path: path.stem)
def test_text_in_a_policy_has_a_greatest_length(path):
    """And the longest value is one that CloudFormation accepts."""
    parameters = source(path)["Parameters"]
    for name in in_policies(template_of(path)):
        declared = parameters[name]
        pattern, value = declared.get("AllowedPattern", ".*"), longest(path, name, declared, "aws-us-gov")
        if declared["Type"] == "CommaDelimitedList":
            number, _ = LISTS[path.stem, name]
            assert f"at most {number}" in declared["Description"].lower(), name
        else:
            assert "MaxLength" in declared or not re.search(r"[\])][*+]", pattern), name
            assert len(value) == declared.get("MaxLength", len(value)), name
        for member in value.split(",") if declared["Type"] == "CommaDelimitedList" else [value]:
            assert re.fullmatch(pattern, member), (name, member)


def test_each_kind_of_policy_is_measured():
    measured_limits = {limit for path in scene.templates() for _, limit, _ in measured(deployed(path, "aws"))}
    assert {
        sizes.TRUST,
        RESOURCES["s3"],
        RESOURCES["kms"],
        *sizes.INLINE.values(),
        *DOCUMENTS.values(),
    } <= measured_limits
