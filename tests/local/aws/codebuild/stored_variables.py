"""Reads a build's environment variables from Parameter Store and Secrets Manager with the service role.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_EnvironmentVariable.html
https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec.env.parameter-store
https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec.env.secrets-manager

The phase DOWNLOAD_SOURCE reads them. Its errors are Recorded, for denied and for absent parameters:
https://github.com/YumaInaura/YumaInaura/issues/3354
https://github.com/aws/aws-codebuild-docker-images/issues/159
The errors of Secrets Manager have the same form, with "Secrets Manager Error". (?)
"""

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tests.local.aws.json_api import Rejected

# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html: "Maximum number of
# 10 items"
_MOST_NAMES = 10


class Unreadable(Rejected):
    """`code` is the phase context's status code."""


def read(
    variables: list[dict[str, Any]], client: Callable[[str], Any], log: Callable[[str], None]
) -> dict[str, str]:
    """The values by the variables' names."""
    if any(each["name"].startswith("CODEBUILD_") for each in variables):
        # Recorded: https://github.com/thii/aws-codebuild-extras/issues/1. The status code and the phase are
        # not. (?)
        raise Unreadable("Variables Error", "No user environment variables can start with `CODEBUILD_`")
    parameters = {
        each["name"]: str(each["value"]) for each in variables if each.get("type") == "PARAMETER_STORE"
    }
    secrets = {
        each["name"]: str(each["value"]) for each in variables if each.get("type") == "SECRETS_MANAGER"
    }
    log("[Container] Processing environment variables")
    found: dict[str, str] = {}
    if parameters:
        log("[Container] Decrypting parameter store environment variables")
        known = _parameters(sorted(set(parameters.values())), client("ssm"))
        found = {name: known[parameter] for name, parameter in parameters.items()}
    return found | {name: _secret(reference, client("secretsmanager")) for name, reference in secrets.items()}


def text_of(error: ClientError) -> str:
    about, response = error.response["Error"], error.response["ResponseMetadata"]
    return (
        f"{about['Code']}: {about.get('Message', '')}\n\tstatus code: {response['HTTPStatusCode']}, request"
        f" id: {response.get('RequestId', '')}"
    )


def _parameters(names: list[str], ssm: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(names), _MOST_NAMES):
        page = names[start : start + _MOST_NAMES]
        try:
            response = ssm.get_parameters(Names=page, WithDecryption=True)
        except ClientError as error:
            raise Unreadable("Decrypted Variables Error", text_of(error)) from None
        if response["InvalidParameters"]:
            raise Unreadable(
                "Decrypted Variables Error", f"parameter does not exist: {response['InvalidParameters'][0]}"
            )
        for each in response["Parameters"]:
            names_of_it = {each["Name"], each["Name"] + each.get("Selector", ""), each["ARN"]}
            found.update({name: each["Value"] for name in page if name in names_of_it})
    return found


def _secret(reference: str, secretsmanager: Any) -> str:
    """The value of `secret-id:json-key:version-stage:version-id`. Only the ID is required. An ARN contains
    colons itself."""
    parts = reference.split(":")
    length = 7 if reference.startswith("arn:") else 1
    secret_id = ":".join(parts[:length])
    key, stage, version = (*parts[length:], "", "", "")[:3]
    wanted = {
        "SecretId": secret_id,
        **({"VersionStage": stage} if stage else {}),
        **({"VersionId": version} if version else {}),
    }
    try:
        value = str(secretsmanager.get_secret_value(**wanted)["SecretString"])
    except ClientError as error:
        raise Unreadable("Secrets Manager Error", text_of(error)) from None
    if not key:
        return value
    held = json.loads(value)
    # CodeBuild's error for a missing key, and its value for JSON that is not a string, are not documented.
    # (?)
    if not isinstance(held, dict) or key not in held:
        raise Unreadable("Secrets Manager Error", f"the secret {secret_id} has no key {key}")
    return held[key] if isinstance(held[key], str) else json.dumps(held[key])
