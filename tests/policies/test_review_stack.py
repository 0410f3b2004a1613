"""The resources that Review adds to a child stack, with the policies of template.yaml.

The rendered templates have the names that the function gives them, and the policies name them by patterns.
tests/deployment/test_reviews.py deploys them with these policies.
"""

import pytest

from tests.policies import scene
from tests.policies.tables import BUCKET, FUNCTION_ROLE
from tests.templates.deployed import Deployed
from tests.templates.renderings import rendering

UUID = "5f1d2c90-0000-4000-8000-000000000001"


def child_stack(name="review"):
    return Deployed(template=rendering(name), stack_name="gitops-dev-shop", EnvID="dev", ProjectID="shop")


def denied(caller, actions, resource):
    return [action for action in actions.split() if not scene.world().may(caller, action, resource, {})]


# claim: review-build-reaches-only-its-own-output
def test_build_of_a_review_works_with_its_role():
    review = child_stack()
    project = review.properties("ReviewProject")
    caller, artifacts = project["ServiceRole"], project["Artifacts"]
    assert f"arn:aws:s3:::{artifacts['Location']}" == BUCKET
    assert (artifacts["NamespaceType"], artifacts["Name"], artifacts["Packaging"]) == (
        "BUILD_ID",
        "/",
        "NONE",
    )
    output = f"{BUCKET}/{artifacts['Path']}/{UUID}/root-stack-shop.yaml"
    assert denied(caller, "s3:PutObject", output) == []
    assert denied(caller, "s3:GetObject s3:DeleteObject", output) == ["s3:GetObject", "s3:DeleteObject"]
    assert denied(caller, "codecommit:GitPull", review.arn("Repository")) == []
    log = review.arn("ReviewLogGroup").removesuffix(":*")
    assert denied(caller, "logs:CreateLogStream logs:PutLogEvents", f"{log}:log-stream:{UUID}") == []
    assert project["LogsConfig"]["CloudWatchLogs"]["GroupName"] == log.rpartition("log-group:")[2]
    # The function reads it there.
    assert denied(FUNCTION_ROLE, "s3:GetObject s3:GetObjectVersion", output) == []


# claim: review-build-reaches-only-its-own-output
@pytest.mark.parametrize("name", ["review", "review-and-drift"])
def test_build_of_a_review_gets_no_secret_and_no_cache(name):
    project = child_stack(name).properties("ReviewProject")
    assert {variable["Type"] for variable in project["Environment"]["EnvironmentVariables"]} == {"PLAINTEXT"}
    assert (
        not {"Cache", "VpcConfig", "SecondarySources", "SecondaryArtifacts", "FileSystemLocations"}
        & project.keys()
    )
    assert project["Environment"]["PrivilegedMode"] is False
    assert project["Visibility"] == "PRIVATE"
