"""A function that responds to custom-resource requests as their properties script it.

It calls the Runtime API itself, as the bootstrap of a `provided.al2023` function; `testing.provider_code` packs it.

`OnCreate`, `OnUpdate`, `OnDelete`: succeed (without the property), fail, crash, be silent, succeed late, send a content
type, send too much, list credentials (of `UserName`), show environment. `Id` is the physical id.
"""

import json
import os
import time
import urllib.error
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"


def put(url, answer, content_type=""):
    request = urllib.request.Request(url, data=json.dumps(answer).encode(), method="PUT")
    request.add_header("Content-Type", content_type)
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as rejected:
        return rejected.code


def list_credentials(user_name):
    import boto3
    from botocore.exceptions import ClientError

    try:
        return str(len(boto3.client("iam").list_service_specific_credentials(UserName=user_name)
                       ["ServiceSpecificCredentials"]))
    except ClientError as rejected:
        return rejected.response["Error"]["Message"]


def handle(event):
    properties = event["ResourceProperties"]
    behaviour = properties.get(f"On{event['RequestType']}", "succeed")
    answer = {
        "Status": "SUCCESS", "PhysicalResourceId": properties.get("Id", "an-id"), "StackId": event["StackId"],
        "RequestId": event["RequestId"], "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Echo": json.dumps(properties, sort_keys=True)},
    }
    if behaviour == "crash":
        raise RuntimeError("scripted crash")
    if behaviour == "be silent":
        return None
    if behaviour == "fail":
        answer |= {"Status": "FAILED", "Reason": "scripted failure"}
    if behaviour == "fail without an id":
        answer |= {"Status": "FAILED", "Reason": "scripted failure", "PhysicalResourceId": ""}
    if behaviour == "send too much":
        answer["Data"] = {"Much": "x" * 4096}
    if behaviour == "succeed late":
        time.sleep(2)
    if behaviour == "list credentials":
        answer["Data"] = {"Found": list_credentials(properties["UserName"])}
    if behaviour == "show environment":
        answer["Data"] = {"Names": " ".join(sorted(os.environ)), "Endpoint": os.environ["AWS_ENDPOINT_URL"],
                          "Region": os.environ["AWS_REGION"]}
    if behaviour == "send a content type":
        status = put(event["ResponseURL"], answer, "application/json")
        answer["Data"] = {"FirstStatus": str(status)}
    put(event["ResponseURL"], answer)
    return answer


while True:
    with urllib.request.urlopen(f"{API}/next") as invocation:
        request_id = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.load(invocation)
    print("asked", event.get("RequestId"), flush=True)
    try:
        url, result = f"{API}/{request_id}/response", handle(event)
    except Exception as error:
        url, result = f"{API}/{request_id}/error", {"errorType": type(error).__name__, "errorMessage": str(error)}
    urllib.request.urlopen(urllib.request.Request(url, data=json.dumps(result).encode(), method="POST")).close()
