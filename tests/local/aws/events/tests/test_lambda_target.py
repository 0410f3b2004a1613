"""Events that reach a function, by rules of EventBridge and by the invocation of itself."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import TRUST_LAMBDA, allow, eventually, policy
from tests.local.aws.codecommit.tests.git_client import a_login, git, work  # noqa: F401 (a fixture)

# Prints its event. Fails if the event has `Fail`, and invokes itself `Again` times.
LISTENER = '''
import json, os, urllib.request
API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    with urllib.request.urlopen(f"{API}/next") as invocation:
        headers, event = invocation.headers, json.load(invocation)
    os.environ["_X_AMZN_TRACE_ID"] = headers["Lambda-Runtime-Trace-Id"]
    print("heard", json.dumps(event), flush=True)
    what, answer = "response", {}
    try:
        if isinstance(event, dict) and event.get("Fail"):
            raise RuntimeError("scripted failure")
        if isinstance(event, dict) and event.get("Again"):
            import boto3
            arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
            boto3.client("lambda").invoke(FunctionName=arn, InvocationType="Event",
                                          Payload=json.dumps({"Again": event["Again"] - 1}))
    except Exception as error:
        print("refused", error, flush=True)
        what, answer = "error", {"errorType": type(error).__name__, "errorMessage": str(error)}
    url = f"{API}/{headers['Lambda-Runtime-Aws-Request-Id']}/{what}"
    urllib.request.urlopen(urllib.request.Request(url, data=json.dumps(answer).encode(), method="POST")).close()
'''


class Listener:
    def __init__(self, aws: LocalAws, name: str) -> None:
        self.aws, self.name = aws, name
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            bootstrap = zipfile.ZipInfo("bootstrap")
            bootstrap.external_attr = 0o755 << 16
            archive.writestr(bootstrap, f"#!{sys.executable}\n{LISTENER}")
        iam = aws.client("iam")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST_LAMBDA)["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="log", PolicyDocument=policy(allow("logs:*", "*")))
        self.arn: str = aws.client("lambda").create_function(
            FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=role, Timeout=20,
            Code={"ZipFile": package.getvalue()})["FunctionArn"]

    def said(self, what: str) -> list[str]:
        logs = self.aws.client("logs")
        group = f"/aws/lambda/{self.name}"
        if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            return []
        return [line.removeprefix(f"{what} ") for event in logs.filter_log_events(logGroupName=group)["events"]
                for line in event["message"].splitlines() if line.startswith(f"{what} ")]

    def received(self, count: int = 1) -> list[Any]:
        eventually(lambda: len(self.said("heard")) >= count)
        return [json.loads(line) for line in self.said("heard")]

    def admit(self, source_arn: str, **source: str) -> None:
        self.aws.client("lambda").add_permission(
            FunctionName=self.name, StatementId="rule", Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com", SourceArn=source_arn, **source)


@pytest.fixture
def listener(aws: LocalAws, name: str) -> Listener:
    return Listener(aws, name)


def rule(aws: LocalAws, listener: Listener, **target: Any) -> str:
    events = aws.client("events")
    arn: str = events.put_rule(Name=listener.name, EventPattern=json.dumps({"source": [listener.name]}))["RuleArn"]
    events.put_targets(Rule=listener.name, Targets=[{"Id": "it", "Arn": listener.arn, **target}])
    return arn


def send(aws: LocalAws, source: str, **detail: Any) -> None:
    aws.client("events").put_events(Entries=[{"Source": source, "DetailType": "t", "Detail": json.dumps(detail)}])


def test_rule_invokes_function_only_if_its_policy_allows_it(aws: LocalAws, listener: Listener) -> None:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    # EventBridge does not send the account:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html
    arn = rule(aws, listener)
    send(aws, listener.name, n=0)
    for number, (source, more) in enumerate([
            (f"{arn}-other", {}), (arn, {"SourceAccount": aws.account_id}), (arn, {})], 1):
        listener.admit(source, **more)
        send(aws, listener.name, n=number)
        if number < 3:
            aws.client("lambda").remove_permission(FunctionName=listener.name, StatementId="rule")
    assert listener.received()[0]["detail"] == {"n": 3}
    assert [decision["allowed"] for decision in aws.decisions("events.amazonaws.com")
            if decision["resource"] == listener.arn] == [False, False, False, True]


def test_a_failed_asynchronous_invocation_is_tried_twice_more(aws: LocalAws, listener: Listener) -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    aws.set(first_retry_after_seconds=0.05, second_retry_after_seconds=0.1)
    listener.admit(rule(aws, listener, Input=json.dumps({"Fail": 1})))
    send(aws, listener.name)
    assert listener.received(3) == [{"Fail": 1}] * 3
    aws.client("lambda").invoke(FunctionName=listener.name, Payload=b"{}")
    assert listener.received(4) == [{"Fail": 1}] * 3 + [{}]


def test_self_invocation_needs_the_permission(aws: LocalAws, listener: Listener) -> None:
    aws.set(first_retry_after_seconds=60, second_retry_after_seconds=60)
    client = aws.client("lambda")
    assert client.invoke(FunctionName=listener.name, InvocationType="Event", Payload=b'{"Again": 2}')[
        "StatusCode"] == 202
    [rejected] = eventually(lambda: listener.said("refused"))
    assert f"not authorized to perform: lambda:InvokeFunction on resource: {listener.arn}" in rejected
    aws.client("iam").put_role_policy(RoleName=listener.name, PolicyName="again", PolicyDocument=policy(
        allow("lambda:InvokeFunction", listener.arn)))
    client.invoke(FunctionName=listener.name, InvocationType="Event", Payload=b'{"Again": 2}')
    assert sorted(received["Again"] for received in listener.received(4)) == [0, 1, 2, 2]


# https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
def test_endless_self_invocation_is_stopped(aws: LocalAws, listener: Listener) -> None:
    aws.set(first_retry_after_seconds=60, second_retry_after_seconds=60)
    aws.client("iam").put_role_policy(RoleName=listener.name, PolicyName="again", PolicyDocument=policy(
        allow("lambda:InvokeFunction", listener.arn)))
    aws.client("lambda").invoke(FunctionName=listener.name, InvocationType="Event", Payload=b'{"Again": 40}')
    [rejected] = eventually(lambda: listener.said("refused"))
    assert "recursive loop" in rejected
    assert len(listener.received()) == 16


def test_branch_changes_by_api_send_the_events_of_a_push(aws: LocalAws, listener: Listener, work: Path) -> None:
    # https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html
    aws.set(credential_accepted_after_seconds=0)
    codecommit = aws.client("codecommit")
    metadata = codecommit.create_repository(repositoryName=listener.name)["repositoryMetadata"]
    url = a_login(aws, f"{listener.name}-pusher", allow("codecommit:Git*", metadata["Arn"])).git_url(
        metadata["cloneUrlHttp"])
    assert git("push", url, "HEAD:refs/heads/main", at=work).returncode == 0
    rule_arn = rule(aws, listener)
    aws.client("events").put_rule(Name=listener.name, EventPattern=json.dumps(
        {"source": ["aws.codecommit"], "resources": [metadata["Arn"]], "detail": {"referenceName": ["other"]}}))
    listener.admit(rule_arn)
    commit = git("rev-parse", "HEAD", at=work).stdout.strip()
    codecommit.create_branch(repositoryName=listener.name, branchName="other", commitId=commit)
    assert listener.received()[0]["detail"]["event"] == "referenceCreated"
    codecommit.delete_branch(repositoryName=listener.name, branchName="other")
    told = {received["detail"]["event"]: received["detail"] for received in listener.received(2)}
    assert told["referenceDeleted"]["oldCommitId"] == commit
    assert told["referenceDeleted"]["callerUserArn"] == f"arn:aws:iam::{aws.account_id}:root"
