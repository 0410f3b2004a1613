"""Validates a pipeline when it is created or updated.

Structure: https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-pipeline-structure.html
Actions: https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference.html
Variables: https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html
Errors: https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_CreatePipeline.html
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.local.aws.codebuild import stored_variables
from tests.local.aws.codepipeline import model as pipeline_model, stage_validation
from tests.local.aws.codepipeline.stage_validation import LOCALLY, Invalid
from tests.local.aws.iam import service_roles

VARIABLE = re.compile(r"#\{([^{}]*)\}")
_REFERENCE = re.compile(r"[A-Za-z0-9@_-]+\.[A-Za-z0-9@_-]+")


@dataclass(frozen=True)
class ActionType:
    """The numbers of artifacts are those of the structure reference, "Number of input and output artifacts"."""

    required: frozenset[str]
    optional: frozenset[str]
    inputs: tuple[int, int]
    outputs: tuple[int, int]


ACTION_TYPES = {
    # .../userguide/action-reference-CodeCommit.html
    ("Source", "CodeCommit"): ActionType(
        frozenset({"RepositoryName", "BranchName"}), frozenset({"PollForSourceChanges", "OutputArtifactFormat"}),
        (0, 0), (1, 1)),
    # .../userguide/action-reference-ECR.html
    ("Source", "ECR"): ActionType(frozenset({"RepositoryName"}), frozenset({"ImageTag"}), (0, 0), (1, 1)),
    # .../userguide/action-reference-CodeBuild.html
    ("Build", "CodeBuild"): ActionType(
        frozenset({"ProjectName"}),
        frozenset({"PrimarySource", "EnvironmentVariables"}), (1, 5), (0, 1)),
    # .../userguide/action-reference-ManualApproval.html
    ("Approval", "Manual"): ActionType(
        frozenset(), frozenset({"CustomData", "ExternalEntityLink", "NotificationArn"}), (0, 0), (0, 0)),
    # .../userguide/action-reference-CloudFormation.html
    ("Deploy", "CloudFormation"): ActionType(
        frozenset({"ActionMode", "StackName"}),
        frozenset({"Capabilities", "ChangeSetName", "RoleArn", "TemplatePath", "ParameterOverrides",
                   "TemplateConfiguration"}), (0, 10), (0, 0)),
    # .../userguide/action-reference-S3Deploy.html
    ("Deploy", "S3"): ActionType(frozenset({"BucketName", "Extract"}), frozenset({"ObjectKey"}), (1, 1), (0, 0)),
}

# "This property is required for the following action modes" (action-reference-CloudFormation.html).
MODES = {
    "CREATE_UPDATE": {"RoleArn", "TemplatePath"},
    "REPLACE_ON_FAILURE": {"RoleArn", "TemplatePath"},
    "CHANGE_SET_REPLACE": {"RoleArn", "TemplatePath", "ChangeSetName"},
    "CHANGE_SET_EXECUTE": {"ChangeSetName"},
}
# The type of source revision with which a source action can be started.
# https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-overrides.html
REVISION_TYPES = {"CodeCommit": "COMMIT_ID", "ECR": "IMAGE_DIGEST"}
CAPABILITIES = {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"}


def checked(declaration: dict[str, Any], region: str, arn: str) -> dict[str, Any]:
    """The declaration with its defaults, or `Invalid`."""
    faults = pipeline_model.declaration_faults(declaration)
    if faults:
        raise Invalid("ValidationException",
                      f"{len(faults)} validation error{'s'[:len(faults) - 1]} detected: {'; '.join(faults)}")
    made = {"pipelineType": "V1", "executionMode": "SUPERSEDED", **declaration}
    made["stages"] = [{**stage, "actions": [{"runOrder": 1, **action} for action in stage["actions"]]}
                      for stage in made["stages"]]
    _check_pipeline(made)
    _check_stages(made["stages"])
    stage_validation.check(made)
    for _stage, action in actions(made):
        _check_action(action, region)
    _check_artifacts(made["stages"])
    _check_variables(made)
    try:
        service_roles.assume(made["roleArn"], "codepipeline.amazonaws.com", arn)
    except service_roles.NotAssumable:
        raise Invalid("InvalidStructureException", "CodePipeline is not authorized to perform AssumeRole on role "
                                                   f"{made['roleArn']}") from None
    return made


def actions(declaration: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for stage in declaration["stages"]:
        for action in stage["actions"]:
            yield stage["name"], action


def _check_pipeline(made: dict[str, Any]) -> None:
    for member in ("triggers", "variables", "artifactStores"):
        if made.get(member):
            raise Invalid("InvalidStructureException", f"{member} {LOCALLY}")
    if made["executionMode"] != "SUPERSEDED" and made["pipelineType"] != "V2":
        # .../userguide/concepts-how-it-works.html: "This requires pipeline type V2."
        raise Invalid("InvalidStructureException",
                      f"Execution mode {made['executionMode']} is not supported for pipeline type V1")
    if "artifactStore" not in made:
        # https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineDeclaration.html
        raise Invalid("InvalidStructureException", "Pipeline declaration must have an artifactStore")
    if ":key/" not in made["artifactStore"].get("encryptionKey", {}).get("id", ":key/"):
        raise Invalid("InvalidStructureException", f"An encryptionKey that is not the ARN of a key {LOCALLY}")


def _check_stages(stages: list[dict[str, Any]]) -> None:
    if len(stages) < 2:
        raise Invalid("InvalidStructureException", f"Pipeline has only {len(stages)} stage(s). There should be a "
                                                   "minimum of 2 stages in a pipeline")
    _unique([stage["name"] for stage in stages], "InvalidStageDeclarationException",
            "Stage names must be unique within the pipeline. {} has been used more than once.")
    for index, stage in enumerate(stages):
        categories = {action["actionTypeId"]["category"] for action in stage["actions"]}
        if not stage["actions"]:
            raise Invalid("InvalidStageDeclarationException", f"Stage {stage['name']} has no actions")
        if index == 0 and categories != {"Source"}:
            raise Invalid("InvalidStructureException",
                          "Pipeline should start with a stage that only contains source actions")
        if index > 0 and "Source" in categories:
            raise Invalid("InvalidStructureException",
                          f"Stage {stage['name']} is not the first stage, and contains a source action")
        if stage.get("blockers"):
            raise Invalid("InvalidStageDeclarationException", f"blockers of stage {stage['name']} {LOCALLY}")
        _unique([action["name"] for action in stage["actions"]], "InvalidActionDeclarationException",
                f"Action names must be unique within stage {stage['name']}. {{}} has been used more than once.")


def _unique(names: list[str], code: str, message: str) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise Invalid(code, message.format(repeated[0]))


def _reject(message: str) -> Invalid:
    return Invalid("InvalidActionDeclarationException", message)


def _check_action(action: dict[str, Any], region: str) -> None:
    name, kind = action["name"], action["actionTypeId"]
    known = ACTION_TYPES.get((kind["category"], kind["provider"]))
    if known is None or kind["owner"] != "AWS" or kind["version"] != "1":
        raise _reject(f"ActionType (Category: '{kind['category']}', Provider: '{kind['provider']}', "
                      f"Owner: '{kind['owner']}', Version: '{kind['version']}') in action '{name}' is not available "
                      f"in region {region}")
    if action.get("region", region) != region:
        if kind["category"] == "Source":
            # .../userguide/actions-create-cross-region.html
            raise _reject(f"Region {action['region']} of action '{name}': you cannot create cross-Region actions for "
                          "source actions")
        raise _reject(f"Region {action['region']} of action '{name}' {LOCALLY}: its pipelines stay in their region")
    for member in ("commands", "outputVariables", "environmentVariables", "timeoutInMinutes"):
        if action.get(member):
            raise _reject(f"{member} of action '{name}' {LOCALLY}")
    for what, (least, most) in (("input", known.inputs), ("output", known.outputs)):
        count = len(action.get(f"{what}Artifacts", []))
        if count < least:
            raise _reject(f"Action {name} declares {count} {what} artifacts which is less than the minimum count "
                          f"({least})")
        if count > most:
            raise _reject(f"Action {name} declares {count} {what} artifacts which is more than the maximum count "
                          f"({most})")
    given = action.get("configuration", {})
    for key in sorted(given.keys() - known.required - known.optional):
        raise _reject(f"Action configuration for action '{name}' contains unknown configuration '{key}'")
    _need(name, given, known.required)
    _CHECKS[kind["provider"]](action, given)


def _need(name: str, given: dict[str, str], required: frozenset[str] | set[str]) -> None:
    for key in sorted(required - given.keys()):
        raise _reject(f"Action configuration for action '{name}' is missing required configuration '{key}'")


def _check_codecommit(action: dict[str, Any], given: dict[str, str]) -> None:
    name = action["name"]
    if given.get("PollForSourceChanges", "true").lower() != "false":
        # "If you omit PollForSourceChanges, CodePipeline defaults to polling."
        raise _reject(f"Polling for source changes {LOCALLY}: action '{name}' must set PollForSourceChanges to false")
    if given.get("OutputArtifactFormat", "CODE_ZIP") != "CODE_ZIP":
        raise _reject(f"OutputArtifactFormat {given['OutputArtifactFormat']} of action '{name}' {LOCALLY}")


def _check_ecr(action: dict[str, Any], given: dict[str, str]) -> None:
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageIdentifier.html, a tag's length
    if not 1 <= len(given.get("ImageTag", "latest")) <= 300:
        raise _reject(f"ImageTag of action '{action['name']}' must have 1 to 300 characters")


def _check_codebuild(action: dict[str, Any], given: dict[str, str]) -> None:
    name, inputs = action["name"], [each["name"] for each in action["inputArtifacts"]]
    if len(inputs) > 1:
        # "This parameter is required if multiple input artifacts are specified."
        _need(name, given, {"PrimarySource"})
    if given.get("PrimarySource", inputs[0]) not in inputs:
        raise _reject(f"PrimarySource of action '{name}' must be the name of one of its input artifacts")
    try:
        variables = json.loads(given.get("EnvironmentVariables", "[]"))
        fine = all({"name", "value"} <= each.keys() <= {"name", "value", "type"} for each in variables)
    except (ValueError, AttributeError, TypeError):
        fine = False
    if not fine:
        raise _reject(f"EnvironmentVariables of action '{name}' must be a JSON array of objects with name, value and "
                      "type")
    if any(each.get("type", "PLAINTEXT") not in stored_variables.TYPES for each in variables):
        raise _reject(f"An environment variable of action '{name}' has a type that is not one of "
                      f"{', '.join(stored_variables.TYPES)}")


def _check_approval(action: dict[str, Any], given: dict[str, str]) -> None:
    topic = given.get("NotificationArn", "")
    if topic and not VARIABLE.search(topic) and not re.fullmatch(r"arn:aws[\w-]*:sns:[\w-]+:\d{12}:[\w.-]+", topic):
        raise _reject(f"NotificationArn of action '{action['name']}' is not the ARN of a topic")


def _check_cloudformation(action: dict[str, Any], given: dict[str, str]) -> None:
    name, mode = action["name"], given["ActionMode"]
    if mode not in MODES:
        raise _reject(f"Action configuration for action '{name}' has an invalid ActionMode '{mode}'; valid are "
                      f"{', '.join(sorted(MODES))}")
    _need(name, given, MODES[mode])
    for each in given.get("Capabilities", "CAPABILITY_IAM").split(","):
        if each not in CAPABILITIES:
            raise _reject(f"Action configuration for action '{name}' has an unknown capability '{each}'")
    inputs = {each["name"] for each in action.get("inputArtifacts", [])}
    for key in ("TemplatePath", "TemplateConfiguration"):
        artifact, separator, path = given.get(key, "").partition("::")
        if key in given and (not separator or not path or artifact not in inputs):
            raise _reject(f"{key} of action '{name}' must be ArtifactName::FileName, the artifact being one of its "
                          "input artifacts")
    if len(given.get("ParameterOverrides", "").encode()) > 1024:
        # https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
        raise _reject(f"ParameterOverrides of action '{name}' is larger than 1 KB")


def _check_bucket(action: dict[str, Any], given: dict[str, str]) -> None:
    name, extract = action["name"], given["Extract"].lower()
    if extract not in ("true", "false"):
        raise _reject(f"Extract of action '{name}' must be true or false")
    if extract == "false":
        # "If false, then the ObjectKey is required."
        _need(name, given, {"ObjectKey"})


_CHECKS = {"CodeCommit": _check_codecommit, "ECR": _check_ecr, "CodeBuild": _check_codebuild,
           "Manual": _check_approval, "CloudFormation": _check_cloudformation, "S3": _check_bucket}


def _in_order(stages: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The actions in the order of their execution: those of one group run concurrently."""
    for stage in stages:
        for order in sorted({action["runOrder"] for action in stage["actions"]}):
            yield [action for action in stage["actions"] if action["runOrder"] == order]


def _check_artifacts(stages: list[dict[str, Any]]) -> None:
    outputs = [each["name"] for group in _in_order(stages) for action in group
               for each in action.get("outputArtifacts", [])]
    _unique(outputs, "InvalidActionDeclarationException",
            "Output Artifact Bundle name must be unique within the pipeline. {} has been used more than once.")
    made: set[str] = set()
    for group in _in_order(stages):
        for action in group:
            for each in action.get("inputArtifacts", []):
                if each["name"] not in made:
                    raise _reject(f"Input Artifact Bundle {each['name']} in action {action['name']} is not declared "
                                  "as an output artifact in any of the preceding actions")
        made |= {each["name"] for action in group for each in action.get("outputArtifacts", [])}


def _check_variables(made: dict[str, Any]) -> None:
    namespaces = [action["namespace"] for _, action in actions(made) if "namespace" in action]
    _unique(namespaces, "InvalidActionDeclarationException",
            "Namespaces must be unique within the pipeline. {} has been used more than once.")
    if "codepipeline" in namespaces:
        raise _reject("The namespace codepipeline is reserved")
    outputs = {each["name"] for _, action in actions(made) for each in action.get("outputArtifacts", [])}
    for shared in sorted(set(namespaces) & outputs):
        # "Namespaces must be unique across the pipeline definition and cannot conflict with any artifact names."
        raise _reject(f"The namespace {shared} is the name of an artifact")
    known = {"codepipeline"}
    for group in _in_order(made["stages"]):
        for action in group:
            for key, value in action.get("configuration", {}).items():
                _check_references(action, key, value, known)
        known |= {action["namespace"] for action in group if "namespace" in action}


def _check_references(action: dict[str, Any], key: str, value: str, known: set[str]) -> None:
    for reference in VARIABLE.findall(value):
        if not _REFERENCE.fullmatch(reference):
            raise _reject(f"Action configuration '{key}' of action '{action['name']}' has a variable reference "
                          f"#{{{reference}}} that is not a namespace and a key separated by a period")
        if action["actionTypeId"]["category"] == "Source":
            raise _reject(f"Action configuration '{key}' of source action '{action['name']}' cannot have a variable "
                          "reference")
        namespace = reference.partition(".")[0]
        if namespace not in known:
            raise _reject(f"Action configuration '{key}' of action '{action['name']}' refers to the namespace "
                          f"{namespace}, which no preceding action has")
