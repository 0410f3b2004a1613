"""The resources that Review adds to a child stack, with the policies of template.yaml.

The rendered templates have the names that the function gives them, and the policies name them by patterns.
"""

import json
import re
from pathlib import Path

import pytest

from tests.policies import scene
from tests.policies.rows_environment import BUCKET
from tests.policies.scene import PIPELINES
from tests.policies.tables import ASSUME, BUILDS, EVENTS, role
from tests.templates.deployed import Deployed
from tests.templates.named import MADE_BUILD_PROJECTS, MADE_LOG_GROUPS, MADE_RULES
from tests.templates.renderings import rendering

EVENT = json.loads((Path(__file__).parents[2] / "events/build-state-change.json").read_text())
PROVISIONING, STARTS = role(PIPELINES, "role-dev-cfn-gitops-provisioning"), role(PIPELINES, "role-dev-eventbridge-codepipeline-exec")
UUID = "5f1d2c90-0000-4000-8000-000000000001"


def child_stack(name="review", project="shop"):
    return Deployed(template=rendering(name), stack_name=f"gitops-dev-{project}", EnvID="dev", ProjectID=project)


@pytest.fixture(scope="module")
def review():
    return child_stack()


def denied(caller, actions, resource, keys=None):
    return [action for action in actions.split() if not scene.world().may(caller, action, resource, keys or {})]


def test_provisioning_role_creates_each_resource_of_reviews(review):
    for name, actions in (("ReviewProject", MADE_BUILD_PROJECTS), ("ReviewLogGroup", MADE_LOG_GROUPS), ("ReviewRule", MADE_RULES)):
        assert denied(PROVISIONING, actions, review.arn(name).removesuffix(":*")) == [], name
    assert denied(PROVISIONING, "iam:PassRole", review.properties("ReviewProject")["ServiceRole"], {"iam:PassedToService": BUILDS}) == []
    (target,) = review.properties("ReviewRule")["Targets"]
    assert denied(PROVISIONING, "iam:PassRole", target["RoleArn"], {"iam:PassedToService": EVENTS}) == []


def test_rule_of_a_review_starts_its_build_with_its_role(review):
    (target,) = review.properties("ReviewRule")["Targets"]
    assert target["Arn"] == review.arn("ReviewProject")
    assert target["RoleArn"] == STARTS
    from_the_rule = {"aws:SourceAccount": PIPELINES, "aws:SourceArn": review.arn("ReviewRule")}
    assert scene.world().may(EVENTS, ASSUME, target["RoleArn"], from_the_rule)
    assert scene.world().may(STARTS, "codebuild:StartBuild", target["Arn"], {})
    # A key of StartBuild that ends in Override would change the commands or the role of the build.
    transformed = json.loads(re.sub("<[a-z]+>", "a", target["InputTransformer"]["InputTemplate"]))
    assert transformed == {"sourceVersion": "refs/heads/a^{a}"}


def test_only_review_projects_get_the_review_role(review):
    source = {"aws:SourceAccount": PIPELINES}
    roles = {name: review.properties(name)["ServiceRole"] for name in ("ReviewProject", "BuildProject")}
    assert roles == {"ReviewProject": role(PIPELINES, "role-dev-review-codebuild-cfn"), "BuildProject": role(PIPELINES, "role-dev-codebuild-cfn")}
    for project in roles:
        for other, arn in roles.items():
            assumed = bool(scene.world().may(BUILDS, ASSUME, arn, {**source, "aws:SourceArn": review.arn(project)}))
            assert assumed == (project == other), (project, arn)


# claim: review-build-reaches-only-its-own-output
def test_build_of_a_review_works_with_its_role(review):
    project = review.properties("ReviewProject")
    caller, artifacts = project["ServiceRole"], project["Artifacts"]
    assert f"arn:aws:s3:::{artifacts['Location']}" == BUCKET
    assert (artifacts["NamespaceType"], artifacts["Name"], artifacts["Packaging"]) == ("BUILD_ID", "/", "NONE")
    output = f"{BUCKET}/{artifacts['Path']}/{UUID}/root-stack-shop.yaml"
    assert denied(caller, "s3:PutObject", output) == []
    assert denied(caller, "s3:GetObject s3:DeleteObject", output) == ["s3:GetObject", "s3:DeleteObject"]
    assert denied(caller, "codecommit:GitPull", review.arn("Repository")) == []
    log = review.arn("ReviewLogGroup").removesuffix(":*")
    assert denied(caller, "logs:CreateLogStream logs:PutLogEvents", f"{log}:log-stream:{UUID}") == []
    assert project["LogsConfig"]["CloudWatchLogs"]["GroupName"] == log.rpartition("log-group:")[2]
    # The function reads it there.
    assert denied(role(PIPELINES, "role-dev-cfn-gitops"), "s3:GetObject s3:GetObjectVersion", output) == []


# claim: review-build-reaches-only-its-own-output
@pytest.mark.parametrize("name", ["review", "review-and-drift"])
def test_build_of_a_review_gets_no_secret_and_no_cache(name):
    project = child_stack(name).properties("ReviewProject")
    assert {variable["Type"] for variable in project["Environment"]["EnvironmentVariables"]} == {"PLAINTEXT"}
    assert not {"Cache", "VpcConfig", "SecondarySources", "SecondaryArtifacts", "FileSystemLocations"} & project.keys()
    assert project["Environment"]["PrivilegedMode"] is False
    assert project["Visibility"] == "PRIVATE"


def test_event_in_the_repository_is_of_a_rendered_project():
    stack = child_stack(project="infra")
    assert EVENT["detail"]["project-name"] == stack.name("ReviewProject")
    reported = EVENT["detail"]["additional-information"]
    assert reported["initiator"] == stack.name("ReviewRule")
    assert reported["logs"]["group-name"] == stack.name("ReviewLogGroup")
    assert reported["artifact"]["location"].startswith(f"{BUCKET}/{stack.properties('ReviewProject')['Artifacts']['Path']}/")
