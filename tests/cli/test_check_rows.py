"""The rows of `check` for what the local AWS does not have, with the responses that AWS documents."""

import copy
import functools
import importlib
import inspect
import socket
import threading
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from cli.checks import region, rights, rows, template as templates
from cli.checks.executions import execution_rows
from cli.checks.names import Names
from cli.checks.rows import Reader, Row, findings
from cli.checks.stack import project_findings, stack_check
from cli.checks.template import Template
from cli.commands import check
from cli.commands.check import values
from cli.environment.account import Account, Environment
from cli.environment.samconfig import Settings
from cli.project.approvals import is_waiting
from cli.project.pipelines import is_unfinished
from cli.shell.output import Finding, Sound
from tests.cli.scene import ROOT

ACCOUNT = "111122223333"
CALLER = f"arn:aws:iam::{ACCOUNT}:user/operator"
OWNER = f"arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack/cfn-gitops-dev/1a2b"


def reader(region_name: str = "eu-central-1", arn: str = CALLER) -> Reader:
    session = boto3.Session("key", "secret", region_name=region_name)
    return Reader(Environment(Settings("dev", "cfn-gitops-dev", {"EnvID": "dev"}), Account(session, ACCOUNT, arn)))


@functools.cache
def document_of_the_release() -> dict[str, Any]:
    return templates.read(ROOT)


def template(of: Reader, **parameters: str) -> Template:
    document = document_of_the_release()
    of.environment.settings.parameters |= parameters
    return Template(document, values(of.environment, document, None))


def error(code: str, operation: str = "Operation", status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)  # type: ignore[typeddict-item]


# Every status of CloudFormation's API reference. https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html
STATUSES = {
    "sound": "CREATE_COMPLETE UPDATE_COMPLETE UPDATE_ROLLBACK_COMPLETE IMPORT_COMPLETE IMPORT_ROLLBACK_COMPLETE REVIEW_IN_PROGRESS",
    "cloudformation wait": "CREATE_IN_PROGRESS UPDATE_IN_PROGRESS UPDATE_COMPLETE_CLEANUP_IN_PROGRESS UPDATE_ROLLBACK_IN_PROGRESS "
                           "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS DELETE_IN_PROGRESS IMPORT_IN_PROGRESS",
    "Wait for its end": "IMPORT_ROLLBACK_IN_PROGRESS",
    "cloudformation delete-stack": "ROLLBACK_COMPLETE ROLLBACK_FAILED CREATE_FAILED DELETE_FAILED ROLLBACK_IN_PROGRESS",
    "cloudformation continue-update-rollback": "UPDATE_ROLLBACK_FAILED",
    "cloudformation rollback-stack": "UPDATE_FAILED",
    "cfn-gitops failures --env dev": "IMPORT_ROLLBACK_FAILED",
}


@pytest.mark.parametrize(("remedy", "status"), [(remedy, status) for remedy, all_of in STATUSES.items() for status in all_of.split()])
def test_stack_status_has_its_remedy(remedy: str, status: str) -> None:
    finding = stack_check(reader().environment, {"StackStatus": status, "Parameters": [
        {"ParameterKey": "EnvID", "ParameterValue": "dev"}]})
    assert finding.result == ("sound" if remedy == "sound" else "found")
    assert remedy == "sound" or remedy in finding.remedy


def test_rolled_back_update_is_sound_and_names_its_cause() -> None:
    parameters = [{"ParameterKey": "EnvID", "ParameterValue": "dev"}]
    finding = stack_check(reader().environment, {"StackStatus": "UPDATE_ROLLBACK_COMPLETE", "Parameters": parameters})
    assert finding.remedy == "Its last update was rolled back. Read why: cfn-gitops failures --env dev"


def test_stack_of_another_program_is_found() -> None:
    """`sam deploy` would replace its resources."""
    finding = stack_check(reader().environment, {"StackStatus": "CREATE_COMPLETE"})
    assert finding.text.startswith("it has no parameter EnvID") and "stack_name" in finding.remedy


@pytest.mark.parametrize(("given", "former", "count"), [
    ({}, "infra", 0), ({"ProjectID": "infra"}, "infra", 0), ({"ProjectID": "other"}, "", 0), ({"ProjectID": "other"}, "infra", 1),
    ({"ProjectID": ""}, "infra", 1)])
def test_replaced_first_project_is_found(given: dict[str, str], former: str, count: int) -> None:
    environment = reader().environment
    environment.settings.parameters |= given
    found = project_findings(environment, {"Parameters": [{"ParameterKey": "ProjectID", "ParameterValue": former}]})
    assert len(found) == count and all("codecommit-dev-cfn-infra with its commits" in each.text for each in found)
    assert project_findings(environment, None) == []


def test_template_of_the_release_counts_for_settings_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(ROOT / "cfn-gitops")])
    assert templates.folder(tmp_path / "samconfig.toml") == ROOT
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "cli/__main__.py")])
    assert templates.folder(ROOT / "samconfig.toml") == ROOT


def test_every_stack_status_of_the_api_is_tried() -> None:
    shape = boto3.Session().client("cloudformation", region_name="eu-central-1").meta.service_model.shape_for("StackStatus")
    tried = {status for all_of in STATUSES.values() for status in all_of.split()}
    assert tried == set(shape.enum) - {"DELETE_COMPLETE"}


NO_NAME, NO_SERVER = socket.gaierror(socket.EAI_NONAME, "Name or service not known"), socket.gaierror(socket.EAI_AGAIN, "try again")


@pytest.mark.parametrize(("region_name", "raised", "result"), [
    ("mx-central-1", NO_NAME, "found"),
    # A resolver that fails, a region of the SDK's data, and a network without a route prove nothing.
    ("mx-central-1", NO_SERVER, "not checked"), ("eu-central-1", NO_NAME, "not checked"), ("mx-central-1", OSError(101, "no route"), "not checked"),
])
def test_region_without_a_service_is_found_by_proof_only(
        monkeypatch: pytest.MonkeyPatch, region_name: str, raised: Exception, result: str) -> None:
    monkeypatch.setattr(rows, "_CONFIG", Config(retries={"total_max_attempts": 1}, proxies={}))
    monkeypatch.setattr(socket, "getaddrinfo", MagicMock(side_effect=raised))
    of = reader(region_name)
    [finding] = rows.findings(each for each in region.service_rows(of) if each.subject == f"CodeCommit in {region_name}")
    assert finding.result == result
    assert ("the region has no CodeCommit" if result == "found" else "does not answer") in finding.text


def test_response_proves_that_a_region_has_the_services() -> None:
    """The SDK's data may be older than the region. A denial may come from a service control policy."""
    of = reader("mx-central-1")
    checks = region.service_rows(of)
    with Stubber(of.client("codecommit")) as codecommit, Stubber(of.client("codepipeline")) as codepipeline, \
            Stubber(of.client("codebuild")) as codebuild:
        codecommit.add_response("list_repositories", {"repositories": []})
        codepipeline.add_client_error("list_pipelines", "AccessDeniedException", "m")
        codebuild.add_response("list_projects", {"projects": ["p"]})
        found = rows.findings(checks)
    assert [each.result for each in found] == ["sound", "not checked", "sound"]
    assert found[1].text == "ListPipelines is denied: m"


QUOTAS = {"Roles": 995, "RolesQuota": 1000, "Users": 1, "UsersQuota": 5000, "Policies": 1, "PoliciesQuota": 1500}


@pytest.mark.parametrize(("owned", "summary", "result", "text"), [
    ({}, QUOTAS, "found", "the account has 995 of 1000, and the stack creates 8 more"),
    # A later version of the template may have more roles.
    ({"FunctionRole": "role", "ReadFunctionRole": "role", "CodeBuildCFnRole": "role"}, QUOTAS | {"RolesQuota": 999}, "found", "creates 5 more"),
    ({"FunctionRole": "role", "ReadFunctionRole": "role", "CodeBuildCFnRole": "role"}, QUOTAS, "sound", ""),
    ({}, {"Roles": 995}, "not checked", "has no Roles or no RolesQuota"),
])
def test_quota_of_roles_counts_those_not_yet_created(owned: dict[str, str], summary: dict[str, int], result: str, text: str) -> None:
    of = reader()
    checks = region.iam_quota_rows(of, template(of), owned)
    with Stubber(of.client("iam")) as iam:
        iam.add_response("get_account_summary", {"SummaryMap": summary})  # type: ignore[arg-type]
        found = findings(checks)
    assert {each.result for each in found} == {result} and any(text in each.text for each in found)


def simulated(**more: Any) -> dict[str, Any]:
    return {"EvalActionName": "iam:CreateRole", "EvalResourceName": "arn:aws:iam::111122223333:role/r", "EvalDecision": "implicitDeny", **more}


def specific(decision: str, *missing: str) -> dict[str, Any]:
    return {"EvalResourceName": "arn:aws:iam::111122223333:role/r", "EvalResourceDecision": decision, "MissingContextValues": list(missing)}


@pytest.mark.parametrize(("results", "result", "text"), [
    ([simulated()], "found", "no policy allows iam:CreateRole"),
    ([simulated(EvalDecision="explicitDeny")], "found", "a policy denies iam:CreateRole"),
    ([simulated(EvalDecision="allowed")], "sound", ""),
    ([simulated(PermissionsBoundaryDecisionDetail={"AllowedByPermissionsBoundary": False})], "found", "the permissions boundary"),
    # Its statements may have conditions that the simulation does not know.
    ([simulated(OrganizationsDecisionDetail={"AllowedByOrganizations": False})], "not checked", "a service control policy decides"),
    ([simulated(MissingContextValues=["aws:PrincipalTag/team"])], "not checked", "aws:PrincipalTag/team"),
    ([simulated(ResourceSpecificResults=[specific("implicitDeny", "aws:MultiFactorAuthPresent")])], "not checked", "MultiFactorAuthPresent"),
    ([simulated(ResourceSpecificResults=[specific("implicitDeny")], EvalDecision="allowed")], "found", "no policy allows"),
    ([simulated(ResourceSpecificResults=[specific("allowed")])], "sound", ""),
    # The key may decide the other way in the call.
    ([simulated(ResourceSpecificResults=[specific("allowed", "aws:SourceVpce")])], "not checked", "conditions on aws:SourceVpce"),
    ([simulated(EvalDecision="allowed", MissingContextValues=["aws:SourceIp"])], "not checked", "conditions on aws:SourceIp"),
    ([], "not checked", "IAM did not simulate iam:CreateRole"),
])
def test_simulated_decision_is_a_finding_only_if_it_is_proven(results: list[dict[str, Any]], result: str, text: str) -> None:
    of = reader()
    with Stubber(of.client("iam")) as iam:
        iam.add_response("simulate_principal_policy", {"EvaluationResults": results, "IsTruncated": False})
        request = rights.Request(["iam:CreateRole"], ["arn:aws:iam::111122223333:role/r"])
        checks = rights._checks(of, CALLER, [request])
    assert result in {each.result for each in checks} and any(text in each.text for each in checks), checks
    assert result == "found" or "found" not in {each.result for each in checks}


@pytest.mark.parametrize(("arn", "reason"), [
    (f"arn:aws:iam::{ACCOUNT}:root", "the root user"), (f"arn:aws:sts::{ACCOUNT}:federated-user/f", "a federated user")])
def test_principal_that_iam_does_not_simulate_is_not_checked(arn: str, reason: str) -> None:
    of = reader(arn=arn)
    of.client("iam")
    [finding] = rights._checks(of, arn, [])
    assert finding.result == "not checked" and reason in finding.text


def test_session_is_simulated_as_its_role_with_its_path() -> None:
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Admin_1/olivia@example.com"
    role = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_Admin_1"
    of = reader(arn=session)
    asked: dict[str, Any] = {"Path": "/", "RoleName": "AWSReservedSSO_Admin_1", "RoleId": "AROA1234567890123456", "CreateDate": 0, "Arn": role}
    with Stubber(of.client("iam")) as iam:
        iam.add_response("get_role", {"Role": asked}, {"RoleName": "AWSReservedSSO_Admin_1"})
        iam.add_response("simulate_principal_policy", {"EvaluationResults": [simulated(EvalDecision="allowed")], "IsTruncated": False}, {
            "PolicySourceArn": role, "ActionNames": ["iam:CreateRole"], "ResourceArns": ["arn:aws:iam::111122223333:role/r"],
            "ContextEntries": [{"ContextKeyName": "aws:SecureTransport", "ContextKeyValues": ["true"], "ContextKeyType": "boolean"}]})
        [finding] = rights._checks(of, session, [rights.Request(["iam:CreateRole"], ["arn:aws:iam::111122223333:role/r"])])
    assert finding.result == "sound"


def test_role_in_samconfig_is_simulated_for_the_resources() -> None:
    of = reader()
    checks = rights.right_rows(of, template(of), {}, "arn:aws:iam::111122223333:role/cloudformation", "code")
    assert [each.subject for each in checks] == [f"rights of {CALLER}", "rights of arn:aws:iam::111122223333:role/cloudformation"]


_READ, _NOT_SET = "a read whose denial is not known to fail a creation", "a property that template.yaml does not set"
_ELSEWHERE = "another resource, in `creates` and `deploys` of rights.py, or in the row of its own type"
# The permissions of the create handlers that creates.json leaves out.
LEFT_OUT = {
    "AWS::CloudWatch::Dashboard": {_NOT_SET: "cloudwatch:TagResource"},
    "AWS::Events::Rule": {_NOT_SET: "iam:PassRole"},
    "AWS::IAM::ManagedPolicy": {_ELSEWHERE: "iam:AttachGroupPolicy iam:AttachRolePolicy iam:AttachUserPolicy"},
    "AWS::IAM::Policy": {_NOT_SET: "iam:GetGroupPolicy iam:GetRolePolicy iam:PutGroupPolicy iam:PutRolePolicy"},
    "AWS::IAM::Role": {_NOT_SET: "iam:UntagRole"},
    "AWS::IAM::User": {_NOT_SET: "iam:AddUserToGroup iam:AttachUserPolicy iam:CreateLoginProfile iam:PutUserPolicy"},
    "AWS::Lambda::Function": {
        _ELSEWHERE: "iam:PassRole s3:GetObject s3:GetObjectVersion",
        "VpcConfig: CloudFormation's error names the permission": "ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeVpcs",
        _NOT_SET: """elasticfilesystem:DescribeMountTargets kms:CreateGrant kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey
            lambda:AssociateRuntimeAlias lambda:GetLayerVersion lambda:PassCapacityProvider lambda:PutFunctionConcurrency
            lambda:PutFunctionRecursionConfig lambda:PutFunctionScalingConfig lambda:PutRuntimeManagementConfig s3files:ListMountTargets""",
        _READ: """lambda:GetCodeSigningConfig lambda:GetFunctionCodeSigningConfig lambda:GetFunctionRecursionConfig
            lambda:GetRuntimeManagementConfig"""},
    "AWS::Logs::LogGroup": {
        _NOT_SET: """firehose:TagDeliveryStream logs:CreateLogDelivery logs:PutBearerTokenAuthentication logs:PutDataProtectionPolicy
            logs:PutIndexPolicy logs:PutResourcePolicy s3:REST.PUT.OBJECT""",
        _READ: "logs:DescribeIndexPolicies logs:DescribeLogGroups logs:DescribeResourcePolicies logs:GetDataProtectionPolicy"},
    "AWS::SecretsManager::RotationSchedule": {_ELSEWHERE: "iam:PassRole lambda:InvokeFunction"},
    "AWS::S3::Bucket": {
        _READ: "s3:GetBucketAcl s3:ListBucket", "s3:PutBucketTagging is the action of a new bucket's tags": "s3:TagResource",
        _NOT_SET: """iam:PassRole s3:CreateBucketMetadataTableConfiguration s3:DeleteObject s3:GetBucketMetadataTableConfiguration
            s3:PutAccelerateConfiguration s3:PutAnalyticsConfiguration s3:PutBucketAbac s3:PutBucketCORS s3:PutBucketLogging
            s3:PutBucketNotification s3:PutBucketObjectLockConfiguration s3:PutBucketReplication s3:PutBucketWebsite
            s3:PutIntelligentTieringConfiguration s3:PutInventoryConfiguration s3:PutMetricsConfiguration s3:PutObjectAcl
            s3:PutObjectLockConfiguration s3:PutReplicationConfiguration s3tables:CreateNamespace s3tables:CreateTable
            s3tables:CreateTableBucket s3tables:GetTable s3tables:GetTableMetadataLocation s3tables:PutTableBucketPolicy
            s3tables:PutTableEncryption s3tables:PutTablePolicy s3tables:UpdateTableMetadataLocation"""},
}
CREATES = rights.read_creates()


@pytest.mark.parametrize("resource_type", CREATES)
def test_actions_are_those_of_the_create_handler(resource_type: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    published = set(schema["handlers"]["create"]["permissions"])
    actions = {*CREATES[resource_type]["actions"], *CREATES[resource_type].get("also", {}).get("actions", [])}
    left_out = {action for text in LEFT_OUT.get(resource_type, {}).values() for action in text.split()}
    assert actions | left_out == published and not actions & left_out


def test_every_type_of_the_template_has_its_actions() -> None:
    types = {about["Type"] for about in document_of_the_release()["Resources"].values()}
    # SAM renders the first. The function implements the others.
    others = {"AWS::Serverless::Function", "Custom::GitOpsPipeline", "Custom::MirrorCredential"}
    assert types - others == set(CREATES) - {"AWS::Lambda::Function"}


def test_names_are_those_that_the_template_gives() -> None:
    of = reader()
    requests = rights.creates(of, template(of, EnvID="tst", BranchName="main"))
    arns = {arn for request in requests for arn in request.arns}
    assert {f"arn:aws:iam::{ACCOUNT}:role/role-tst-cfn-gitops", f"arn:aws:s3:::s3-tst-codepipeline-artifact-{ACCOUNT}-eu-central-1",
            f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:cfn-gitops-tst"} <= arns
    assert not any("${" in arn for arn in arns)
    [invoked] = [request.arns for request in requests if request.actions == ["lambda:InvokeFunction"]]
    assert invoked == [f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:cfn-gitops-tst"]


def test_environment_without_a_project_needs_no_user() -> None:
    of = reader()
    without = template(of, ProjectID="")
    assert not any(":user/" in arn for request in rights.creates(of, without) for arn in request.arns)
    subjects = [row.subject for row in Names(of, without, {}, set()).rows()]
    assert not any(each.startswith(("secret", "stack", "names of users")) for each in subjects)


def child(name: str, **more: Any) -> dict[str, Any]:
    return {"StackName": f"gitops-dev-{name}", "Outputs": [{"OutputKey": "PipelineName", "OutputValue": f"codepipeline-dev-cfn-{name}"}],
            "Tags": [{"Key": "cfn-gitops:stack-id", "Value": OWNER}], **more}


def by_name(*stacks: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {stack["StackName"]: stack for stack in stacks}


def test_execution_in_progress_is_found() -> None:
    of = reader()
    checks = execution_rows(of, by_name(child("shop"), child("foreign", Tags=[]), {**child("evil"), "Outputs": child("payments")["Outputs"]},
                                        {**child("other"), "StackName": "gitops-prd-other"}))
    with Stubber(of.client("codepipeline")) as codepipeline:
        codepipeline.add_response("get_pipeline_state", {"stageStates": [{"stageName": "Build", "actionStates": [
            {"actionName": "Build", "latestExecution": {"status": "InProgress"}}]}]}, {"name": "codepipeline-dev-cfn-shop"})
        codepipeline.add_response("list_pipeline_executions", {"pipelineExecutionSummaries": [
            {"pipelineExecutionId": "e-1", "status": "InProgress"}, {"pipelineExecutionId": "e-0", "status": "Succeeded"}]})
        [finding] = findings(checks)
    assert finding.result == "found" and finding.text.startswith("execution e-1 is in progress. The next "
                                                                              "deployment cancels it if it changes this pipeline")


def test_old_execution_is_found_in_its_stage_and_not_by_the_whole_history() -> None:
    of = reader()
    checks = execution_rows(of, by_name(child("shop")))
    with Stubber(of.client("codepipeline")) as codepipeline:
        stage = {"stageName": "Deploy", "inboundExecutions": [{"pipelineExecutionId": "old", "status": "InProgress"}],
                 "latestExecution": {"pipelineExecutionId": "skipped", "status": "Skipped"}}
        codepipeline.add_response("get_pipeline_state", {"stageStates": [stage]})
        # A year has 75 pages.
        for page in range(3):
            codepipeline.add_response("list_pipeline_executions", {"nextToken": str(page), "pipelineExecutionSummaries": [
                {"pipelineExecutionId": f"{page}-{number}", "status": "Succeeded"} for number in range(100)]})
        [finding] = findings(checks)
        codepipeline.assert_no_pending_responses()
    assert finding.text.startswith("execution old is in progress. ")


def test_execution_beside_a_waiting_approval_is_found() -> None:
    of = reader()
    checks = execution_rows(of, by_name(child("shop")))
    with Stubber(of.client("codepipeline")) as codepipeline:
        codepipeline.add_response("get_pipeline_state", {"stageStates": [
            {"stageName": "Deploy", "latestExecution": {"pipelineExecutionId": "e-1", "status": "InProgress"}, "actionStates": [
                {"actionName": "Approval", "latestExecution": {"status": "InProgress", "token": "t"}}]}]})
        codepipeline.add_response("list_pipeline_executions", {"pipelineExecutionSummaries": [
            {"pipelineExecutionId": "e-2", "status": "InProgress"}, {"pipelineExecutionId": "e-1", "status": "InProgress"}]})
        found = findings(checks)
    assert [each.text.split(".")[0].split(" is")[0] for each in found] == ["an approval waits", "execution e-2"]


@pytest.mark.parametrize(("action", "expected"), [
    ({"actionName": "Approval", "latestExecution": {"status": "InProgress"}}, True),
    ({"actionName": "Own", "latestExecution": {"status": "InProgress", "token": "t"}}, True),
    ({"actionName": "Build", "latestExecution": {"status": "InProgress"}}, False),
    ({"actionName": "Approval", "latestExecution": {"status": "Succeeded"}}, False), ({"actionName": "Approval"}, False),
])
def test_approval_waits_by_its_token_or_its_name(action: dict[str, Any], expected: bool) -> None:
    assert is_waiting(action) is expected


@pytest.mark.parametrize(("status", "expected"), [("InProgress", True), ("Stopping", True), ("Added later", True), ("Superseded", False)])
def test_unknown_status_of_an_execution_is_unfinished(status: str, expected: bool) -> None:
    assert is_unfinished({"status": status}) is expected


def test_pipeline_that_was_never_pushed_is_sound() -> None:
    of = reader()
    checks = execution_rows(of, by_name(child("shop")))
    with Stubber(of.client("codepipeline")) as codepipeline:
        codepipeline.add_client_error("get_pipeline_state", "PipelineNotFoundException")
        [finding] = findings(checks)
    assert finding.result == "sound"


def test_every_check_is_registered_and_gets_its_inputs() -> None:
    names = [f"cli.checks.{file.stem}" for file in (ROOT / "cli/checks").glob("[a-z]*.py")]
    written = {each for module in names
               for name, each in vars(importlib.import_module(module)).items() if name.endswith(("_rows", "_checks")) and not name.startswith("_")}
    assert written - {each for each in check.CHECKS if callable(each)} == set()
    known = {"environment", "reader", "settings", "folder", "role_arn", "s3_bucket"}
    for each in check.CHECKS:
        assert inspect.signature(each.read if isinstance(each, check.Input) else each).parameters.keys() <= known, each
        known |= {each.name} if isinstance(each, check.Input) else set()


def failing(raised: Exception) -> Callable[[], list[Finding]]:
    def read() -> list[Finding]:
        raise raised

    return read


def test_row_that_fails_stops_no_other() -> None:
    checks = [Row("key", "denied", failing(error("AccessDenied"))), Row("key", "slow", failing(ConnectTimeoutError(endpoint_url="https://a.example"))),
            Row("key", "login page", failing(ResponseParserError("not XML"))), Row("key", "other XML", failing(KeyError("Roles"))),
            Row("key", "sound", lambda: [Sound("sound")])]
    found = findings(checks)
    assert [each.result for each in found] == ["not checked"] * 4 + ["sound"]
    assert all("a proxy, or the page of a login" in each.remedy for each in found[2:4])


def test_defect_of_a_row_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        findings([Row("key", "defect", failing(ZeroDivisionError()))])


def test_alarms_beyond_a_hundred_and_composite_ones_are_found() -> None:
    of = reader()
    names = Names(of, template(of), {}, set())
    wanted = [f"alarm-{number}" for number in range(101)]
    asked = {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "MaxRecords": 100}
    with Stubber(of.client("cloudwatch")) as cloudwatch:
        cloudwatch.add_response("describe_alarms", {"CompositeAlarms": [{"AlarmName": "alarm-0"}]}, {"AlarmNames": wanted[:100], **asked})
        cloudwatch.add_response("describe_alarms", {"MetricAlarms": [{"AlarmName": "alarm-100"}]}, {"AlarmNames": wanted[100:], **asked})
        found = names._alarms(wanted)
    assert [each.subject for each in found] == ["alarm alarm-0", "alarm alarm-100"]


def test_rule_with_a_name_of_another_form_is_found() -> None:
    of = reader()
    names = Names(of, template(of), {}, set())
    with Stubber(of.client("events")) as events:
        events.add_response("describe_rule", {"Name": "health"}, {"Name": "health"})
        events.add_client_error("describe_rule", "ResourceNotFoundException")
        events.add_response("list_targets_by_rule", {"Targets": [{"Id": "1", "Arn": "arn"}]})
        found = names._rules(["health", "other"])
    assert [each.subject for each in found] == ["event rule health"]


def test_types_of_another_template_are_not_checked() -> None:
    of = reader()
    document = copy.deepcopy(document_of_the_release())
    document["Resources"]["Topic"] = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "sns-dev-alarms"}}
    [row] = rights.type_checks(Template(document, values(of.environment, document, None)))
    assert row.result == "not checked" and "AWS::SNS::Topic" in row.text
    assert rights.type_checks(template(of)) == []


def test_rotation_needs_its_right() -> None:
    of = reader()
    requests = rights.creates(of, template(of, GitLabProject="platform/infra", GitLabTokenSecretId="token"))
    [rotation] = [each for each in requests if "secretsmanager:RotateSecret" in each.actions]
    assert rotation.arns[0].endswith(":secret:codecommit-mirror/user-dev-codecommit-mirroring-AbCdEf")


def test_row_without_a_response_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_SECONDS", 0.01)
    released = threading.Event()
    checks = [Row("key", "hanging", lambda: [Sound("hanging")] if released.wait() else []), Row("key", "sound", lambda: [Sound("sound")])]
    assert [each.result for each in findings(checks)][0] == "not checked"
    released.set()


def test_pipeline_of_an_existing_stack_is_kept() -> None:
    """It may be that of the environment, which has another name than in samconfig.toml."""
    of = reader()
    for owners, remedy in (([{"StackName": "environment", "StackId": OWNER}], "If that stack is the environment, set stack_name"),
                           ([], "aws cloudformation delete-stack --stack-name gitops-dev-infra")):
        stacks = by_name({"StackId": "arn", **child("infra")}, *owners)
        [row] = [each for each in Names(of, template(of), stacks, set()).rows() if each.subject.startswith("stack ")]
        [finding] = findings([row])
        assert remedy in finding.remedy and ("delete-stack" in finding.remedy) == (not owners)
