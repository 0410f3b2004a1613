"""templates/pipeline.yaml: names, and the stack without a branch.

It is Custom::GitOpsPipeline's stack with every property at its default, so these tests apply to every pipeline.
test_rendered.py compares it with the default rendering, whose settings the renderer's own tests contain.
tests/deployment/test_loop.py shows what its events start, and test_events.py has the event of a first push.
"""

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


def test_missing_branch_has_no_pipeline_and_rule_calls_function(shop):
    stack = deployed(BranchExists="false", FunctionArn=FUNCTION)
    assert set(stack.everything()) == {"Repository", "BuildLogGroup", "BuildProject", "EventRule"}
    rule = stack.properties("EventRule")
    (target,) = rule["Targets"]
    # Lambda's own policy names the callers.
    assert (target["Arn"], "RoleArn" in target) == (FUNCTION, False)
    assert rule["EventPattern"] == shop.properties("EventRule")["EventPattern"]
    assert stack.outputs() == shop.outputs()
    assert "Targets" not in deployed(BranchExists="false").properties("EventRule")
