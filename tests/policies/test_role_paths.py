"""Roles with a path. No role of the templates has one: docs/project/decisions/2026-11-22-no-role-paths.md."""

import pytest

from tests.policies import scene
from tests.policies.rows_limits import DEPLOY, WITH_BOUNDARY
from tests.policies.scene import PIPELINES
from tests.policies.tables import role
from tests.templates.deployed import TEMPLATE, TEMPLATES, source

PROVISIONING = role(PIPELINES, "role-dev-cfn-gitops-provisioning")
DEPLOYED = f"{role(PIPELINES, 'role-dev-thumbnails')} under the boundary"
TO_A_BUILD = {"iam:PassedToService": "codebuild.amazonaws.com"}
TO_A_FUNCTION = {"iam:PassedToService": "lambda.amazonaws.com"}
CHANGES = "iam:CreateRole iam:PutRolePolicy iam:AttachRolePolicy iam:UpdateAssumeRolePolicy iam:DeleteRole"


def calls(name):
    return [
        (PROVISIONING, "iam:PassRole", role(PIPELINES, name), TO_A_BUILD),
        (DEPLOY, "iam:PassRole", role(PIPELINES, name), TO_A_FUNCTION),
        *[(DEPLOY, action, role(PIPELINES, name), WITH_BOUNDARY) for action in CHANGES.split()],
        (DEPLOYED, "iam:PassRole", role(PIPELINES, name), TO_A_FUNCTION),
        (DEPLOYED, "sts:AssumeRole", role(PIPELINES, name), {}),
    ]


@pytest.mark.parametrize("name", [
    "x/role-dev-y", "role/role-dev-y", "x/cfnstack-dev-y", "x/role-dev-codebuild-cfn",
    # IAM's star also matches a slash.
    "role-dev-tools/admin", "cfnstack-dev-x/y/admin", "role-dev-tools/role-dev-y",
])
def test_role_with_a_path_belongs_to_no_environment(name):
    assert [call for call in calls(name) if scene.world().may(*call)] == []


@pytest.mark.parametrize("path", [TEMPLATE, *sorted(TEMPLATES.glob("*.yaml"))], ids=lambda path: path.stem)
def test_no_template_gives_a_path(path):
    resources = source(path)["Resources"]
    assert [name for name, resource in resources.items() if "Path" in resource.get("Properties", {})] == []
