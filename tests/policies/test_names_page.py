"""The names that docs/concepts/names.md reserves are those of the statements that deny them, pattern by
pattern."""

import re
from pathlib import Path

from tests.templates.deployed import as_list, source

PAGE = (Path(__file__).parents[2] / "docs/concepts/names.md").read_text()
RESOURCES = source()["Resources"]
# The page names a parameter for both forms of its secrets.
FORMS = {"MirrorSecretNames-??????": "MirrorSecretNames"}
# The page names the environment itself, and these by their parameters: they have ARNs, not patterns.
WITHOUT_A_NAME = {"AWS::StackId", "PermissionsBoundaryArn", "DeployedRolesBoundaryArn", "AWS::StackName"}
# One pattern of the boundary stands for both.
SHORTENED = {"codebuild-*-review-*", "codebuild-*-replication-*"}


def patterns(statement):
    """The names in the resources of a statement. Of an `If`, the branch that is not NoValue."""
    for resource in statement["Resource"]:
        resource = resource["Fn::If"][1] if "Fn::If" in resource else resource
        arn = resource if isinstance(resource, str) else resource.get("Fn::Sub", resource.get("Ref"))
        if ":iam:" in arn or arn in WITHOUT_A_NAME:  # The page names roles by the files.
            continue
        name = re.sub(
            r"\$\{(\w+|AWS::StackName)\}",
            lambda found: {"EnvID": "<EnvID>"}.get(found[1], found[1]),
            name_in(arn),
        )
        if name not in WITHOUT_A_NAME:
            yield FORMS.get(name, name)


def name_in(arn):
    """Without the type before it, the folder of a log group, and the ID of a stack."""
    name = re.sub(r"\$\{AWS::(Region|AccountId)\}", "*", arn).split(":", 5)[5]
    name = re.sub(
        r"^(log-group:/aws/\w+/|(rule|dashboard|project|repository|\*)/|(alarm|function|secret):)", "", name
    )
    return name.removeprefix("stack/").removesuffix("/*") if name.startswith("stack/") else name


def statements(node):
    """The statements that deny everything but reads of artifacts, logs and images."""
    if isinstance(node, dict):
        if node.get("Effect") == "Deny" and "ecr:Get*" in as_list(node.get("NotAction", [])):
            yield node
        node = [*node.values()]
    for each in node if isinstance(node, list) else []:
        yield from statements(each)


def listed(start, end):
    return set(re.findall(r"`([^`]+)`", PAGE.partition(start)[2].partition(end)[0]))


def denied(resource):
    (statement,) = statements(RESOURCES[resource])
    return {*patterns(statement)}


TABLE = listed("| Resources | Names |", "\nIAM also denies")


def test_table_has_the_names_that_the_deploy_role_cannot_change():
    assert denied("CodeDeployCFnRole") == TABLE


def test_names_to_avoid_are_those_of_the_boundary():
    everywhere = {name.replace("<EnvID>", "*") for name in TABLE - SHORTENED}
    further = {name for name in listed("Also avoid:\n", "\nIAM limits") if "*" in name}
    assert denied("DeployedRolesBoundary") == everywhere - {"MirrorSecretNames"} | further
