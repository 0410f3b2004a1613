"""Invalid pipelines, each with one mistake, and CodePipeline's error.

https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-pipeline-structure.html
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_CreatePipeline.html (errors)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.pipeline_scene import Scene, one_for_many, trust
from local.aws.testing import policy, error_of

ACTION, STRUCTURE, STAGE = (f"Invalid{what}Exception" for what in ("ActionDeclaration", "Structure",
                                                                  "StageDeclaration"))


@pytest.fixture(scope="module")
def prepared(running: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Rejected declarations create nothing, so one scene is enough for all."""
    return one_for_many(Scene, running, tmp_path_factory.mktemp("mistakes"))


@pytest.fixture
def scene(aws: LocalAws, name: str, tmp_path: Path) -> Scene:
    made = Scene(aws, name, tmp_path)
    made.prepare()
    return made


def right(scene: Scene) -> dict[str, Any]:
    return scene.declaration([scene.build()], [scene.approval()], [scene.deploy()])


Mistake = Callable[[dict[str, Any]], Any]


def at(pipeline: dict[str, Any], stage: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in pipeline["stages"] if each["name"] == stage)["actions"][0]
    return found


def configured(stage: str, **changes: str | None) -> Mistake:
    def mistake(pipeline: dict[str, Any]) -> None:
        configuration = at(pipeline, stage)["configuration"]
        for key, value in changes.items():
            configuration.pop(key, None) if value is None else configuration.update({key: value})

    return mistake


def changed(stage: str, **changes: Any) -> Mistake:
    return lambda pipeline: at(pipeline, stage).update(changes)


def kind(category: str, provider: str, owner: str = "AWS", version: str = "1") -> dict[str, str]:
    return {"category": category, "owner": owner, "provider": provider, "version": version}


def one(name: str, *artifacts: str) -> dict[str, Any]:
    return {name: [{"name": artifact} for artifact in artifacts]}


def another_source(pipeline: dict[str, Any]) -> None:
    pipeline["stages"][1]["actions"].append({**at(pipeline, "Source"), "name": "Late", "namespace": "Late",
                                             **one("outputArtifacts", "Late")})


def same_run_order(pipeline: dict[str, Any]) -> None:
    """Concurrent actions cannot use each other's outputs."""
    stages = pipeline["stages"]
    stages[1]["actions"] += stages.pop()["actions"]


CASES: list[tuple[str, Mistake, str, str]] = [
    ("an unknown configuration key", configured("Build", Nonsense="x"), ACTION,
     "Action configuration for action 'Build' contains unknown configuration 'Nonsense'"),
    ("an unknown key of a source", configured("Source", Branch="x"), ACTION, "unknown configuration 'Branch'"),
    ("an unknown key of an approval", configured("Approval", Approvers="x"), ACTION,
     "unknown configuration 'Approvers'"),
    ("an unknown key of a deployment", configured("Deploy", TemplateBody="x"), ACTION,
     "unknown configuration 'TemplateBody'"),
    ("a missing key", configured("Source", BranchName=None), ACTION,
     "Action configuration for action 'Source' is missing required configuration 'BranchName'"),
    ("a deployment without its role", configured("Deploy", RoleArn=None), ACTION, "configuration 'RoleArn'"),
    ("a deployment without a template", configured("Deploy", TemplatePath=None), ACTION,
     "configuration 'TemplatePath'"),
    ("a change set without a name", configured("Deploy", ActionMode="CHANGE_SET_REPLACE"), ACTION,
     "configuration 'ChangeSetName'"),
    ("an unknown mode", configured("Deploy", ActionMode="CREATE"), ACTION, "invalid ActionMode 'CREATE'"),
    ("an unknown capability", configured("Deploy", Capabilities="CAPABILITY_IAM, CAPABILITY_NAMED_IAM"), ACTION,
     "unknown capability ' CAPABILITY_NAMED_IAM'"),
    ("a value of more than 1000 characters", configured("Deploy", ParameterOverrides="x" * 1001),
     "ValidationException", "Member must have length less than or equal to 1000"),
    ("a template of an artifact that is not among the inputs",
     configured("Deploy", TemplatePath="SourceArtifact::template.json"), ACTION, "TemplatePath of action 'Deploy'"),
    ("a template configuration without its artifact", configured("Deploy", TemplateConfiguration="parameter.json"),
     ACTION, "TemplateConfiguration of action 'Deploy'"),
    ("an output file without an output artifact", configured("Deploy", OutputFileName="out.json"), ACTION,
     "must have an output artifact if it has an OutputFileName"),
    ("polling", configured("Source", PollForSourceChanges=None), ACTION, "Polling for source changes"),
    ("a topic that is none", configured("Approval", NotificationArn="topic"), ACTION, "not the ARN of a topic"),
    ("environment variables that are no list", configured("Build", EnvironmentVariables='{"A": "b"}'), ACTION,
     "EnvironmentVariables of action 'Build'"),
    ("an unknown provider", changed("Build", actionTypeId=kind("Build", "Jenkinz")), ACTION,
     "ActionType (Category: 'Build', Provider: 'Jenkinz', Owner: 'AWS', Version: '1') in action 'Build' is not "
     "available"),
    ("an unknown version", changed("Build", actionTypeId=kind("Build", "CodeBuild", version="2")), ACTION,
     "Version: '2'"),
    ("another owner", changed("Build", actionTypeId=kind("Build", "CodeBuild", "Custom")), ACTION, "Owner: 'Custom'"),
    ("an unknown category", changed("Build", actionTypeId=kind("Bild", "CodeBuild")), "ValidationException",
     "enum value set"),
    ("an input that no action makes", changed("Build", **one("inputArtifacts", "Nothing")), ACTION,
     "Input Artifact Bundle Nothing in action Build is not declared as an output artifact"),
    ("an input that a parallel action makes", same_run_order, ACTION, "Input Artifact Bundle BuildArtifact"),
    ("an output made twice", changed("Build", **one("outputArtifacts", "SourceArtifact")), ACTION,
     "Output Artifact Bundle name must be unique within the pipeline. SourceArtifact has been used more than once."),
    ("a build without an input", changed("Build", inputArtifacts=[]), ACTION,
     "declares 0 input artifacts which is less than the minimum count (1)"),
    ("an approval with an input", changed("Approval", **one("inputArtifacts", "SourceArtifact")), ACTION,
     "declares 1 input artifacts which is more than the maximum count (0)"),
    ("a source without an output", changed("Source", outputArtifacts=[]), ACTION,
     "declares 0 output artifacts which is less than the minimum count (1)"),
    ("a time-out where there can be none", changed("Build", timeoutInMinutes=5), ACTION, "timeoutInMinutes"),
    ("a first stage without a source", lambda pipeline: pipeline["stages"].pop(0), STRUCTURE,
     "Pipeline should start with a stage that only contains source actions"),
    ("a first stage with more than sources", lambda pipeline: pipeline["stages"][0]["actions"].append(
        at(pipeline, "Approval")), STRUCTURE, "Pipeline should start with a stage that only contains source actions"),
    ("a source in a later stage", another_source, STRUCTURE, "is not the first stage, and contains a source action"),
    ("one stage", lambda pipeline: pipeline.update(stages=pipeline["stages"][:1]), STRUCTURE,
     "Pipeline has only 1 stage(s)"),
    ("a stage without actions", lambda pipeline: pipeline["stages"][1].update(actions=[]), STAGE, "has no actions"),
    ("two stages of one name", lambda pipeline: pipeline["stages"][1].update(name="Source"), STAGE,
     "Source has been used more than once"),
    ("two actions of one name", lambda pipeline: pipeline["stages"][2]["actions"].append(at(pipeline, "Approval")),
     ACTION, "Approval has been used more than once"),
    ("an unknown namespace", configured("Deploy", ParameterOverrides='{"Word": "#{Other.CommitId}"}'), ACTION,
     "refers to the namespace Other, which no preceding action has"),
    ("a namespace of a later action", configured("Build", PrimarySource="SourceArtifact",
                                                 EnvironmentVariables='[{"name": "A", "value": "#{BuildVariables.A}"}]'
                                                 ), ACTION, "the namespace BuildVariables"),
    ("a reference without a key", configured("Deploy", StackName="#{SourceVariables}"), ACTION,
     "not a namespace and a key separated by a period"),
    ("a variable in a source", configured("Source", BranchName="#{codepipeline.PipelineExecutionId}"), ACTION,
     "source action 'Source' cannot have a variable reference"),
    ("a namespace twice", changed("Build", namespace="SourceVariables"), ACTION,
     "SourceVariables has been used more than once"),
    ("a reserved namespace", changed("Build", namespace="codepipeline"), ACTION, "codepipeline is reserved"),
    ("a namespace that is an artifact", changed("Build", namespace="BuildArtifact"), ACTION,
     "BuildArtifact is the name of an artifact"),
    ("a queue in a V1 pipeline", lambda pipeline: pipeline.update(pipelineType="V1"), STRUCTURE,
     "QUEUED is not supported for pipeline type V1"),
    ("an unknown execution mode", lambda pipeline: pipeline.update(executionMode="SERIAL"), "ValidationException",
     "enum value set"),
    ("no artifact store", lambda pipeline: pipeline.pop("artifactStore"), STRUCTURE,
     "either an artifactStore or artifactStores"),
    ("another region", changed("Build", region="us-east-1"), ACTION, "Region us-east-1"),
    ("a role that is none", lambda pipeline: pipeline.update(roleArn="a-role"), "ValidationException", "roleArn"),
    ("a role that is not there", lambda pipeline: pipeline.update(roleArn=f"{pipeline['roleArn']}-not"), STRUCTURE,
     "CodePipeline is not authorized to perform AssumeRole on role"),
]


@pytest.mark.parametrize(("mistake", "code", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_invalid_declaration_is_rejected(prepared: Scene, mistake: Mistake, code: str, message: str) -> None:
    pipeline = right(prepared)
    mistake(pipeline)
    found = error_of(prepared.pipelines.create_pipeline, pipeline=pipeline)
    assert found[:2] == (code, 400)
    assert message in found[2]
    assert error_of(prepared.pipelines.get_pipeline, name=prepared.name)[0] == "PipelineNotFoundException"


def test_declaration_without_a_mistake_is_accepted(scene: Scene) -> None:
    scene.pipelines.create_pipeline(pipeline=right(scene))
    assert error_of(scene.pipelines.create_pipeline, pipeline=right(scene))[0] == "PipelineNameInUseException"


def test_an_update_is_checked_as_a_creation_is(scene: Scene) -> None:
    scene.create([scene.build()])
    wrong = right(scene)
    configured("Build", Nonsense="x")(wrong)
    assert error_of(scene.pipelines.update_pipeline, pipeline=wrong)[0] == ACTION
    assert scene.pipelines.get_pipeline(name=scene.name)["pipeline"]["version"] == 1
    assert error_of(scene.pipelines.update_pipeline, pipeline={**right(scene), "name": "absent"})[0] == (
        "PipelineNotFoundException")


@pytest.mark.parametrize("document", [
    trust("codebuild.amazonaws.com"),
    trust("codepipeline.amazonaws.com", StringEquals={"aws:SourceAccount": "999999999999"}),
    trust("codepipeline.amazonaws.com", ArnLike={"aws:SourceArn": "arn:aws:codepipeline:*:*:another"}),
], ids=["another service", "another account", "another pipeline"])
def test_role_that_does_not_trust_codepipeline_is_rejected(prepared: Scene, document: str) -> None:
    iam, role = prepared.aws.client("iam"), prepared.role_name("pipeline")
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=document)
    try:
        code, _, message = error_of(prepared.pipelines.create_pipeline, pipeline=right(prepared))
    finally:
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust("codepipeline.amazonaws.com"))
    assert code == STRUCTURE
    assert "CodePipeline is not authorized to perform AssumeRole on role" in message


def test_start_with_unknown_variable_or_action_is_rejected(scene: Scene) -> None:
    scene.ended(scene.create([scene.build()]))
    override = {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": scene.head()}
    for wrong in ({**override, "actionName": "Build"}, {**override, "revisionType": "IMAGE_DIGEST"}):
        assert error_of(scene.pipelines.start_pipeline_execution, name=scene.name,
                       sourceRevisions=[wrong])[0] == "ValidationException"
    assert error_of(scene.pipelines.start_pipeline_execution, name=scene.name,
                   variables=[{"name": "A", "value": "b"}])[0] == "ValidationException"
    assert error_of(scene.pipelines.start_pipeline_execution, name="absent")[0] == "PipelineNotFoundException"
    assert len(scene.executions()) == 1


# --- errors during an execution ------------------------------------------------------


def fails(scene: Scene, action: str, *stages: list[dict[str, Any]]) -> tuple[str, str]:
    run = scene.create(*stages)
    assert scene.ended(run) == "Failed"
    assert scene.actions(run)[-1]["actionName"] == action
    state = scene.pipelines.get_pipeline_state(name=scene.name)["stageStates"]
    shown = [each["latestExecution"]["errorDetails"] for stage in state for each in stage["actionStates"]
             if "errorDetails" in each.get("latestExecution", {})]
    code, message = scene.error(run, action)
    assert shown == [{"code": code, "message": message}]
    return code, message


def test_the_first_run_fails_where_the_branch_is_not_there_yet(scene: Scene) -> None:
    source = scene.declaration()["stages"][0]["actions"][0]
    source["configuration"]["BranchName"] = "absent"
    pipeline = right(scene)
    pipeline["stages"][0]["actions"] = [source]
    scene.pipelines.create_pipeline(pipeline=pipeline)
    run = scene.executions()[0]["pipelineExecutionId"]
    assert scene.ended(run) == "Failed"
    code, message = scene.error(run, "Source")
    assert code == "ConfigurationError"
    assert "no branch named absent was found in the selected AWS CodeCommit repository" in message


def test_a_commit_that_is_not_there_fails_the_run(scene: Scene) -> None:
    scene.ended(scene.create([scene.build()]))
    run = scene.start(sourceRevisions=[
        {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": "0" * 40}])
    assert scene.ended(run) == "Failed"
    assert scene.error(run, "Source")[0] == "RevisionUnavailable"


def test_an_artifact_bucket_that_is_not_there_fails_the_run(scene: Scene) -> None:
    scene.aws.client("s3").delete_bucket(Bucket=scene.name)
    code, message = fails(scene, "Source", [scene.build()])
    assert code == "ConfigurationError"
    assert f"Name of artifact bucket: {scene.name}. Verify that this bucket exists" in message


def test_a_build_project_that_is_not_there_fails_the_run(scene: Scene) -> None:
    scene.aws.client("codebuild").delete_project(name=scene.name)
    code, message = fails(scene, "Build", [scene.build()])
    assert code == "ConfigurationError"
    assert "Project cannot be found" in message


def test_build_project_not_for_pipelines_fails_the_run(scene: Scene) -> None:
    scene.aws.client("codebuild").update_project(name=scene.name, source={"type": "NO_SOURCE"})
    assert "Project source type must be CODEPIPELINE" in fails(scene, "Build", [scene.build()])[1]


@pytest.mark.parametrize(("key", "where"), [
    ("TemplatePath", "BuildArtifact::absent.yaml"), ("TemplateConfiguration", "BuildArtifact::absent.json")])
def test_a_file_that_is_not_in_the_artifact_fails_the_run(scene: Scene, key: str, where: str) -> None:
    code, message = fails(scene, "Deploy", [scene.build()], [scene.deploy(**{key: where})])
    assert code == "ConfigurationError"
    assert message == f"File [{where.partition('::')[2]}] does not exist in artifact [BuildArtifact]"
    assert scene.stacks() == []


@pytest.mark.parametrize(("content", "reason"), [
    ("[]", "is not an object"), ("{", "is not valid JSON"), ('{"parameters": {}}', "has unknown keys: parameters"),
    ('{"Parameters": {"Word": 1}}', "The value of Word is not a string"),
    ('{"Parameters": {"Other": "x"}}', "Other"),
])
def test_a_template_configuration_that_is_wrong_fails_the_run(scene: Scene, content: str, reason: str) -> None:
    scene.push({"parameter.json": content})
    assert reason in fails(scene, "Deploy", [scene.deploy(artifact="SourceArtifact")])[1]
    assert scene.stacks() == []


def test_unknown_variable_of_namespace_fails_the_run(scene: Scene) -> None:
    code, message = fails(scene, "Approval", [scene.approval(CustomData="#{SourceVariables.Commit}")])
    assert code == "ConfigurationError"
    assert "the namespace SourceVariables has no variable Commit" in message


def test_a_change_set_that_is_not_there_cannot_be_executed(scene: Scene) -> None:
    scene.ended(scene.create([scene.build()], [scene.deploy()]))
    scene.pipelines.update_pipeline(pipeline=scene.declaration(
        [scene.deploy("CHANGE_SET_EXECUTE", ChangeSetName="absent")]))
    run = scene.start()
    assert scene.ended(run) == "Failed"
    assert "ChangeSet [absent] does not exist" in scene.error(run, "Deploy")[1]


def test_failed_stack_fails_run_with_first_failure_if_visible(scene: Scene) -> None:
    scene.push({"template.json": json.dumps({"Resources": {"Broken": {"Type": "AWS::IAM::Role", "Properties": {
        "RoleName": f"broken-{scene.name}", "AssumeRolePolicyDocument": json.loads(policy())}}}}),
        "parameter.json": "{}"})
    deploy = scene.deploy(artifact="SourceArtifact", Capabilities="CAPABILITY_NAMED_IAM")
    # The deployment's role may not create roles.
    _, message = fails(scene, "Deploy", [deploy])
    assert "ROLLBACK_COMPLETE" in message
    assert "Broken (AWS::IAM::Role) CREATE_FAILED" in message
    assert "HandlerErrorCode: AccessDenied" in message
    scene.without("pipeline", "cloudformation:DescribeStackEvents")
    scene.pipelines.update_pipeline(pipeline=scene.declaration(
        [{**deploy, "configuration": {**deploy["configuration"], "ActionMode": "REPLACE_ON_FAILURE"}}]))
    run = scene.start()
    assert scene.ended(run) == "Failed"
    assert "Broken (AWS" not in scene.error(run, "Deploy")[1]


def test_template_gets_no_capability_that_action_lacks(scene: Scene) -> None:
    scene.push({"template.json": json.dumps({"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {
        "AssumeRolePolicyDocument": json.loads(policy())}}}}), "parameter.json": "{}"})
    assert "CAPABILITY_IAM" in fails(scene, "Deploy", [scene.deploy(artifact="SourceArtifact")])[1]
