"""One CodeCommit credential of an IAM user, and the secret with its password, implemented with crhelper."""

import http.client
import json
import os

import boto3
import crhelper.utils
from crhelper import CfnResource

SERVICE = "codecommit.amazonaws.com"

# By default every Delete waits two minutes for the logs.
helper = CfnResource(log_level="INFO", sleep_on_delete=0)

try:
    # Once per cold start, as AWS recommends.
    iam = boto3.client("iam")
    secrets = boto3.client("secretsmanager")
except Exception as error:
    helper.init_failure(error)

if os.environ.get("BENCH_SCHEME") == "http":
    # CloudFormation's address is https, and crhelper supports no other. The benchmark's may be http.
    crhelper.utils.HTTPSConnection = lambda host, context: http.client.HTTPConnection(host)


def secret_name(event):
    return f"codecommit-mirror/{event['ResourceProperties']['UserName']}"


def secret_value(credential):
    return json.dumps({"username": credential["ServiceUserName"], "password": credential["ServicePassword"]})


def answer(credential, secret):
    helper.Data.update(
        {
            "SecretArn": secret["ARN"],
            "ServiceUserName": credential["ServiceUserName"],
            "ServiceSpecificCredentialId": credential["ServiceSpecificCredentialId"],
        }
    )
    return credential["ServiceSpecificCredentialId"]


@helper.create
def create(event, _):
    user_name = event["ResourceProperties"]["UserName"]
    credential = iam.create_service_specific_credential(UserName=user_name, ServiceName=SERVICE)[
        "ServiceSpecificCredential"
    ]
    try:
        secret = secrets.create_secret(Name=secret_name(event), SecretString=secret_value(credential))
    except Exception:
        # The Delete after a failed Create would not have the credential's ID.
        remove_credential(user_name, credential["ServiceSpecificCredentialId"])
        raise
    return answer(credential, secret)


@helper.update
def update(event, context):
    user_name = event["ResourceProperties"]["UserName"]
    if user_name != event["OldResourceProperties"]["UserName"]:
        # Another user's credential has another ID, so CloudFormation deletes the old one afterwards.
        return create(event, context)
    credential = iam.reset_service_specific_credential(
        UserName=user_name, ServiceSpecificCredentialId=event["PhysicalResourceId"]
    )["ServiceSpecificCredential"]
    secret = secrets.put_secret_value(SecretId=secret_name(event), SecretString=secret_value(credential))
    return answer(credential, secret)


@helper.delete
def delete(event, _):
    remove_credential(event["ResourceProperties"]["UserName"], event["PhysicalResourceId"])
    try:
        secrets.delete_secret(SecretId=secret_name(event), ForceDeleteWithoutRecovery=True)
    except secrets.exceptions.ResourceNotFoundException:
        pass


def remove_credential(user_name, identifier):
    try:
        iam.delete_service_specific_credential(UserName=user_name, ServiceSpecificCredentialId=identifier)
    except iam.exceptions.NoSuchEntityException:
        pass


def handler(event, context):
    helper(event, context)
