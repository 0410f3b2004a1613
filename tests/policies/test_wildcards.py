"""Every remaining wildcard of a policy has an explanation beside it.

A name of the scheme (<kind>-<EnvID>-...) and the objects of a bucket need no explanation: see the top
of template.yaml. Any wider pattern needs a comment in its statement or right above it, before the
wildcard.
"""

import re

import pytest
import yaml

from tests.policies import collected, scene
from tests.templates import named
from tests.templates.deployed import REGION, as_list
from tests.templates.named import regional, secret

ELEMENTS = ("Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal")
# The text before the first wildcard, if it names an environment, a parameter or a bucket.
NARROW = re.compile(r"\$\{(EnvID|Names|\w*Names|\w+\.Arn|\w*BucketName|MirrorUserNames)\}[^*?]*$")


def nodes(node):
    yield node
    values = [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else node.value
    for value in [] if isinstance(node, yaml.ScalarNode) else values:
        yield from nodes(value)


def is_statement(node):
    keys = {key.value for key, _ in node.value} if isinstance(node, yaml.MappingNode) else set()
    return "Effect" in keys and bool(keys & {"Action", "NotAction"})


def scalars(node):
    return [each for each in nodes(node) if isinstance(each, yaml.ScalarNode)]


def wide(statement):
    for key, value in statement.value:
        if key.value in ELEMENTS:
            for scalar in scalars(value):
                before, wildcard, _ = re.match(r"([^*?]*)([*?]?)(.*)", scalar.value, re.DOTALL).groups()
                if wildcard and not NARROW.search(before):
                    yield key.value, scalar


def is_explained(lines, statement, scalar):
    """PyYAML counts lines from 0."""
    first = statement.start_mark.line
    inside = lines[first : scalar.start_mark.line]
    above = lines[first - 1] if first else ""
    return any(line.strip().startswith("#") for line in [above, *inside])


def written(path):
    """The statements of policies, anywhere in the document."""
    return filter(is_statement, nodes(yaml.compose(path.read_text(), Loader=yaml.CSafeLoader)))


def unexplained(path):
    lines = path.read_text().splitlines()
    for statement in written(path):
        for element, scalar in wide(statement):
            if not is_explained(lines, statement, scalar):
                yield f"{path.name}:{scalar.start_mark.line + 1}: {element} {scalar.value}"


@pytest.mark.parametrize("path", scene.templates(), ids=lambda path: path.stem)
def test_every_wildcard_is_explained(path):
    assert list(unexplained(path)) == []


def test_a_wildcard_without_a_word_is_found(tmp_path):
    template = tmp_path / "silent.yaml"
    template.write_text('Statement:\n  - Effect: Allow\n    Action: s3:GetObject\n    Resource: "*"\n')
    assert list(unexplained(template)) == ["silent.yaml:4: Resource *"]


# The only "*" in an Allow. Each of these actions cannot be limited.
EVERYTHING = {
    "ecr:GetAuthorizationToken": "IAM has no resource for a registry",
    "cloudformation:DescribeType": "IAM has no resource for AWS's resource types",
    "cloudformation:ValidateTemplate": "IAM has no resource for a template under test",
    **dict.fromkeys(named.APPROVAL_TEMPLATES.split(), "IAM has no resource for an approval rule template"),
    **dict.fromkeys(
        f"{named.LISTS} {named.LISTS_OF_THE_HEALTH_CHECK} {named.SEEN_INTERFACES}".split(),
        "a list of all that there are",
    ),
}
# A parameter's or AWS's own resource.
OTHERS = [
    named.KEY,
    named.TOKEN_KEY,
    named.FOREIGN_KEY,
    named.APPROVAL_TOPIC,
    named.SECOND_BUCKET,
    regional("ssm", "parameter/build/dev/*"),
    secret("build/dev/*-??????"),
    # "include all resource IDs": https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    regional("ec2", "*/*"),
    # A mirror's stack may have any name.
    regional("cloudformation", "stack/*"),
    # An alarm that a pipeline deploys may have any name.
    regional("cloudwatch", "alarm:*"),
    # With the condition that it decrypts a secret that the function may read.
    regional("kms", "key/*"),
    # With the condition that the secret has the tag of a token.
    secret("*"),
    f"arn:aws:cloudformation:{REGION}:aws:transform/*",
    regional("logs", "log-group:/aws/lambda/cfn-gitops-dev:*"),
]


# claim: every-statement-names-its-actions-and-its-resources
@pytest.mark.parametrize(
    "policy",
    [policy for policy in scene.stacks()["template"].policies() if policy.side == "identity"],
    ids=lambda policy: policy.place,
)
def test_every_statement_names_actions_and_resources(policy):
    for statement in collected.statements(policy):
        if statement["Effect"] == "Deny":
            continue
        assert not {"NotAction", "NotResource"} & statement.keys(), statement
        assert not [action for action in as_list(statement["Action"]) if "*" in action], statement
        if "*" in as_list(statement["Resource"]):
            assert set(as_list(statement["Action"])) <= EVERYTHING.keys(), statement
        else:
            for resource in as_list(statement["Resource"]):
                fixed = resource.split("*")[0]
                assert resource.startswith("arn:aws:"), resource
                is_of_the_environment = "-dev-" in fixed or "-dev/" in fixed or fixed.endswith("-dev")
                assert (
                    is_of_the_environment or resource in OTHERS or fixed.startswith(f"{named.SECOND_BUCKET}/")
                ), resource
