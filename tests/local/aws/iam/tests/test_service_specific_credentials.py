"""Credentials beyond `tests/rules`: permissions, delays and the deletion of their user."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import Stack, a_user_with, allow, error_of

CODECOMMIT = "codecommit.amazonaws.com"


@pytest.fixture
def user(aws: LocalAws, name: str) -> str:
    aws.client("iam").create_user(UserName=name)
    return name


def issue(aws: LocalAws, user: str) -> dict[str, Any]:
    return aws.client("iam").create_service_specific_credential(
        UserName=user, ServiceName=CODECOMMIT)["ServiceSpecificCredential"]


def test_user_with_a_credential_cannot_be_deleted(aws: LocalAws, stack: Stack, name: str) -> None:
    # Recorded.
    stack.create({"User": {"Type": "AWS::IAM::User", "Properties": {"UserName": name}}})
    issue(aws, name)
    assert error_of(aws.client("iam").delete_user, UserName=name) == (
        "DeleteConflict", 409, "Cannot delete entity, must remove referenced objects first.")
    assert stack.delete() == "DELETE_FAILED"
    assert "must remove referenced objects first" in str(stack.events())


def test_new_credential_can_be_missing_from_list_for_a_while(aws: LocalAws, user: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    aws.set(credential_listed_after_seconds=0.5)
    issue(aws, user)
    listed = aws.client("iam").list_service_specific_credentials
    assert listed(UserName=user)["ServiceSpecificCredentials"] == []
    time.sleep(0.6)
    assert len(listed(UserName=user)["ServiceSpecificCredentials"]) == 1


@pytest.mark.parametrize(("operation", "given"), [
    ("create", {"ServiceName": CODECOMMIT}), ("list", {}), ("reset", {"ServiceSpecificCredentialId": ""}),
    ("update", {"ServiceSpecificCredentialId": "", "Status": "Inactive"}),
    ("delete", {"ServiceSpecificCredentialId": ""})])
def test_each_operation_needs_permission_on_the_user_arn(aws: LocalAws, name: str, operation: str,
                                                         given: dict[str, str]) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
    aws.client("iam").create_user(UserName=name, Path="/mirrors/")
    arguments = {"UserName": name, **given}
    if "ServiceSpecificCredentialId" in given:
        arguments["ServiceSpecificCredentialId"] = issue(aws, name)["ServiceSpecificCredentialId"]
    plural = "s" if operation == "list" else ""
    action = f"iam:{operation.capitalize()}ServiceSpecificCredential{plural}"
    method = f"{operation}_service_specific_credential{plural}"
    arn = f"arn:aws:iam::{aws.account_id}:user/mirrors/{name}"
    elsewhere = a_user_with(aws, f"{name}-e", allow("iam:*", f"arn:aws:iam::{aws.account_id}:user/{name}"))
    here = a_user_with(aws, f"{name}-h", allow(action, arn))
    code, status, message = error_of(getattr(aws.client("iam", elsewhere), method), **arguments)
    assert (code, status) == ("AccessDenied", 403)
    assert f"not authorized to perform: {action} on resource: {arn}" in message
    getattr(aws.client("iam", here), method)(**arguments)
    assert {"principal": f"arn:aws:iam::{aws.account_id}:user/{name}-h", "action": action, "resource": arn,
            "allowed": True} in aws.decisions(f"{name}-h")


def test_a_policy_can_name_the_service_of_the_credential(aws: LocalAws, user: str, name: str) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
    only = {"StringEquals": {"iam:ServiceSpecificCredentialServiceName": CODECOMMIT}}
    iam = aws.client("iam", a_user_with(aws, f"{name}-c", allow("iam:CreateServiceSpecificCredential", "*",
                                                                Condition=only)))
    iam.create_service_specific_credential(UserName=user, ServiceName=CODECOMMIT)
    assert error_of(iam.create_service_specific_credential, UserName=user,
                   ServiceName="cassandra.amazonaws.com")[0] == "AccessDenied"
