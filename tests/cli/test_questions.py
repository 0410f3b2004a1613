"""A function that only reads and does not answer: one line with the reason and the remedy."""

import json
import sys
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from tests.cli.answering import NO_STACKS, Answering, failed, projects, rejected, response
from tests.cli.conftest import Run

URL = "https://lambda.eu-central-1.amazonaws.com"
NAME = "cfn-gitops-dev-read"
DEPLOY = "Deploy this version of the environment: sam deploy --config-env dev"
LOG = f"Read its log: sam logs --cw-log-group /aws/lambda/{NAME} --start-time 1hour"
MISSING = f"function {NAME} does not exist in account 111122223333, region eu-central-1"
DENIED = (
    "User: x is not authorized to perform: lambda:InvokeFunction on resource:"
    f" arn:aws:lambda:eu-central-1:111122223333:function:{NAME}"
)
SEE = f"See its state and settings: aws lambda get-function-configuration --function-name {NAME}"
IDLE = f"Lambda is starting function {NAME} again after weeks without a call"
# AWS's texts: https://github.com/boto/boto3/issues/3788, https://github.com/remotion-dev/remotion/issues/1186
INITIALIZING = "ERROR: Lambda is initializing your function. It will be ready to invoke shortly."
STATE = "The operation cannot be performed at this time. The function is currently in the following state"
RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"


def stacks(status: str) -> bytes:
    export = "<member><OutputKey>ServiceToken</OutputKey><OutputValue>f</OutputValue><ExportName>cfn-gitops-dev-ServiceToken</ExportName></member>"  # noqa: E501
    return (
        f"<R><DescribeStacksResult><Stacks><member><StackName>cfn-gitops-dev</StackName><StackStatus>{status}</StackStatus><Parameters>"
        "<member><ParameterKey>EnvID</ParameterKey><ParameterValue>dev</ParameterValue></member></Parameters>"
        f"<Outputs>{export if status != 'ROLLBACK_COMPLETE' else ''}</Outputs></member></Stacks></DescribeStacksResult></R>"  # noqa: E501
    ).encode()


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (
            rejected("AccessDeniedException", DENIED),
            (
                f"you may not ask function {NAME}: {DENIED}. Ask an administrator for the permission of"
                " group-dev-observers (docs/how-to/people.md), or name another profile with --profile"
            ),
        ),
        (
            failed("UnknownEvent"),
            f"function {NAME} is older than this command, and does not know the question Projects. {DEPLOY}",
        ),
        (
            response({"Format": 3}),
            f"function {NAME} is newer than this command. Use the cfn-gitops of the release that is deployed",
        ),
        (response({"Doctor": {}}), f"function {NAME} is older than this command, or another one. {DEPLOY}"),
        (
            response(projects(EnvID="prd")),
            f"the answer of function {NAME} is not that of this version: its EnvID is prd. {DEPLOY}",
        ),
        (
            response(projects(Projects={})),
            f"the answer of function {NAME} is not that of this version: {{}} is no array. {DEPLOY}",
        ),
        (
            response(projects({"NotRead": []})),
            f"the answer of function {NAME} is not that of this version: Problems is missing. {DEPLOY}",
        ),
        (
            rejected("TooManyRequestsException", "Rate Exceeded.", 429, Reason="CallerRateLimitExceeded"),
            f"AWS throttles calls of function {NAME}. Run this again in a minute",
        ),
        (
            rejected("TooManyRequestsException", "Rate Exceeded.", 429, Reason=RESERVED),
            (
                f"function {NAME} is switched off, or busy: its reserved concurrency is used up. If it is 0,"
                f" remove it: aws lambda delete-function-concurrency --function-name {NAME}"
            ),
        ),
        (ReadTimeoutError(endpoint_url=URL), f"function {NAME} has not answered for 310 s. Try again. {LOG}"),
        (
            EndpointConnectionError(endpoint_url=URL),
            (
                "lambda.eu-central-1.amazonaws.com does not answer. Check the network, and HTTPS_PROXY if it "
                "needs one. If only this service fails, the region may not have it"
            ),
        ),
        (
            failed("Sandbox.Timedout", "Task timed out after 300.00 seconds"),
            f"function {NAME} failed: Task timed out after 300.00 seconds. {LOG}",
        ),
        (
            rejected("KMSAccessDeniedException", "KMS access was denied.", 502),
            f"Lambda cannot decrypt the environment variables of function {NAME}: KMS access was denied."
            f" {SEE}",
        ),
        (
            rejected("InvalidSubnetIDException", "The subnet ID is not valid", 502),
            f"Lambda cannot connect function {NAME} to its VPC: The subnet ID is not valid. {SEE}",
        ),
        (
            rejected("CodeArtifactUserFailedException", "Provisioning failed", 409),
            f"Lambda could not provide function {NAME}: Provisioning failed. {SEE}",
        ),
        (
            rejected("ResourceConflictException", f"{STATE}: Failed", 409),
            f"Lambda could not provide function {NAME}: {STATE}: Failed. {SEE}",
        ),
        (
            failed("InvalidQuestion", "there is no project shp"),
            "there is no project shp. See the projects: cfn-gitops status --env dev",
        ),
        (response(b"<html>"), f"the answer of function {NAME} is not JSON. {LOG}"),
        (response(b"[" * 100_000), f"the answer of function {NAME} is not JSON. {LOG}"),
    ],
    ids=range(19),
)
def test_function_that_does_not_answer_is_one_line(
    found: Any, line: str, answering: Answering, run: Run
) -> None:
    answering.responses["Invoke"] = found
    ended = run("status")
    # The name of a project is the user's. Throttling is waited for first.
    waited = f"... AWS throttles calls of function {NAME}\n" if len(answering.requests) > 2 else ""
    assert (ended.status, ended.err) == (2 if "there is no project" in line else 3, f"{waited}{line}\n")


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (
            response(stacks("UPDATE_COMPLETE")),
            f"{MISSING}. Stack cfn-gitops-dev is older than this command. {DEPLOY}",
        ),
        (
            response(stacks("UPDATE_IN_PROGRESS")),
            f"{MISSING}, and stack cfn-gitops-dev is in UPDATE_IN_PROGRESS. Wait for its end",
        ),
        *(
            (
                response(stacks(status)),
                f"{MISSING}, and stack cfn-gitops-dev is in {status}. See why: cfn-gitops failures --env dev",
            )
            # The second one is the first update to a version with this function.
            for status in ("ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_IN_PROGRESS")
        ),
        (
            response(stacks("REVIEW_IN_PROGRESS")),
            f"{MISSING}. Stack cfn-gitops-dev has no template yet. {DEPLOY}",
        ),
        (
            response(NO_STACKS, 403),
            (
                f"{MISSING}. If that is the wrong place, name another one with --profile or --region."
                " Otherwise deploy this version: sam deploy --config-env dev"
            ),
        ),
    ],
    ids=range(7),
)
def test_missing_function_is_explained_by_the_stack(
    found: Any, line: str, answering: Answering, run: Run
) -> None:
    answering.responses |= {
        "Invoke": rejected("ResourceNotFoundException", "Function not found", 404),
        "DescribeStacks": found,
    }
    ended = run("status")
    assert (ended.status, ended.err) == (1 if "See why" in line else 3, f"{line}\n")


@pytest.mark.parametrize(
    ("member", "deploy"),
    [
        (
            "<ParentId>arn:x:stack/root/1</ParentId><RootId>arn:x:stack/root/1</RootId>",
            "Its stack belongs to stack root, in which it is nested: deploy that one",
        ),
        (
            "<StackName>StackSet-gitops-1</StackName>",
            "Its stack belongs to its StackSet, of which its name shows an instance: deploy that one. If"
            " there is no such StackSet, do it here: sam deploy --config-env dev",
        ),
    ],
)
def test_remedy_names_what_deploys_the_environment(
    member: str, deploy: str, answering: Answering, run: Run
) -> None:
    shown = stacks("UPDATE_COMPLETE").replace(b"<StackName>cfn-gitops-dev</StackName>", b"")
    name = b"" if "StackName" in member else b"<StackName>cfn-gitops-dev</StackName>"
    shown = shown.replace(b"<Stacks><member>", b"<Stacks><member>" + name + member.encode())
    answering.responses |= {"Invoke": failed("UnknownEvent"), "DescribeStacks": lambda _: response(shown)}
    assert run("status").err == (
        f"function {NAME} is older than this command, and does not know the question Projects. Deploy this"
        f" version of the environment. {deploy}\n"
    )


def test_missing_environment_is_one_failure(answering: Answering, run: Run) -> None:
    missing = (
        b"<R><Error><Code>ValidationError</Code><Message>Stack with id x does not exist</Message></Error></R>"
    )
    answering.responses |= {
        "Invoke": rejected("ResourceNotFoundException", "Function not found", 404),
        "DescribeStacks": lambda _: response(missing, 400),
    }
    ended = run("status")
    assert ended.status == 1
    assert ended.err.startswith(
        "stack cfn-gitops-dev does not exist in account 111122223333, region eu-central-1. If that is the"
        " wrong"
    )


def test_lost_connection_is_tried_again_once(answering: Answering, run: Run) -> None:
    lost = ConnectionClosedError(endpoint_url=URL)
    answering.responses["Invoke"] = [lost, projects()]
    assert run("status").status == 0 and len(answering.requests) == 2
    answering.responses["Invoke"] = lost
    assert (
        "did not answer in time, or closed the connection" in run("status").err
        and len(answering.requests) == 4
    )


@pytest.mark.parametrize(
    ("code", "status", "message", "reason"),
    [
        ("CodeArtifactUserPendingException", 409, INITIALIZING, IDLE),
        ("ResourceNotReadyException", 502, "", IDLE),
        (
            "ResourceConflictException",
            409,
            f"{STATE}: Pending",
            f"Lambda is creating or updating function {NAME}",
        ),
        ("TooManyRequestsException", 429, "Rate Exceeded.", f"AWS throttles calls of function {NAME}"),
        ("ServiceException", 500, "", f"Lambda has an internal error at function {NAME}"),
    ],
)
def test_error_that_ends_by_itself_is_waited_for(
    code: str, status: int, message: str, reason: str, answering: Answering, run: Run
) -> None:
    error = rejected(code, message, status)
    answering.responses["Invoke"] = [error, error, projects()]
    ended = run("status")
    assert (ended.status, ended.err, len(answering.requests)) == (0, f"... {reason}\n", 3)
    answering.responses["Invoke"] = error
    ended = run("status")
    assert (ended.status, ended.err) == (3, f"... {reason}\n{reason}. Run this again in a minute\n")
    # Two minutes, with a call each five seconds.
    assert len(answering.requests) == 3 + 25


def test_long_question_keeps_its_connection(answering: Answering, run: Run) -> None:
    """Behind a NAT gateway an idle connection ends after 350 seconds."""
    answering.responses["Invoke"] = projects()
    run("status", "--wait", "120")
    config = answering.configs["lambda"]
    assert (
        config.connect_timeout,
        config.read_timeout,
        config.retries["total_max_attempts"],
        config.tcp_keepalive,
    ) == (5, 120, 1, True)


def test_terminal_shows_that_the_function_is_asked(
    answering: Answering, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering.responses["Invoke"] = projects()
    assert run("status").err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run("status").err == f"asking function {NAME}, up to 310 s\n"
    assert run("status", "--json").err == ""


def test_remedies_name_the_table_of_the_environment(answering: Answering, run: Run) -> None:
    with open("samconfig.toml", "a") as file:
        file.write(
            "[development.global.parameters]\nstack_name ="
            ' "s"\n[development.deploy.parameters]\nparameter_overrides = ["EnvID=dev"]\n'
        )
    problem = {"Problem": "x", "Remedy": "See it: cfn-gitops failures dev --env dev"}
    answering.responses["Invoke"] = projects(NotRead=[problem])
    [found] = json.loads(run("status", "--env", "development", "--json").out)["NotRead"]
    assert found["Remedy"] == "See it: cfn-gitops failures dev --env development"
