"""`Recorded` marks a recorded response of the real service. Other rules cite the documentation."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.testing import Stack, a_user_with, allow, error_of

CODECOMMIT = "codecommit.amazonaws.com"


@pytest.fixture
def user(aws: LocalAws, name: str) -> str:
    aws.client("iam").create_user(UserName=name)
    return name


def issue(aws: LocalAws, user: str) -> dict[str, Any]:
    return aws.client("iam").create_service_specific_credential(
        UserName=user, ServiceName=CODECOMMIT)["ServiceSpecificCredential"]


def test_a_third_credential_is_refused_with_LimitExceeded(aws: LocalAws, user: str) -> None:
    # "You can have a maximum of two sets of service-specific credentials for each supported service per user."
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceSpecificCredential.html
    issue(aws, user), issue(aws, user)
    code, status, _ = error_of(aws.client("iam").create_service_specific_credential, UserName=user,
                              ServiceName=CODECOMMIT)
    assert (code, status) == ("LimitExceeded", 409)


def test_the_limit_counts_each_service_by_itself(aws: LocalAws, user: str) -> None:
    issue(aws, user), issue(aws, user)
    aws.client("iam").create_service_specific_credential(UserName=user, ServiceName="cassandra.amazonaws.com")


def test_second_login_of_user_ends_in_plus_one(aws: LocalAws, user: str) -> None:
    # Recorded; also the documentation's example `Bob-at-123456789012`.
    first, second = issue(aws, user), issue(aws, user)
    assert first["ServiceUserName"] == f"{user}-at-{aws.account_id}"
    assert second["ServiceUserName"] == f"{user}-at-{aws.account_id}+1"
    assert re.fullmatch(r"ACCA\w{17}", first["ServiceSpecificCredentialId"])


def test_passwords_hold_slash_plus_and_equals_signs(aws: LocalAws, user: str) -> None:
    # Recorded: passwords look like base64.
    credential = issue(aws, user)
    passwords = [aws.client("iam").reset_service_specific_credential(
        UserName=user, ServiceSpecificCredentialId=credential["ServiceSpecificCredentialId"])
        ["ServiceSpecificCredential"]["ServicePassword"] for _ in range(30)]
    assert all(any(mark in password for password in passwords) for mark in "/+=")


def test_an_unknown_user_is_NoSuchEntity(aws: LocalAws, name: str) -> None:
    assert error_of(aws.client("iam").create_service_specific_credential, UserName=name, ServiceName=CODECOMMIT) == (
        "NoSuchEntity", 404, f"The user with name {name} cannot be found.")
    assert error_of(aws.client("iam").list_service_specific_credentials, UserName=name)[:2] == ("NoSuchEntity", 404)


def test_an_unknown_service_is_NoSuchEntity_too(aws: LocalAws, user: str) -> None:
    assert error_of(aws.client("iam").create_service_specific_credential, UserName=user, ServiceName="x.com") == (
        "NoSuchEntity", 404, "No such service x.com is supported for Service Specific Credentials")


@pytest.mark.parametrize("operation", ["reset", "update", "delete"])
def test_an_unknown_credential_is_NoSuchEntity(aws: LocalAws, user: str, operation: str) -> None:
    arguments = {"UserName": user, "ServiceSpecificCredentialId": "ACCA00000000000000000"}
    if operation == "update":
        arguments["Status"] = "Inactive"
    call = getattr(aws.client("iam"), f"{operation}_service_specific_credential")
    assert error_of(call, **arguments) == ("NoSuchEntity", 404, "No such credential ACCA00000000000000000 exists")


def test_another_users_credential_is_NoSuchEntity(aws: LocalAws, user: str, name: str) -> None:
    credential = issue(aws, user)
    aws.client("iam").create_user(UserName=f"{name}-other")
    assert error_of(aws.client("iam").delete_service_specific_credential, UserName=f"{name}-other",
                   ServiceSpecificCredentialId=credential["ServiceSpecificCredentialId"])[0] == "NoSuchEntity"


def test_user_with_a_credential_cannot_be_deleted(aws: LocalAws, user: str) -> None:
    credential = issue(aws, user)
    assert error_of(aws.client("iam").delete_user, UserName=user) == (
        "DeleteConflict", 409, "Cannot delete entity, must remove referenced objects first.")
    aws.client("iam").delete_service_specific_credential(
        UserName=user, ServiceSpecificCredentialId=credential["ServiceSpecificCredentialId"])
    aws.client("iam").delete_user(UserName=user)


def test_stack_cannot_delete_user_with_a_credential(aws: LocalAws, stack: Stack, name: str) -> None:
    stack.create({"User": {"Type": "AWS::IAM::User", "Properties": {"UserName": name}}})
    issue(aws, name)
    assert stack.delete() == "DELETE_FAILED"
    assert any("must remove referenced objects first" in event.get("ResourceStatusReason", "")
               for event in stack.events())


def test_lists_show_no_password_and_come_in_pages(aws: LocalAws, user: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListServiceSpecificCredentials.html
    ids = {issue(aws, user)["ServiceSpecificCredentialId"] for _ in range(2)}
    iam = aws.client("iam")
    first = iam.list_service_specific_credentials(UserName=user, ServiceName=CODECOMMIT, MaxItems=1)
    assert first["IsTruncated"]
    second = iam.list_service_specific_credentials(UserName=user, MaxItems=1, Marker=first["Marker"])
    assert not second["IsTruncated"]
    found = first["ServiceSpecificCredentials"] + second["ServiceSpecificCredentials"]
    assert {held["ServiceSpecificCredentialId"] for held in found} == ids
    assert not any("ServicePassword" in held for held in found)


def test_a_reset_keeps_id_login_and_status(aws: LocalAws, user: str) -> None:
    # Recorded.
    iam, credential = aws.client("iam"), issue(aws, user)
    credential_id = credential["ServiceSpecificCredentialId"]
    iam.update_service_specific_credential(UserName=user, ServiceSpecificCredentialId=credential_id, Status="Inactive")
    after = iam.reset_service_specific_credential(
        UserName=user, ServiceSpecificCredentialId=credential_id)["ServiceSpecificCredential"]
    assert (after["ServiceSpecificCredentialId"], after["ServiceUserName"], after["Status"]) == (
        credential_id, credential["ServiceUserName"], "Inactive")
    assert after["ServicePassword"] != credential["ServicePassword"]


def test_new_credential_can_be_missing_from_list_for_a_while(aws: LocalAws, user: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    aws.set(credential_listed_after_seconds=0.5)
    issue(aws, user)
    listed = aws.client("iam").list_service_specific_credentials
    assert listed(UserName=user)["ServiceSpecificCredentials"] == []
    time.sleep(0.6)
    assert len(listed(UserName=user)["ServiceSpecificCredentials"]) == 1


@pytest.mark.parametrize("operation", ["create", "list", "reset", "update", "delete"])
def test_each_operation_needs_permission_on_the_user_arn(aws: LocalAws, user: str, name: str, operation: str) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
    credential_id = issue(aws, user)["ServiceSpecificCredentialId"]
    plural = "s" if operation == "list" else ""
    action = f"iam:{operation.capitalize()}ServiceSpecificCredential{plural}"
    arguments = {"UserName": user}
    if operation == "create":
        arguments["ServiceName"] = CODECOMMIT
    elif operation != "list":
        arguments["ServiceSpecificCredentialId"] = credential_id
    if operation == "update":
        arguments["Status"] = "Inactive"
    arn = f"arn:aws:iam::{aws.account_id}:user/{user}"
    elsewhere = a_user_with(aws, f"{name}-e", allow("iam:*ServiceSpecificCredential*", f"{arn}-not"))
    here = a_user_with(aws, f"{name}-h", allow(action, arn))
    method = f"{operation}_service_specific_credential{plural}"
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


def test_a_users_path_is_part_of_the_arn_that_is_judged(aws: LocalAws, name: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
    aws.client("iam").create_user(UserName=name, Path="/mirrors/")
    key = a_user_with(aws, f"{name}-a", allow("iam:GetUser", f"arn:aws:iam::{aws.account_id}:user/{name}"))
    assert error_of(aws.client("iam", key).get_user, UserName=name)[0] == "AccessDenied"


def test_a_tags_value_may_be_empty(aws: LocalAws, user: str) -> None:
    # "You can create tags with an empty value" https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    iam = aws.client("iam")
    iam.tag_user(UserName=user, Tags=[{"Key": "cfn-gitops:empty", "Value": ""}, {"Key": "b", "Value": "c d"}])
    assert iam.list_user_tags(UserName=user)["Tags"] == [
        {"Key": "b", "Value": "c d"}, {"Key": "cfn-gitops:empty", "Value": ""}]
    iam.untag_user(UserName=user, TagKeys=["b"])
    assert [tag["Key"] for tag in iam.list_user_tags(UserName=user)["Tags"]] == ["cfn-gitops:empty"]


def test_user_has_at_most_fifty_tags(aws: LocalAws, user: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    iam = aws.client("iam")
    iam.tag_user(UserName=user, Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
    iam.tag_user(UserName=user, Tags=[{"Key": "k0", "Value": "changed"}])
    assert error_of(iam.tag_user, UserName=user, Tags=[{"Key": "one-more", "Value": ""}])[:2] == ("LimitExceeded", 409)


@pytest.mark.parametrize("value", ["a,b", '{"a": 1}', "a|b", "x" * 257])
def test_tag_value_rejects_most_punctuation_and_257_characters(aws: LocalAws, user: str, value: str) -> None:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html
    code, status, _ = error_of(aws.client("iam").tag_user, UserName=user, Tags=[{"Key": "k", "Value": value}])
    assert (code, status) == ("ValidationError", 400)
