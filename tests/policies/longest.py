"""Each template with the longest value of every parameter that its policies contain."""

import re

from tests.policies import scene
from tests.policies.collected import COLLECTORS, Stack
from tests.templates.deployed import ACCOUNT, TEMPLATE, Deployed, as_list, source, translated

# Partitions, and the longest region of each that has CodeCommit or CodePipeline.
PARTITIONS = {"aws": "ap-southeast-2", "aws-us-gov": "us-gov-west-1"}
# EnvIDGuard's name contains it: a managed policy's name has at most 128 characters.
STACK_NAME = "s" * 97
# A role's ID:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
ATTRIBUTES = {"ReviewCodeBuildCFnRole.RoleId": "AROA" + "A" * 17}

# CloudFormation has MaxLength for strings only. A list's description has the number and the length of its
# members.
LISTS = {
    ("template", "DeployPolicyArns"): (9, "arn:{partition}:iam::{account}:policy/" + "p" * 64),
    ("template", "SourceRoleArns"): (10, "arn:{partition}:iam::{account}:role/" + "r" * 64),
    ("template", "ArtifactBucketArns"): (5, "arn:{partition}:s3:::" + "b" * 63),
    ("template", "ArtifactKeyArns"): (5, "arn:{partition}:kms:{region}:{account}:key/" + "k" * 36),
    ("branch-protection", "ProtectedBranches"): (20, "b" * 60),
    ("branch-protection", "ApproverArns"): (15, "arn:{partition}:iam::{account}:user/" + "u" * 32),
    ("branch-protection", "ExemptPrincipalArns"): (5, "arn:{partition}:iam::{account}:role/" + "r" * 32),
    ("people", "ProtectedBranches"): (30, "b" * 64),
    ("clone-role", "RepositoryArns"): (20, "arn:{partition}:codecommit:{region}:{account}:" + "r" * 100),
    ("clone-role", "VpcEndpointIds"): (20, "vpce-" + "0" * 17),
    ("cross-account-repository", "RepositoryArns"): (
        15,
        "arn:{partition}:codecommit:{region}:{account}:" + "r" * 100,
    ),
    ("cross-account-repository", "FurtherRoleArns"): (5, "arn:{partition}:iam::{account}:role/" + "r" * 64),
}
# The beginning of a value, if the pattern does not accept letters alone. The rest is filled up to MaxLength.
BEGINNINGS = {
    "ApprovalTopicArn": "arn:{partition}:sns:{region}:{account}:",
    "BuildParameterNames": "/",
    "DeployedRolesBoundaryArn": "arn:{partition}:iam::{account}:policy/",
    "GitLabTokenKmsKeyArn": "arn:{partition}:kms:{region}:{account}:key/",
    "MirrorSecretKmsKeyArn": "arn:{partition}:kms:{region}:{account}:key/",
    "PermissionsBoundaryArn": "arn:{partition}:iam::{account}:policy/o",
    "RepositoryKmsKeyArn": "arn:{partition}:kms:{region}:{account}:key/",
    "ArtifactKeyArn": "arn:{partition}:kms:{region}:{account}:key/",
    "TriggerFunctionArn": "arn:{partition}:lambda:{region}:{account}:function:",
}
FIXED = {"ReplicaRegion": "aa-" + "a" * 20 + "-1"}


def _texts(node):
    """The parameters and resources whose values a document contains, under any condition."""
    if isinstance(node, list):
        for value in node:
            yield from _texts(value)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref":
                yield value
            elif key == "Fn::Sub":
                yield from re.findall(r"\$\{(\w+)\}", value if isinstance(value, str) else value[0])
                yield from _texts([] if isinstance(value, str) else value[1])
            else:
                yield from _texts(value[1:] if key == "Fn::If" else value)


def in_policies(template):
    """The parameters whose values are in a policy of the template."""
    properties = [
        each.get("Properties", {}) for each in template["Resources"].values() if each["Type"] in COLLECTORS
    ]
    documents = [
        value
        for each in properties
        for key, value in each.items()
        if key not in ("ManagedPolicyArns", "PermissionsBoundary", "Tags", "TargetIds")
    ]
    return template["Parameters"].keys() & set(_texts(documents))


def longest(path, name, declaration, partition):
    """The longest value that a parameter accepts."""
    words = {"partition": partition, "region": PARTITIONS[partition], "account": ACCOUNT}
    if name in FIXED:
        return FIXED[name]
    if (path.stem, name) in LISTS:
        number, member = LISTS[path.stem, name]
        return ",".join([member.format(**words)] * number)
    if declaration.get("AllowedPattern", "").strip("()?") == "[0-9]{12}":
        return ACCOUNT
    return BEGINNINGS.get(name, "").format(**words).ljust(declaration.get("MaxLength", 63), "a")


def template_of(path):
    return translated() if path == TEMPLATE else source(path)


def variants(path):
    """Values to try: none, and each optional one left out or chosen otherwise. A default may make a longer
    policy."""
    template = template_of(path)
    yield {}
    for name, declaration in template["Parameters"].items():
        if declaration.get("Default") == "" and name in in_policies(template):
            yield {name: ""}
        yield from ({name: value} for value in declaration.get("AllowedValues", []))


def deployed(path, partition, **given):
    """The stack with everything switched on (scene.py), and with these values."""
    template = template_of(path)
    switched_on = scene.stacks()[path.stem].deployed.values
    values = {name: ",".join(as_list(switched_on[name])) for name in template["Parameters"]}
    values |= {
        name: longest(path, name, template["Parameters"][name], partition) for name in in_policies(template)
    } | given
    found = Deployed(
        PARTITIONS[partition], template, STACK_NAME, attributes=ATTRIBUTES, partition=partition, **values
    )
    found.values["AWS::StackId"] = (
        f"arn:{partition}:cloudformation:{found.region}:{ACCOUNT}:stack/{STACK_NAME}/{'0' * 36}"
    )
    return Stack(path.stem, found)
