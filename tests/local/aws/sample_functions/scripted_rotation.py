"""A rotation function that the secret's tags script. It calls the Runtime API itself, as the bootstrap of a
`provided.al2023` function.

The tag `fail` names a step that fails, `crash` one that ends the process, `wait` one that takes a second. `finish`
selects how the last step moves AWSCURRENT: `move` (the default), `write and move` (a version of its own first), `not at
all`, `remove pending` (by a separate call before).
"""

import json
import os
import time
import urllib.request

import boto3
from botocore.exceptions import ClientError

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
secrets = boto3.client("secretsmanager")


def create(arn, token, script):
    try:
        secrets.get_secret_value(SecretId=arn, VersionId=token, VersionStage="AWSPENDING")
    except ClientError as absent:
        if absent.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        secrets.put_secret_value(SecretId=arn, ClientRequestToken=token, SecretString=f"value-{token}",
                                 VersionStages=["AWSPENDING"])


def finish(arn, token, script):
    how = script.get("finish", "move")
    if how == "not at all":
        return
    if how == "write and move":
        secrets.put_secret_value(SecretId=arn, ClientRequestToken=f"own-{token}", SecretString=f"value-{token}")
    stages = secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
    current = next(version for version, labels in stages.items() if "AWSCURRENT" in labels)
    if how == "remove pending":
        secrets.update_secret_version_stage(SecretId=arn, VersionStage="AWSPENDING", RemoveFromVersionId=token)
    secrets.update_secret_version_stage(SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=token,
                                        RemoveFromVersionId=current)


def handle(event):
    arn, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    described = secrets.describe_secret(SecretId=arn)
    script = {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
    print(json.dumps({"step": step, "token": token, "secret": arn, "members": sorted(event),
                      "labels": described["VersionIdsToStages"].get(token)}),
          flush=True)
    if script.get("crash") == step:
        os._exit(1)
    if script.get("wait") == step:
        time.sleep(1)
    if script.get("fail") == step:
        raise RuntimeError(f"scripted failure of {step}")
    if step == "createSecret":
        create(arn, token, script)
    if step == "finishSecret":
        finish(arn, token, script)
    return {}


while True:
    with urllib.request.urlopen(f"{API}/next") as invocation:
        request_id = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.load(invocation)
    try:
        url, result = f"{API}/{request_id}/response", handle(event)
    except Exception as error:
        url, result = f"{API}/{request_id}/error", {"errorType": type(error).__name__, "errorMessage": str(error)}
    urllib.request.urlopen(urllib.request.Request(url, data=json.dumps(result).encode(), method="POST")).close()
