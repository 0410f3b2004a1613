"""templates/pipeline.yaml: names, settings, and the events that start the pipeline.

It is Custom::GitOpsPipeline's stack with every property at its default, so these tests of
names, namespaces, environment variables and timeouts apply to every pipeline.
"""

import json
import re

import pytest

from tests.templates.deployed import ACCOUNT, REGION, TEMPLATES, Deployed, source

PIPELINE = TEMPLATES / "pipeline.yaml"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:cfn-gitops-dev"
CLOUDFORMATION = {"Category": "Deploy", "Owner": "AWS", "Provider": "CloudFormation", "Version": "1"}
ACTION = {
    "Source": {"Category": "Source", "Owner": "AWS", "Provider": "CodeCommit", "Version": "1"},
    "Build": {"Category": "Build", "Owner": "AWS", "Provider": "CodeBuild", "Version": "1"},
    "CreateChangeSet": CLOUDFORMATION,
    "Approval": {"Category": "Approval", "Owner": "AWS", "Provider": "Manual", "Version": "1"},
    "Deploy": CLOUDFORMATION,
}


def deployed(**parameters):
    given = {"EnvID": "dev", "ProjectID": "shop", **parameters}
    stack_name = f"gitops-{given['EnvID']}-{given['ProjectID']}"
    return Deployed(template=source(PIPELINE), stack_name=stack_name, **given)


@pytest.fixture(scope="module")
def shop():
    return deployed()


@pytest.fixture(scope="module")
def actions(shop):
    """The actions by their names, in their order."""
    return {action["Name"]: action for stage in shop.properties("Pipeline")["Stages"] for action in stage["Actions"]}


def role_arn(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


# --- Names -----------------------------------------------------------------------------------


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


def test_repository_tag_names_the_stack_that_may_adopt_it(shop):
    assert {"Key": "cfn-gitops:stack-name", "Value": "gitops-dev-shop"} in shop.properties("Repository")["Tags"]


# --- The build -------------------------------------------------------------------------------


def test_build_has_environment_and_account_variables(shop):
    variables = shop.properties("BuildProject")["Environment"]["EnvironmentVariables"]
    assert variables == [
        {"Name": "EnvID", "Type": "PLAINTEXT", "Value": "dev"},
        {"Name": "AccountId", "Type": "PLAINTEXT", "Value": ACCOUNT},
    ]


def test_a_build_runs_a_current_image_without_privileges(shop):
    environment = shop.properties("BuildProject")["Environment"]
    assert environment["Image"] == "aws/codebuild/amazonlinux-x86_64-standard:6.0"
    assert environment["PrivilegedMode"] is False
    assert (environment["Type"], environment["ComputeType"]) == ("LINUX_CONTAINER", "BUILD_GENERAL1_SMALL")
    assert environment["ImagePullCredentialsType"] == "CODEBUILD"


def test_build_timeout_is_one_hour_and_queue_timeout_eight(shop):
    project = shop.properties("BuildProject")
    assert (project["TimeoutInMinutes"], project["QueuedTimeoutInMinutes"]) == (60, 480)


def test_build_reads_and_writes_pipeline_artifacts(shop):
    project = shop.properties("BuildProject")
    assert project["Source"] == project["Artifacts"] == {"Type": "CODEPIPELINE"}
    assert project["Visibility"] == "PRIVATE"
    assert project["EncryptionKey"] == f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/s3"


def test_build_log_is_in_the_stacks_group_with_retention(shop):
    logs = shop.properties("BuildProject")["LogsConfig"]["CloudWatchLogs"]
    assert logs == {"Status": "ENABLED", "GroupName": "/aws/codebuild/codebuild-dev-cfn-shop"}
    assert shop.properties("BuildLogGroup")["RetentionInDays"] == 90


# --- The pipeline ----------------------------------------------------------------------------


def test_pipeline_is_v2_and_queues_executions(shop):
    pipeline = shop.properties("Pipeline")
    assert (pipeline["PipelineType"], pipeline["ExecutionMode"]) == ("V2", "QUEUED")


def test_stages_are_source_build_and_deploy_with_approval(shop, actions):
    assert {name: action["ActionTypeId"] for name, action in actions.items()} == ACTION
    assert [(stage["Name"], [(action["Name"], action["RunOrder"]) for action in stage["Actions"]])
            for stage in shop.properties("Pipeline")["Stages"]] == [
        ("Source", [("Source", 1)]), ("Build", [("Build", 1)]),
        ("Deploy", [("CreateChangeSet", 1), ("Approval", 2), ("Deploy", 3)])]
    # AWS's examples of a manual approval have no region:
    # https://docs.aws.amazon.com/codepipeline/latest/userguide/approvals-action-add.html
    assert {name: action.get("Region") for name, action in actions.items()} == {
        name: None if name == "Approval" else REGION for name in actions}


def test_every_action_except_the_approval_has_a_namespace(actions):
    assert {name: action.get("Namespace") for name, action in actions.items()} == {
        "Source": "SourceVariables", "Build": "BuildVariables", "CreateChangeSet": "ChangeSetVariables",
        "Approval": None, "Deploy": "DeployVariables",
    }


def test_artifacts_flow_from_source_to_build_to_deployment(actions):
    names = lambda action, key: [artifact["Name"] for artifact in action.get(key, [])]
    assert {name: (names(action, "InputArtifacts"), names(action, "OutputArtifacts")) for name, action in actions.items()} == {
        "Source": ([], ["SourceArtifact"]),
        "Build": (["SourceArtifact"], ["BuildArtifact"]),
        "CreateChangeSet": (["BuildArtifact"], []),
        "Approval": ([], []),
        "Deploy": ([], []),
    }


def test_source_is_the_environments_branch_without_polling(actions):
    assert actions["Source"]["Configuration"] == {
        "RepositoryName": "codecommit-dev-cfn-shop",
        "BranchName": "development",
        "OutputArtifactFormat": "CODE_ZIP",
        "PollForSourceChanges": "false",
    }


def test_build_is_the_stacks_own_and_approval_has_no_settings(actions):
    assert actions["Build"]["Configuration"] == {"ProjectName": "codebuild-dev-cfn-shop"}
    assert "Configuration" not in actions["Approval"]


def test_deployment_executes_change_set_with_deploy_role(actions):
    change_set = {"StackName": "cfnstack-dev-shop", "ChangeSetName": "changeset-dev-shop"}
    assert actions["Deploy"]["Configuration"] == {"ActionMode": "CHANGE_SET_EXECUTE", **change_set}
    assert actions["CreateChangeSet"]["Configuration"] == {
        "ActionMode": "CHANGE_SET_REPLACE",
        **change_set,
        "TemplatePath": "BuildArtifact::root-stack-shop.yaml",
        "TemplateConfiguration": "BuildArtifact::parameter.json",
        "Capabilities": "CAPABILITY_NAMED_IAM",
        "RoleArn": role_arn("role-dev-codedeploy-cfn"),
    }


# --- What starts it --------------------------------------------------------------------------


@pytest.mark.parametrize(("env_id", "branch"), [("dev", "development"), ("prd", "master")])
def test_every_push_to_the_branch_starts_the_pipeline(env_id, branch):
    stack = deployed(EnvID=env_id)
    rule = stack.properties("EventRule")
    assert rule["State"] == "ENABLED"
    assert rule["EventPattern"] == {
        "source": ["aws.codecommit"],
        "detail-type": ["CodeCommit Repository State Change"],
        "resources": [f"arn:aws:codecommit:{REGION}:{ACCOUNT}:codecommit-{env_id}-cfn-shop"],
        "detail": {
            "event": ["referenceCreated", "referenceUpdated"],
            "referenceType": ["branch"],
            "referenceName": [branch],
        },
        "replay-name": [{"exists": False}],
    }


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
    "version": "0",
    "id": "01234567-0123-0123-0123-012345678901",
    "detail-type": "CodeCommit Repository State Change",
    "source": "aws.codecommit",
    "account": ACCOUNT,
    "time": "2026-01-01T00:00:00Z",
    "region": REGION,
    "resources": [f"arn:aws:codecommit:{REGION}:{ACCOUNT}:codecommit-dev-cfn-shop"],
    "detail": {"event": "referenceCreated", "referenceName": "development", "commitId": "0f1e2d3c" * 5},
}


def test_execution_runs_the_pushed_commit(shop):
    (target,) = shop.properties("EventRule")["Targets"]
    assert target["Arn"] == f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:codepipeline-dev-cfn-shop"
    assert target["Id"] == "codepipeline-dev-cfn-shop"
    assert json.loads(fill(target["InputTransformer"], EVENT)) == {
        "sourceRevisions": [{"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": "0f1e2d3c" * 5}]
    }


# --- While the branch is missing -------------------------------------------------------------


def test_missing_branch_has_no_pipeline_and_rule_calls_function():
    stack = deployed(BranchExists="false", FunctionArn=FUNCTION)
    assert set(stack.everything()) == {"Repository", "BuildLogGroup", "BuildProject", "EventRule"}
    (target,) = stack.properties("EventRule")["Targets"]
    assert (target["Id"], target["Arn"]) == ("first-push", FUNCTION)
    # Lambda's own policy names the callers.
    assert "RoleArn" not in target
    transformed = json.loads(fill(target["InputTransformer"], EVENT))
    kept = ("id", "source", "detail-type", "time", "resources", "detail")
    assert transformed == {**{key: EVENT[key] for key in kept}, "StackName": "gitops-dev-shop"}


def test_rule_without_a_function_has_no_target():
    assert "Targets" not in deployed(BranchExists="false").properties("EventRule")


def test_rule_matches_the_same_pushes_with_and_without_branch():
    waiting = deployed(BranchExists="false", FunctionArn=FUNCTION).properties("EventRule")
    assert waiting["EventPattern"] == deployed(FunctionArn=FUNCTION).properties("EventRule")["EventPattern"]
    assert waiting["Name"] == deployed().name("EventRule")


def test_outputs_are_the_same_with_and_without_branch():
    assert deployed(BranchExists="false").outputs() == deployed().outputs()
    assert {name: output["Value"] for name, output in deployed().outputs().items()} == {
        "RepositoryName": "codecommit-dev-cfn-shop",
        "RepositoryOrigin": "created",
        "BranchName": "development",
        "PipelineName": "codepipeline-dev-cfn-shop",
        "RenderingVersion": "1",
    }
