"""Settings, names and outputs of the resources of template.yaml."""

import json
import re
import tomllib

import boto3
import pytest

from tests.templates.deployed import TEMPLATE, Deployed, source, translated
from tests.templates.named import IN_A_VPC, PROXY

LONGEST_ENV = "e" * 10
LONGEST_PROJECT = "P" * 20


def regions():
    """Every region of every partition in which CodeCommit is offered."""
    session = boto3.session.Session()
    return sorted(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("codecommit", partition_name=partition)
    )


# claim: failed-event-is-not-stored
def test_failed_event_is_not_stored():
    """The event contains the ResponseURL, which a queue or destination would keep."""
    for name, resource in translated()["Resources"].items():
        properties = resource.get("Properties", {})
        assert "DeadLetterConfig" not in properties, name
        assert "DestinationConfig" not in properties, name
        assert resource["Type"].split("::")[1] not in ("SQS", "SNS"), name
    # The rule that invokes the function does not keep undelivered events either.
    assert "DeadLetterConfig" not in json.dumps(translated())


def test_a_function_that_was_killed_runs_again_within_the_hour(dev):
    assert dev.properties("FunctionEventInvokeConfig") == {
        "FunctionName": dev.name("Function"),
        "Qualifier": "$LATEST",
        "MaximumRetryAttempts": 2,
        "MaximumEventAgeInSeconds": 3600,
    }


def test_function_is_a_native_binary_with_the_maximum_timeout(dev):
    function = dev.properties("Function")
    assert (function["Runtime"], function["Handler"]) == ("provided.al2023", "bootstrap")
    assert function["Architectures"] == ["x86_64"]
    assert function["Timeout"] == 900
    # `sam build` follows the path of a function, and not that of Globals.
    of_functions = [
        source()["Resources"][name]["Properties"]["CodeUri"] for name in ("Function", "ReadFunction")
    ]
    assert of_functions == ["target/lambda/cfn-gitops/"] * 2


def test_the_function_logs_json_to_the_group_of_the_stack(dev):
    assert dev.properties("Function")["LoggingConfig"] == {
        "LogGroup": dev.name("FunctionLogGroup"),
        "LogFormat": "JSON",
    }
    assert dev.properties("FunctionLogGroup")["RetentionInDays"] == "90"


def test_function_may_approve_nothing_by_default(dev):
    assert dev.properties("Function")["Environment"]["Variables"] == {
        "RUST_LOG": "info",
        "FUNCTION_APPROVALS": "Denied",
    }


def test_function_is_in_a_vpc_only_with_subnets(dev):
    assert dev.properties("Function")["VpcConfig"] == {
        "SubnetIds": [],
        "SecurityGroupIds": [],
        "Ipv6AllowedForDualStack": "false",
    }
    stack = Deployed(EnvID="dev", **IN_A_VPC)
    assert stack.properties("Function")["VpcConfig"] == {
        "SubnetIds": ["subnet-0a1b2c3d", "subnet-4e5f6a7b"],
        "SecurityGroupIds": ["sg-0a1b2c3d"],
        "Ipv6AllowedForDualStack": "false",
    }
    ipv6 = Deployed(EnvID="dev", VpcIpv6="true", **IN_A_VPC).properties("Function")["VpcConfig"]
    assert ipv6["Ipv6AllowedForDualStack"] == "true"
    # The role is the template's own, without a policy that SAM adds.
    assert stack.properties("Function")["Role"] == stack.arn("FunctionRole")


# claim: variables-of-the-function-hold-no-secret
def test_variables_of_the_function_are_settings_without_a_login():
    variables = Deployed(EnvID="dev", **PROXY).properties("Function")["Environment"]["Variables"]
    assert variables == {
        "RUST_LOG": "info",
        "FUNCTION_APPROVALS": "Denied",
        "HTTPS_PROXY": PROXY["HttpsProxy"],
        "NO_PROXY": PROXY["NoProxy"],
    }
    assert "@" not in source()["Parameters"]["HttpsProxy"]["AllowedPattern"]


@pytest.mark.parametrize("given", [{}, {**IN_A_VPC, **PROXY, "VpcIpv6": "true"}])
def test_function_that_reads_has_the_same_package_and_network(given):
    stack = Deployed(EnvID="dev", **given)
    function, reading = stack.properties("Function"), stack.properties("ReadFunction")
    same = function.keys() - {
        "FunctionName",
        "Description",
        "Role",
        "MemorySize",
        "Timeout",
        "LoggingConfig",
        "Environment",
        "Tags",
    }
    assert {"Code", "VpcConfig", "Runtime"} <= same
    assert {name: reading[name] for name in same} == {name: function[name] for name in same}
    assert reading["LoggingConfig"] == {"LogGroup": "/aws/lambda/cfn-gitops-dev-read", "LogFormat": "JSON"}
    variables, of_the_other = reading["Environment"]["Variables"], function["Environment"]["Variables"]
    assert (
        variables.keys() - of_the_other.keys() == {"FUNCTION", "ENVIRONMENT"}
        and variables["FUNCTION"] == "read"
    )
    assert of_the_other.items() <= variables.items()


def test_the_bucket_is_encrypted_and_cleans_up(dev):
    """checkov requires that it is private and versioned."""
    bucket = dev.properties("ArtifactBucket")
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert {rule["Status"] for rule in rules} == {"Enabled"}
    done = {key for rule in rules for key in rule}
    assert {"ExpirationInDays", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"} <= done
    # Artifacts of pipelines expire, by a prefix that every pipeline's name begins with.
    (expiring,) = [rule for rule in rules if rule["Id"] not in OF_REVIEWS and "ExpirationInDays" in rule]
    assert "codepipeline-dev-cfn-infra"[:20].startswith(expiring["Prefix"])


OF_REVIEWS = ("review-artifacts", "packaged-code-of-reviews")


def test_output_of_reviews_expires_after_a_week(dev):
    rules = dev.properties("ArtifactBucket")["LifecycleConfiguration"]["Rules"]
    expiring = {rule["Id"]: rule for rule in rules if rule["Id"] in OF_REVIEWS}
    assert {each: rule["ExpirationInDays"] for each, rule in expiring.items()} == dict.fromkeys(OF_REVIEWS, 7)
    assert expiring["review-artifacts"]["Prefix"] == "review/"


def test_packaged_code_of_pipelines_does_not_expire(dev):
    """Code that a pipeline deployed has the ID of the build role in its key. A rollback needs it."""
    rules = dev.properties("ArtifactBucket")["LifecycleConfiguration"]["Rules"]
    expiring = [rule["Prefix"] for rule in rules if "ExpirationInDays" in rule]
    assert [prefix for prefix in expiring if prefix.startswith("code")] == [
        "codepipeline-",
        "code/ReviewCodeBuildCFnRole.RoleId",
    ]
    # Each key of a build's code begins with the ID of its role: aws:userid is <role ID>:<session name>.
    of_a_pipeline = "code/CodeBuildCFnRole.RoleId:AWSCodeBuild-0a1b/0a1b2c"
    assert not of_a_pipeline.startswith(tuple(expiring))


def test_exports_and_later_pipelines_have_short_enough_names():
    """test_all_templates.py has the limits of the template's resources."""
    stack = Deployed(EnvID=LONGEST_ENV, ProjectID=LONGEST_PROJECT)
    for output in stack.outputs().values():
        assert len(output.get("Export", {}).get("Name", "")) <= 255
    # Later pipelines get their names from the same two parameters.
    assert len(f"gitops-{LONGEST_ENV}-{LONGEST_PROJECT}") <= 128


@pytest.mark.parametrize("region", regions())
def test_the_buckets_name_fits_in_every_region(region):
    name = Deployed(region, EnvID=LONGEST_ENV).name("ArtifactBucket")
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", name), name


def test_stack_has_the_tag_created_by():
    tables = tomllib.loads((TEMPLATE.parent / "samconfig.toml").read_text())
    for name, table in tables.items():
        if name != "version":
            assert table["deploy"]["parameters"]["tags"] == [
                f"CreatedBy={table['global']['parameters']['stack_name']}"
            ], name


def test_no_resource_repeats_the_tags_of_the_stack(dev):
    """CloudFormation copies them to every resource except these. test_events.py has their values."""
    tagged = [name for name, resource in source()["Resources"].items() if "Tags" in resource["Properties"]]
    assert sorted(tagged) == ["MirrorCredential", "Project"]


ATTRIBUTES = {
    "SecretArn",
    "SecretName",
    "UserName",
    "ServiceUserName",
    "ServiceSpecificCredentialId",
    "CreateDate",
}


def test_outputs_and_their_exports_bear_the_environments_name(dev):
    for name, output in dev.outputs().items():
        # An export cannot change while a stack imports it.
        changes = name == "PipelinesMayDeploy"
        assert output.get("Export") == (None if changes else {"Name": f"cfn-gitops-dev-{name}"})
        assert output["Description"]


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ({}, ""),
        ({"DeployedRoles": "Bounded"}, " Roles with the boundary of deployed roles (role-dev-*)."),
        (
            {"DeployPolicyArns": "arn:aws:iam::aws:policy/AmazonSNSFullAccess"},
            " What the policies in DeployPolicyArns allow.",
        ),
    ],
)
def test_an_output_lists_what_pipelines_may_deploy(given, more):
    assert (
        Deployed(EnvID="dev", **given).outputs()["PipelinesMayDeploy"]["Value"]
        == "Lambda functions (lambda-dev-*) and event rules (event-rule-dev-*), also with names by"
        f" CloudFormation, and nested stacks.{more}"
    )


# claim: no-password-in-logs-events-outputs-attributes-or-sam-output
def test_no_output_is_a_secret(dev):
    """The resource has no secret attribute, and no output resolves the secret's value."""
    text = json.dumps(source()["Outputs"])
    used = re.findall(r'"MirrorCredential(?:", "|\.)([A-Za-z]+)"', text)
    assert used and set(used) <= ATTRIBUTES
    assert "resolve:" not in json.dumps(translated())
    assert not re.search(r"password|accesskey|responseurl", text, re.IGNORECASE)
