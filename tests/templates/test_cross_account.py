"""The stacks of a source and an image in another account: each names the resources that the other creates.

tests/policies evaluates the calls of each principal through all of them, action by action.
"""

import json
import re

import pytest

from tests.templates.across_accounts import (
    IMAGES,
    LONGEST,
    LONGEST_REGION,
    REPOSITORIES,
    SHOP,
    artifacts,
    image,
    parameters_of,
    project,
    repository,
    to_bucket,
)
from tests.templates.deployed import TEMPLATES, Deployed, source


@pytest.mark.parametrize(
    ("accounts", "roles"),
    [
        (
            {},
            [
                f"arn:aws:iam::{REPOSITORIES}:role/role-dev-codecommit-source",
                f"arn:aws:iam::{IMAGES}:role/role-dev-ecr-source",
            ],
        ),
        ({"ImageAccountId": ""}, [f"arn:aws:iam::{REPOSITORIES}:role/role-dev-codecommit-source"]),
        ({"RepositoryAccountId": ""}, [f"arn:aws:iam::{IMAGES}:role/role-dev-ecr-source"]),
    ],
)
def test_environment_parameters_are_artifact_stack_outputs(accounts, roles):
    outputs = parameters_of(artifacts(**accounts).outputs()["EnvironmentParameters"]["Value"])
    assert outputs["SourceRoleArns"].split(",") == roles
    declared = source()["Parameters"]
    for name, value in outputs.items():
        for member in value.split(","):
            assert re.fullmatch(declared[name]["AllowedPattern"], member), (name, member)


@pytest.mark.parametrize("name", ["cross-account-repository", "cross-account-image"])
def test_other_account_gets_the_outputs_of_the_artifact_stack(name):
    outputs = parameters_of(artifacts().outputs()["OtherAccountsParameters"]["Value"])
    declared = source(TEMPLATES / f"{name}.yaml")["Parameters"]
    assert {each for each, parameter in declared.items() if "Default" not in parameter} - {
        "RepositoryArns"
    } == outputs.keys()
    for each, value in outputs.items():
        # KMS generates a key's ID. Here it is the logical ID.
        assert re.fullmatch(declared[each]["AllowedPattern"], value), (each, value)


def test_project_imports_exports_of_environment_and_artifacts():
    exports = {
        output["Export"]["Name"]
        for stack in (Deployed(EnvID="dev"), artifacts())
        for output in stack.outputs().values()
        if "Export" in output
    }
    elsewhere = project(RepositoryAccountId=REPOSITORIES).properties("Pipeline")
    imported = set(re.findall(r"import:([\w-]+)", json.dumps(elsewhere)))
    assert imported <= exports
    assert imported == {
        "cfn-gitops-dev-ServiceToken",
        "cfn-gitops-dev-CrossAccountBucketName",
        "cfn-gitops-dev-CrossAccountKeyArn",
    }
    # Every export has an importer.
    assert {o["Export"]["Name"] for o in artifacts().outputs().values() if "Export" in o} <= imported


def test_project_reads_with_the_created_roles():
    properties = project(
        RepositoryAccountId=REPOSITORIES, ImageAccountId=IMAGES, ImageRepositoryName="ecr-dev-image"
    ).properties("Pipeline")
    assert properties["Source"] == {"RepositoryArn": SHOP, "RoleArn": repository().arn("SourceRole")}
    assert properties["ImageSource"] == {
        "RepositoryArn": image().arn("Repository"),
        "RoleArn": image().arn("SourceRole"),
        "ImageTag": "latest",
    }


def test_repository_of_another_account_has_no_mirror_and_no_user():
    gitlab = {"GitLabProject": "platform/shop", "GitLabTokenSecretId": "gitlab/shop"}
    of_the_mirror = {"MirrorUser", "MirrorUserPolicy", "MirrorCredential", "MirrorRotation"}
    here, elsewhere = project(**gitlab), project(**gitlab, RepositoryAccountId=REPOSITORIES)
    made = [
        {name for name in stack.template["Resources"] if stack.is_made(name)} for stack in (here, elsewhere)
    ]
    assert made[0] - made[1] == of_the_mirror
    assert here.outputs().keys() - elsewhere.outputs().keys() == {"SecretName", "RepositoryCloneUrl"}


def test_the_longest_names_are_not_too_long():
    """test_all_templates.py has the limits of the other resources."""
    longest = artifacts(LONGEST_REGION, EnvID=LONGEST["EnvID"])
    assert len(longest.name("ArtifactBucket")) == 63
    for logical_id in longest.of_type("AWS::Events::EventBusPolicy"):
        assert len(longest.properties(logical_id)["StatementId"]) <= 64


def test_fifteen_repositories_fit_into_the_rule():
    """tests/policies/test_sizes.py has the policies."""
    arns = [
        f"arn:aws:codecommit:{LONGEST_REGION}:{REPOSITORIES}:{number:02}{'r' * 50}" for number in range(15)
    ]
    stack = repository(RepositoryArns=",".join(arns), BranchNames="development,master")
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
    # AWS's count is without white space.
    assert len(json.dumps(stack.properties("ForwardRule")["EventPattern"], separators=(",", ":"))) <= 2048


def test_other_account_may_write_artifacts_of_the_bucket_deployment():
    """CodePipeline cuts a pipeline's name to 20 characters.
    tests/deployed_templates/test_bucket_deployment.py runs it."""
    for names in ({}, LONGEST):
        assert to_bucket(**names).name("Pipeline")[:20].startswith("codepipeline-")
