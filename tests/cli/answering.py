"""The responses of the function that only reads, and those of AWS. boto3's own client parses its responses,
and each answer is valid by docs/schemas."""

import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from jsonschema import Draft202012Validator

from cli.rules import RULES

COMMIT, PUSHED = "4f2a9c1b0d3e5f60718293a4b5c6d7e8f9012345", "9c8b7a6f5e4d3c2b1a09f8e7d6c5b4a392817060"
BAD, GOOD = "bad0" * 10, "600d" * 10
PIPELINE = "codepipeline-dev-cfn-shop"
CONSOLE = "https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines"
SCHEMAS = {each["title"]: Draft202012Validator(each) for each in RULES["answers"]}
NO_STACKS = b"<R><Error><Code>AccessDenied</Code><Message>no</Message></Error></R>"
# It loads the models of the services once.
SESSION = boto3.Session("none", "none", region_name="eu-central-1")
# By service and settings: creating one takes longer than most calls.
_CLIENTS: dict[tuple[str, str], Any] = {}


def execution_id(number: int) -> str:
    return f"0b1c2d3e-0000-4000-8000-{number:012}"


def project(
    name: str, number: int = 1, status: str = "Succeeded", at: str = "2026-11-18T12:00:00Z", **changes: Any
) -> dict[str, Any]:
    """A row with a sound project, but with this newest execution, and without the changed members that are
    `None`."""
    owner = f"arn:aws:cloudformation:eu-central-1:111122223333:stack/project-dev-{name}/1a2b"
    commit = (
        {"Commit": COMMIT, "Title": "Add a queue"}
        if number == 1
        else {"Commit": PUSHED, "Title": "請求書を追加"}
    )
    found = {
        "ProjectID": name,
        "Pipeline": f"codepipeline-dev-cfn-{name}",
        "ChildStack": {"Name": f"gitops-dev-{name}", "Status": "UPDATE_COMPLETE"},
        "Owner": {
            "StackName": f"project-dev-{name}",
            "StackId": owner,
            "LogicalId": "Pipeline",
            "Status": "UPDATE_COMPLETE",
            "Exists": True,
        },
        "Version": 2,
        "IsOutdated": False,
        "NeedsFunction": [],
        "Branch": "development",
        "HasPipeline": True,
        "Deployed": {
            "ExecutionId": execution_id(1),
            "Commit": COMMIT,
            "Title": "Add a queue",
            "At": "2026-11-18T12:00:00Z",
        },
        "Newest": {"ExecutionId": execution_id(number), "Status": status, "At": at, **commit},
        "Approvals": [],
        "Holds": [],
        "Problems": [],
        "Mirrors": [
            {"Subject": f"the mirror of project platform/{name} to repository codecommit-dev-cfn-{name}"}
        ],
        "NotRead": [],
    }
    if status == "Failed" and "Rejection" not in changes:
        found["Failure"] = {
            "ExecutionId": execution_id(number),
            "At": at,
            **commit,
            "Stage": "Build",
            "Action": "Build",
            "Cause": "Error while executing command: make package. Reason: exit status 2\n\x1b[2Jforged",
        }
    return {member: value for member, value in {**found, **changes}.items() if value is not None}


def projects(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "Format": 2,
        "EnvID": "dev",
        "Stack": {"Name": "cfn-gitops-dev", "Status": "UPDATE_COMPLETE"},
        "Projects": list(rows),
        "NotRead": [],
        **more,
    }


def unread(*problems: str) -> list[dict[str, str]]:
    return [{"Problem": problem, "Remedy": "Run this again"} for problem in problems]


def deployment(number: int, commit: str, at: str = "2026-11-26T06:00:00Z", **more: Any) -> dict[str, Any]:
    image = (
        [{"ActionName": "Image", "RevisionType": "IMAGE_DIGEST", "RevisionValue": more["Image"]}]
        if "Image" in more
        else []
    )
    return {
        "ExecutionId": execution_id(number),
        "At": at,
        "Status": "Succeeded",
        "IsDeployedNow": False,
        "Commit": commit,
        "Title": "Add a queue",
        "Author": "Ann",
        "InBranch": {"Contained": True},
        "Revisions": [{"ActionName": "Source", "RevisionType": "COMMIT_ID", "RevisionValue": commit}, *image],
        **more,
    }


def deployments(**more: Any) -> dict[str, Any]:
    latest = deployment(
        3, BAD, "2026-11-27T11:00:00Z", IsDeployedNow=True, Title="Raise the limit", Author="Ben"
    )
    return {
        "Format": 2,
        "EnvID": "dev",
        "ProjectID": "shop",
        "Pipeline": PIPELINE,
        "ExecutionMode": "QUEUED",
        "Branch": "development",
        "HasApproval": True,
        "Deployments": [latest, deployment(2, GOOD)],
        "Holds": [],
        "NotRead": [],
        **more,
    }


def execution(status: str = "InProgress", *actions: str, holds: Any = (), **more: Any) -> dict[str, Any]:
    """The state of the started execution. The actions are as in `Build InProgress`, in a stage of the same
    name."""
    listed = [{"Stage": name, "Action": name, "Status": state} for name, state in map(str.split, actions)]
    return {
        "Format": 2,
        "EnvID": "dev",
        "ProjectID": "shop",
        "Pipeline": PIPELINE,
        "Execution": {
            "ExecutionId": execution_id(99),
            "Status": status,
            "Actions": listed,
            "IsEnd": status != "InProgress",
            "HasDeployed": status == "Succeeded",
            **more,
        },
        "Holds": list(holds),
        "NotRead": [],
    }


def in_parts(answer: Any) -> Any:
    """The answer as the function sends it: a remedy that ends with a command has its words."""
    if isinstance(answer, list):
        return [in_parts(each) for each in answer]
    if not isinstance(answer, dict):
        return answer
    found = {name: in_parts(value) for name, value in answer.items()}
    if isinstance(found.get("Remedy"), str):
        text, *commands = re.split("(?<=: )(?=(?:aws|cfn-gitops) )", found["Remedy"])
        found["Remedy"] = [text, *(each.split() for each in commands)]
    return found


class Raw(io.BytesIO):
    """The body of a response, as urllib3 has it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def response(content: Any, status: int = 200, **headers: str) -> AWSResponse:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return AWSResponse("", status, {"Content-Length": str(len(body)), **named}, Raw(body))


def rejected(code: str, message: str = "no", status: int = 403, **members: str) -> AWSResponse:
    return response({"__type": code, "Message": message, **members}, status, x_amzn_errortype=code)


def failed(kind: str, message: str = "") -> AWSResponse:
    """The result of a function that raised an error."""
    return response({"errorType": kind, "errorMessage": message}, X_Amz_Function_Error="Unhandled")


class Answering:
    """`responses` are by the calls' names. Each is an answer, a response, an error, a function of the
    request, or a list of these, of which the last one stays."""

    def __init__(self) -> None:
        # An observer may only ask the function.
        self.responses: dict[str, Any] = {"DescribeStacks": lambda _: response(NO_STACKS, 403)}
        self.requests: list[tuple[str, Any]] = []
        self.configs: dict[str, Any] = {}

    def client(self, service: str, config: Config | None = None) -> Any:
        which = service, str(config and vars(config))
        if which not in _CLIENTS:
            _CLIENTS[which] = boto3.Session.client(SESSION, service, config=config)
        made = _CLIENTS[which]
        self.configs[service] = made.meta.config
        made.meta.events.unregister("before-send", unique_id="answers")
        made.meta.events.register("before-send", self._send, unique_id="answers")
        return made

    def _send(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        call = event_name.rpartition(".")[2]
        body = json.loads(request.body) if request.body[:1] == b"{" else request.body
        self.requests.append((call, body))
        found = self.responses[call]
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, Callable):  # type: ignore[arg-type]
            found = found(body)
        if isinstance(found, BaseException):
            raise found
        if call == "Invoke" and isinstance(found, dict):
            [name], found = body, in_parts(found)
            assert "errorType" in found or not (wrong := list(SCHEMAS[name].iter_errors(found))), wrong
        if not isinstance(found, AWSResponse):
            return response(found)
        return AWSResponse("", found.status_code, found.headers, Raw(found.raw.getvalue()))

    def of(self, call: str) -> list[Any]:
        """The requests of this call."""
        return [body for name, body in self.requests if name == call]
