"""templates/pipeline.yaml: names, the events that start the pipeline, and the stack without a branch.

It is Custom::GitOpsPipeline's stack with every property at its default, so these tests apply to every pipeline.
test_rendered.py compares it with the default rendering, whose settings the renderer's own tests contain.
"""

import json
import re

import pytest

from tests.templates.deployed import ACCOUNT, REGION, TEMPLATES, Deployed, source

PIPELINE = TEMPLATES / "pipeline.yaml"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:cfn-gitops-dev"


def deployed(**parameters):
    given = {"EnvID": "dev", "ProjectID": "shop", **parameters}
    stack_name = f"gitops-{given['EnvID']}-{given['ProjectID']}"
    return Deployed(template=source(PIPELINE), stack_name=stack_name, **given)


@pytest.fixture(scope="module")
def shop():
    return deployed()


def test_names_contain_environment_and_project(shop):
    assert {name: shop.name(name) for name in shop.template["Resources"]} == {
        "Repository": "codecommit-dev-cfn-shop",
        "BuildLogGroup": "/aws/codebuild/codebuild-dev-cfn-shop",
        "BuildProject": "codebuild-dev-cfn-shop",
        "Pipeline": "codepipeline-dev-cfn-shop",
        "EventRule": "event-rule-dev-codepipeline-exec-cfn-shop",
    }


def test_roles_and_bucket_are_those_of_the_environment(shop):
    """template.yaml creates each of them with exactly this name."""
    environment = Deployed(EnvID="dev")
    pipeline, (target,) = shop.properties("Pipeline"), shop.properties("EventRule")["Targets"]
    assert shop.properties("BuildProject")["ServiceRole"] == environment.arn("CodeBuildCFnRole")
    assert pipeline["RoleArn"] == environment.arn("CodePipelineCFnRole")
    assert target["RoleArn"] == environment.arn("EventsRuleRole")
    assert pipeline["ArtifactStore"] == {"Type": "S3", "Location": environment.name("ArtifactBucket")}
    deploy = pipeline["Stages"][-1]["Actions"][0]["Configuration"]
    assert deploy["RoleArn"] == environment.arn("CodeDeployCFnRole")


# --- What starts it --------------------------------------------------------------------------


def fill(transformer, event):
    """EventBridge's output for an event: each placeholder becomes the JSON of its value.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    def value(path):
        found = event
        for key in path.removeprefix("$.").split("."):
            found = found[key]
        return json.dumps(found)

    paths = transformer["InputPathsMap"]
    return re.sub("<([A-Za-z]+)>", lambda match: value(paths[match.group(1)]), transformer["InputTemplate"])


EVENT = {
    "id": "01234567-0123-0123-0123-012345678901",
    "detail-type": "CodeCommit Repository State Change",
    "source": "aws.codecommit",
    "time": "2026-01-01T00:00:00Z",
    "resources": [f"arn:aws:codecommit:{REGION}:{ACCOUNT}:codecommit-dev-cfn-shop"],
    "detail": {"event": "referenceCreated", "referenceName": "development", "commitId": "0f1e2d3c" * 5},
}


def test_execution_runs_the_pushed_commit(shop):
    (target,) = shop.properties("EventRule")["Targets"]
    assert target["Arn"] == f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:codepipeline-dev-cfn-shop"
    assert json.loads(fill(target["InputTransformer"], EVENT)) == {
        "sourceRevisions": [{"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": "0f1e2d3c" * 5}]
    }


# --- While the branch is missing -------------------------------------------------------------


def test_missing_branch_has_no_pipeline_and_rule_calls_function(shop):
    stack = deployed(BranchExists="false", FunctionArn=FUNCTION)
    assert set(stack.everything()) == {"Repository", "BuildLogGroup", "BuildProject", "EventRule"}
    rule = stack.properties("EventRule")
    (target,) = rule["Targets"]
    # Lambda's own policy names the callers.
    assert (target["Arn"], "RoleArn" in target) == (FUNCTION, False)
    assert json.loads(fill(target["InputTransformer"], EVENT)) == {**EVENT, "StackName": "gitops-dev-shop"}
    assert rule["EventPattern"] == shop.properties("EventRule")["EventPattern"]
    assert stack.outputs() == shop.outputs()
    assert "Targets" not in deployed(BranchExists="false").properties("EventRule")
