"""Invalid pipelines, each with one mistake, and CodePipeline's error.

https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-pipeline-structure.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html (considerations)
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_CreatePipeline.html (errors)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.local.aws.codepipeline.tests.pipeline_scene import Scene
from tests.local.aws.codepipeline.tests.test_stages import ROLLBACK, condition
from tests.local.aws.testing import error_of, trust

ACTION, STRUCTURE, STAGE = (f"Invalid{what}Exception" for what in ("ActionDeclaration", "Structure",
                                                                  "StageDeclaration"))
MODEL, OPEN = "ValidationException", "* * * ? * * *"


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


def image(**changes: str | None) -> Mistake:
    """A valid image source, with this change of its action, or of a configuration."""
    def mistake(pipeline: dict[str, Any]) -> None:
        source, build = pipeline["stages"][0]["actions"], at(pipeline, "Build")
        source.append({
            "name": "Image", "outputArtifacts": [{"name": "ImageArtifact"}], "actionTypeId": kind("Source", "ECR"),
            "configuration": {"RepositoryName": "shop"}, "region": changes.get("region") or "eu-central-1"})
        build["inputArtifacts"].append({"name": "ImageArtifact"})
        build["configuration"]["PrimarySource"] = "SourceArtifact"
        for key, value in changes.items():
            given = (build if key == "PrimarySource" else source[1])["configuration"]
            if key != "region":
                given.pop(key) if value is None else given.update({key: value})

    return mistake


def alarms(*configurations: dict[str, str], result: str = "FAIL") -> dict[str, Any]:
    return condition(result, "CloudWatchAlarm", *configurations)


def window(cron: str, result: str = "FAIL", **zone: str) -> dict[str, Any]:
    return condition(result, "DeploymentWindow", {"Cron": cron, **zone})


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
    ("a timeout", changed("Approval", timeoutInMinutes=5), ACTION, "timeoutInMinutes of action 'Approval' is not part"),
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
    ("no artifact store", lambda pipeline: pipeline.pop("artifactStore"), STRUCTURE, "must have an artifactStore"),
    ("an alias of a key", lambda pipeline: pipeline["artifactStore"].update(
        encryptionKey={"id": "alias/aws/s3", "type": "KMS"}), STRUCTURE, "not the ARN of a key is not part"),
    ("a variable", lambda pipeline: pipeline.update(variables=[{"name": "A"}]), STRUCTURE, "variables is not part"),
    ("another region", changed("Build", region="us-east-1"), ACTION, "Region us-east-1"),
    *[(f"an image source: {name}", image(**mistake), ACTION, message) for name, mistake, message in [
        ("no repository", {"RepositoryName": None}, "missing required configuration 'RepositoryName'"),
        ("a registry", {"RegistryId": "111122223333"}, "unknown configuration 'RegistryId'"),
        ("no primary source", {"PrimarySource": None}, "missing required configuration 'PrimarySource'"),
        ("another region", {"region": "eu-west-3"}, "cannot create cross-Region actions for source actions"),
    ]],
    ("a role that is none", lambda pipeline: pipeline.update(roleArn="a-role"), "ValidationException", "roleArn"),
    ("a role that is not there", lambda pipeline: pipeline.update(roleArn=f"{pipeline['roleArn']}-not"), STRUCTURE,
     "CodePipeline is not authorized to perform AssumeRole on role"),
]


@pytest.mark.parametrize(("mistake", "code", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_invalid_declaration_is_rejected(shared_scene: Scene, mistake: Mistake, code: str, message: str) -> None:
    scene, pipeline = shared_scene, right(shared_scene)
    mistake(pipeline)
    found = error_of(scene.pipelines.create_pipeline, pipeline=pipeline)
    assert found[:2] == (code, 400)
    assert message in found[2]
    assert error_of(scene.pipelines.get_pipeline, name=scene.name)[0] == "PipelineNotFoundException"


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


STAGES: list[tuple[str, dict[str, Any], str, str]] = [
    ("conditions on failure", {"onFailure": {"result": "ROLLBACK", **alarms({"AlarmName": "a"})}}, STAGE,
     "conditions in onFailure of stage Approval is not part"),
    ("an automatic retry", {"onFailure": {"result": "RETRY"}}, STAGE, "one of the results ROLLBACK"),
    ("rollback on entry", {"beforeEntry": window(OPEN, result="ROLLBACK")}, STAGE, "one of the results FAIL"),
    ("retry after success", {"onSuccess": alarms({"AlarmName": "a"}, result="RETRY")}, STAGE,
     "one of the results ROLLBACK, FAIL"),
    ("no rules", {"onSuccess": {"conditions": [{"result": "FAIL"}]}}, STAGE, "has no rules"),
    ("six rules", {"onSuccess": alarms(*[{"AlarmName": "a"}] * 6)}, MODEL, "length less than or equal to 5"),
    ("an alarm on entry", {"beforeEntry": alarms({"AlarmName": "a"})}, STAGE, "Provider: 'CloudWatchAlarm'"),
    ("an alarm rule without an alarm", {"onSuccess": alarms({"WaitTime": "1"})}, STAGE,
     "missing required configuration 'AlarmName'"),
    ("an unknown configuration key", {"onSuccess": alarms({"AlarmName": "a", "Wait": "1"})}, STAGE,
     "unknown configuration 'Wait'"),
    ("a wait that is not a number", {"onSuccess": alarms({"AlarmName": "a", "WaitTime": "1h"})}, STAGE,
     "WaitTime must be a number of minutes"),
    ("an expression without seconds", {"beforeEntry": window("* 9-17 ? * MON-FRI *")}, STAGE,
     "one of day of month and day of week"),
    ("an expression of five fields", {"beforeEntry": window("0 9 * * 1")}, STAGE, "does not have the fields"),
    ("an hour out of range", {"beforeEntry": window("* * 24 ? * * *")}, STAGE, "out of range"),
    ("both days", {"beforeEntry": window("* * 9 1 * MON *")}, STAGE, "one of day of month and day of week must be ?"),
    ("an unknown time zone", {"beforeEntry": window(OPEN, TimeZone="Mars/Phobos")}, STAGE,
     "TimeZone 'Mars/Phobos' is not known"),
    ("a rollback of parallel executions", {"mode": "PARALLEL", **ROLLBACK}, STAGE, "not available in execution mode"),
]


@pytest.mark.parametrize(("behaviour", "code", "message"), [each[1:] for each in STAGES],
                         ids=[each[0] for each in STAGES])
def test_mistake_in_a_stage_is_rejected(shared_scene: Scene, behaviour: dict[str, Any], code: str,
                                        message: str) -> None:
    pipeline = shared_scene.declaration([shared_scene.approval()], **behaviour)
    found = error_of(shared_scene.pipelines.create_pipeline, pipeline=pipeline)
    assert (found[0], message in found[2]) == (code, True), found


@pytest.mark.parametrize("document", [
    trust("codebuild.amazonaws.com"),
    *(trust("codepipeline.amazonaws.com", Condition=each) for each in (
        {"StringEquals": {"aws:SourceAccount": "999999999999"}},
        {"ArnLike": {"aws:SourceArn": "arn:aws:codepipeline:*:*:another"}})),
], ids=["another service", "another account", "another pipeline"])
def test_role_that_does_not_trust_codepipeline_is_rejected(scene: Scene, document: str) -> None:
    scene.trust("pipeline", document)
    code, _, message = error_of(scene.pipelines.create_pipeline, pipeline=right(scene))
    assert code == STRUCTURE
    assert "CodePipeline is not authorized to perform AssumeRole on role" in message


def test_start_with_unknown_variable_or_action_is_rejected(scene: Scene) -> None:
    scene.create([scene.approval()])
    override = {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": scene.head()}
    for wrong in ({**override, "actionName": "Build"}, {**override, "revisionType": "IMAGE_DIGEST"}):
        assert error_of(scene.pipelines.start_pipeline_execution, name=scene.name,
                       sourceRevisions=[wrong])[0] == "ValidationException"
    assert error_of(scene.pipelines.start_pipeline_execution, name=scene.name,
                   variables=[{"name": "A", "value": "b"}])[0] == "ValidationException"
    assert error_of(scene.pipelines.start_pipeline_execution, name="absent")[0] == "PipelineNotFoundException"
    assert len(scene.executions()) == 1
