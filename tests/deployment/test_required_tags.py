"""An organization that denies to create anything without the tag CostCenter: templates/project.yaml with
ResourceTags."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.pages import Folder, blocks, clone, project_table
from tests.local.aws import LocalAws
from tests.play import steps
from tests.play.steps import ROOT, Environment, Stack
from tests.policies.test_tags_page import rows

TEMPLATE = ROOT / "templates/project.yaml"
# Of each creating call that carries the tags, also of those that CloudFormation makes.
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Action": sorted(call for call, tags in rows(0).items() if tags.startswith("yes")),
            "Resource": "*",
            "Condition": {"Null": {"aws:RequestTag/CostCenter": "true"}},
        }
    ],
}
[PAGE] = blocks(ROOT / "docs/how-to/tags.md", "toml")
_, TAGS_LINE, _, _, RESOURCE_TAGS, _ = ("", *PAGE.splitlines())
# Of a tag beyond ASCII, CloudFormation shows other letters.
TAGS = {"CostCenter": "42", "Cost Group": "Team A"}
FUNCTION = "role-dev-cfn-gitops"
PROVISIONING = f"{FUNCTION}-provisioning"


class Organization:
    """Its policy, as an inline policy of the roles: the local AWS has no service control policies."""

    def __init__(self, aws: LocalAws) -> None:
        self._aws, self._iam, self._denied = aws, aws.client("iam"), list[str]()

    def denies(self, role: str) -> None:
        self._iam.put_role_policy(RoleName=role, PolicyName="tags", PolicyDocument=json.dumps(POLICY))
        self._denied.append(role)
        self._aws.put_iam_into_effect()

    def ends(self) -> None:
        for role in self._denied:
            self._iam.delete_role_policy(RoleName=role, PolicyName="tags")
        self._aws.put_iam_into_effect()


@pytest.fixture
def organization(aws: LocalAws, environment: Environment) -> Iterator[Organization]:
    organization = Organization(aws)
    yield organization
    organization.ends()


def as_map(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


@pytest.mark.usefixtures("expected_denials")
def test_resource_tags_satisfy_a_policy_that_requires_them(
    aws: LocalAws, organization: Organization, name: str, tmp_path: Path
) -> None:
    before, stack = steps.what_is_there(aws), Stack(aws, f"project-dev-{name}")
    organization.denies(PROVISIONING)
    assert stack.create(TEMPLATE, EnvID="dev", ProjectID=name) == "ROLLBACK_COMPLETE"
    [reason, *_] = stack.failures()
    assert "with an explicit deny" in reason and "ResourceTags of the templates - CFG-501" in reason
    assert stack.delete() == "DELETE_COMPLETE" and steps.what_is_there(aws) == before

    organization.denies(FUNCTION)
    stack = Stack(aws, f"project-dev-{name}")
    table = project_table(RESOURCE_TAGS, of_gitlab=False).replace("shop", name)
    table = table.replace("\n", f"\n{TAGS_LINE}\n", 1)
    Folder(aws, clone(tmp_path / "clone"), tmp_path).deploy(table)
    child = Stack(aws, f"gitops-dev-{name}")
    secret = aws.client("secretsmanager").describe_secret(SecretId=stack.outputs()["SecretName"])
    codecommit = aws.client("codecommit")
    arn = codecommit.get_repository(repositoryName=stack.outputs()["RepositoryName"])["repositoryMetadata"][
        "Arn"
    ]
    created_by = {"CreatedBy": stack.name}
    assert (TAGS | created_by).items() <= as_map(secret["Tags"]).items()
    assert (TAGS | created_by).items() <= as_map(child.describe()["Tags"]).items()
    user = aws.client("iam").list_user_tags(UserName=f"user-dev-{name}-mirror")["Tags"]
    assert TAGS.items() <= as_map(user).items()
    assert (TAGS | {"CreatedBy": child.name}).items() <= codecommit.list_tags_for_resource(resourceArn=arn)[
        "tags"
    ].items()

    # The record of the deletion is a secret too.
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert steps.what_is_there(aws) == before
    marks = [mark for mark in steps.deletion_marks(aws) if f"/deletions/{name}-" in mark]
    tags_of = [as_map(aws.client("secretsmanager").describe_secret(SecretId=mark)["Tags"]) for mark in marks]
    assert len(tags_of) == 2 and any((TAGS | created_by).items() <= each.items() for each in tags_of), tags_of
