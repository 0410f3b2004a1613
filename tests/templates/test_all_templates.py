"""Names, tags and parameters of all templates."""

import copy
import json
import re
from collections import Counter

import pytest

from tests.policies import scene
from tests.templates.deployed import source

NAMES = [path.stem for path in scene.templates()]
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html, and the API reference of each
# service.
LIMITS = {
    "AWS::CloudWatch::Alarm": 255,
    "AWS::CloudWatch::Dashboard": 255,
    "AWS::CodeBuild::Project": 150,
    "AWS::CodeCommit::Repository": 100,
    "AWS::CodePipeline::Pipeline": 100,
    "AWS::Events::Rule": 64,
    "AWS::IAM::ManagedPolicy": 128,
    "AWS::IAM::Role": 64,
    "AWS::IAM::User": 64,
    "AWS::Lambda::Function": 64,
    "AWS::Logs::LogGroup": 512,
    "AWS::SQS::Queue": 80,
}
# Their schemas have no tags, or other tags: a launch template's are those of its instances.
UNTAGGED = {
    "AWS::EC2::LaunchTemplate",
    "AWS::Events::EventBusPolicy",
    "AWS::IAM::Group",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::KMS::Alias",
    "AWS::Lambda::Permission",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SecretsManager::RotationSchedule",
}


def with_values(name, **values):
    """The template as in the scene, with other values of the parameters that it has."""
    deployed = copy.copy(scene.stacks()[name].deployed)
    deployed.values = {
        **deployed.values,
        **{key: value for key, value in values.items() if key in deployed.values},
    }
    return deployed


@pytest.mark.parametrize("name", NAMES)
def test_every_name_fits_for_the_longest_environment_and_project(name):
    stack = with_values(name, EnvID="e" * 10, ProjectID="P" * 20)
    for kind, limit in LIMITS.items():
        for logical_id in filter(stack.is_made, stack.of_type(kind)):
            # An ARN or an address ends in the name. A log group's name has slashes.
            given = stack.name(logical_id)
            assert len(given if kind == "AWS::Logs::LogGroup" else given.rsplit("/", 1)[-1]) <= limit, (
                logical_id
            )


# CloudFormation copies the environment's tags from its stack: test_resources.py. The function adds its own:
# src/common/tags.rs.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "template"])
def test_every_taggable_resource_has_the_tag_created_by(name):
    stack = scene.stacks()[name].deployed
    for logical_id in stack.everything():
        resource_type = stack.template["Resources"][logical_id]["Type"]
        if resource_type not in UNTAGGED and not resource_type.startswith("Custom::"):
            tags = stack.properties(logical_id)["Tags"]
            found = tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}
            assert found["CreatedBy"] == f"{name}-dev", logical_id


# The function deploys pipeline.yaml, so no person sees its parameters.
@pytest.mark.parametrize(
    "path", [path for path in scene.templates() if path.stem != "pipeline"], ids=lambda path: path.stem
)
def test_no_parameter_is_idle_and_each_is_in_a_group(path):
    template = source(path)
    used = json.dumps(
        [template.get("Globals"), template.get("Conditions"), template["Resources"], template.get("Outputs")]
    )
    assert [
        name for name in template["Parameters"] if not re.search(rf'"Ref": "{name}"|\$\{{{name}\}}', used)
    ] == []
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert [name for name in template["Parameters"] if name not in grouped] == []
    assert Counter(grouped) <= Counter(template["Parameters"].keys())
    assert [name for name, parameter in template["Parameters"].items() if not parameter["Description"]] == []


# Resources whose content is not in a template. Exactly these outlive their stacks.
RETAINED = {
    "template": ["ArtifactBucket", "ArtifactBucketPolicy"],
    "cross-account-artifacts": ["ArtifactBucket", "ArtifactBucketPolicy", "ArtifactKey"],
    "cross-account-image": ["Repository"],
    "replica": ["Replica"],
    "repository": ["Repository"],
}


@pytest.mark.parametrize("path", scene.templates(), ids=NAMES)
def test_only_listed_resources_outlive_their_stack(path):
    kept = {
        name: (resource.get("DeletionPolicy", "Delete"), resource.get("UpdateReplacePolicy", "Delete"))
        for name, resource in source(path)["Resources"].items()
    }
    found = {name: policies for name, policies in kept.items() if policies != ("Delete", "Delete")}
    assert found == dict.fromkeys(RETAINED.get(path.stem, []), ("RetainExceptOnCreate", "Retain"))


@pytest.mark.parametrize("path", scene.templates(), ids=NAMES)
def test_every_suppressed_check_has_a_reason(path):
    for name, resource in source(path)["Resources"].items():
        for entry in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            assert entry["id"].startswith("CKV_AWS_") and len(entry["comment"]) > 30, name
    # cfn-lint's list of actions lacks some of them. It compares none in a template with a transform.
    ignored = {
        name: resource["Metadata"]["cfn-lint"]["config"]["ignore_checks"]
        for name, resource in source(path)["Resources"].items()
        if "cfn-lint" in resource.get("Metadata", {})
    }
    known = {"deployment": "Role", "deployed-services": "Functions"}
    assert ignored == ({known[path.stem]: ["W3037"]} if path.stem in known else {})
    assert json.dumps(source(path)).count("cfn-lint") == len(ignored)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if scene.stacks()[name].deployed.of_type("AWS::CloudWatch::Alarm")]
)
def test_alarm_notifies_the_given_topic_of_its_beginning_and_end(name):
    topic = "arn:aws:sns:eu-central-1:123456789012:sns-dev-alarms"
    notified, silent = with_values(name, AlarmTopicArn=topic), with_values(name, AlarmTopicArn="")
    for alarm in notified.of_type("AWS::CloudWatch::Alarm"):
        properties = notified.properties(alarm)
        assert properties["AlarmActions"] == properties["OKActions"] == [topic], alarm
        assert (
            not {"AlarmActions", "OKActions", "InsufficientDataActions"} & silent.properties(alarm).keys()
        ), alarm


@pytest.mark.parametrize("name", NAMES)
def test_no_boundary_is_set_by_default(name):
    stack = with_values(name, PermissionsBoundaryArn="")
    assert [
        each for each, properties in stack.everything().items() if "PermissionsBoundary" in properties
    ] == []


# docs/project/decisions/2026-11-22-no-role-paths.md
@pytest.mark.parametrize("path", scene.templates(), ids=NAMES)
def test_no_resource_has_a_path(path):
    assert [
        name
        for name, resource in source(path)["Resources"].items()
        if "Path" in resource.get("Properties", {})
    ] == []
