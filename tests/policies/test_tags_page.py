"""docs/how-to/tags.md: the keys of tags that are set, and which calls carry the tags that a policy may
require."""

import json
import re
from pathlib import Path

import parliament
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.local.policies.statements import as_list
from tests.policies import scene
from tests.policies.tables import BUILD_ROLE, FUNCTION_ROLE, REVIEW_ROLE
from tests.templates.deployed import source
from tests.templates.renderings import rendering

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/tags.md").read_text()
SECTION = PAGE.partition("\n## Calls that create something\n")[2]
# CloudFormation's code for rules passes no tags to PutRule, and the one for log groups passes them to
# CreateLogGroup: https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-events
# (aws-events-rule, Translator.java)
# https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-logs (aws-logs-loggroup,
# Translator.java)
IS_CREATION = re.compile(r"[a-z0-9]+:(Create|PutRule$|PutMetricAlarm$|PutDashboard$)")
# Lambda and CodeBuild make these with the roles.
WITHIN_LAMBDA_OR_CODEBUILD = {"ec2:CreateNetworkInterface", "logs:CreateLogStream"}
# S3 has it since parliament's list:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/buckets-tagging.html CloudWatch too: the schema of
# AWS::CloudWatch::Dashboard has `tagOnCreate`.
LATER = {"s3:CreateBucket", "cloudwatch:PutDashboard"}
# For properties that template.yaml does not set.
OF_OTHER_PROPERTIES = {
    "iam:CreateLoginProfile",
    "kms:CreateGrant",
    "logs:CreateLogDelivery",
    "s3:CreateBucketMetadataTableConfiguration",
    "s3tables:CreateNamespace",
    "s3tables:CreateTable",
    "s3tables:CreateTableBucket",
}


def rows(number):
    """The calls of a table, with what it states about their tags."""
    table = re.findall(r"(?:^\|.*\n)+", SECTION, re.MULTILINE)[number]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if "`" in line]
    return {call: tags for calls, *_, tags in cells for call in re.findall(r"`([a-z0-9]+:[A-Za-z]+)`", calls)}


def allowed_creations(role):
    return {
        action
        for policy in scene.world().policies
        if policy.side == "identity" and role in policy.principals
        for statement in as_list(policy.document["Statement"])
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
        if IS_CREATION.match(action)
    }


def takes_tags(action):
    """Whether IAM has aws:RequestTag for it."""
    service, name = action.split(":")
    found = [
        each
        for entry in parliament.iam_definition
        if entry["prefix"] == service
        for privilege in entry["privileges"]
        if privilege["privilege"] == name
        for each in privilege["resource_types"]
    ]
    assert found, action
    return any("aws:RequestTag/${TagKey}" in each["condition_keys"] for each in found)


def test_page_has_each_key_of_a_tag():
    """A version of a secret has labels instead of tags. SAM's transform adds a tag to each function."""
    code = "".join(file.read_text() for file in (ROOT / "src").rglob("*.rs"))
    of_templates = {
        key
        for file in (ROOT / "templates").glob("*.yaml")
        for key in re.findall(r"Key: ([\w:-]+)", file.read_text())
    }
    constants = dict(re.findall(r'const (\w+): &str = "(cfn-gitops:[a-z0-9-]+)";', code))
    keys = {key for name, key in constants.items() if not name.endswith("_LABEL")}
    assert any(each["Type"] == "AWS::Serverless::Function" for each in source()["Resources"].values())
    table = PAGE.partition("(aws:TagKeys)\n")[2].partition("\n## ")[0]
    shown = {
        key
        for cell in re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)
        for key in re.findall("`(.+?)`", cell)
    }
    of_examples = {
        key
        for file in (ROOT / "examples").glob("*/parameter.json")
        for key in json.loads(file.read_text())["Tags"]
    }
    assert shown == keys | of_templates | of_examples | {"lambda:createdBy", "ManagedStackSource"}


def test_page_has_each_call_of_the_roles_that_creates_something():
    roles = (FUNCTION_ROLE, f"{FUNCTION_ROLE}-provisioning", BUILD_ROLE, REVIEW_ROLE)
    assert rows(0).keys() == set().union(*map(allowed_creations, roles)) - WITHIN_LAMBDA_OR_CODEBUILD


def test_page_has_each_call_of_a_deployment_that_creates_something():
    types = {each["Type"].replace("Serverless", "Lambda") for each in source()["Resources"].values()}
    handlers = [
        PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", each).schema["handlers"]["create"]
        for each in types
        if not each.startswith("Custom::")
    ]
    created = {action for each in handlers for action in each["permissions"] if IS_CREATION.match(action)}
    assert created > OF_OTHER_PROPERTIES
    # `sam deploy` calls it first.
    assert rows(1).keys() == created - OF_OTHER_PROPERTIES | {"cloudformation:CreateChangeSet"}


def test_calls_without_tags_are_those_for_which_iam_has_none():
    calls = rows(0) | rows(1)
    untagged = {call for call, tags in calls.items() if tags.startswith("has no tags")}
    # CloudFormation has no property for the tags of a managed policy.
    assert (
        "Tags"
        not in PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::IAM::ManagedPolicy").schema[
            "properties"
        ]
    )
    assert untagged - {"iam:CreatePolicy"} == {call for call in calls if not takes_tags(call)} - LATER


def test_reason_of_a_denial_names_the_tags_for_exactly_these_calls():
    code = (ROOT / "src/clients/aws/call_error.rs").read_text()
    [listed] = re.findall(r"const CREATES_WITH_TAGS: \[&str; \d+\] = \[(.*?)\]", code, re.DOTALL)
    assert set(re.findall(r'"(\w+)"', listed)) == {
        call.split(":")[1] for call, tags in rows(0).items() if tags.startswith("yes")
    }


def test_each_resource_of_a_child_stack_has_the_tags():
    types = set()
    for variation, wanted in (("tags", {"CostCenter", "CreatedBy"}), ("review", {"CreatedBy"})):
        for resource in rendering(variation)["Resources"].values():
            types.add(resource["Type"])
            assert wanted <= {tag["Key"] for tag in resource["Properties"]["Tags"]}, resource["Type"]
    creates = {
        "AWS::CodeBuild::Project": "CreateProject",
        "AWS::CodeCommit::Repository": "CreateRepository",
        "AWS::CodePipeline::Pipeline": "CreatePipeline",
        "AWS::Events::Rule": "PutRule",
        "AWS::Logs::LogGroup": "CreateLogGroup",
    }
    assert types == creates.keys()
    assert set(creates.values()) == {
        call.split(":")[1] for call in allowed_creations(f"{FUNCTION_ROLE}-provisioning")
    }
