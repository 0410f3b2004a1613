"""Check an environment, from GitLab's token to the pipelines' rules.

It changes nothing. The function checks what only it can read: credentials, tokens, mirrors and pipelines. The rules and
the stack are read with your own permissions. The exit status is 1 after a finding, and if a part was not checked.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli import machine
from cli.account import Environment, outputs, parameters
from cli.checks.stack import stack_check
from cli.output import Finding, Output

EXAMPLES = ("cfn-gitops doctor --env dev", "cfn-gitops doctor --env prd --profile operations --json")
INTERRUPTED = "Nothing was changed"

# A check of many mirrors takes minutes. A second attempt would only wait for a second check. NAT gateways drop a
# connection that is idle for 350 seconds: https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
_CONFIG = Config(read_timeout=905, retries={"total_max_attempts": 1}, tcp_keepalive=True)
# The subject of what the function did not check.
NOT_CHECKED = "a part of the environment"
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeRule.html (State)
ENABLED = ("ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")


def run(environment: Environment, given: Any, output: Output) -> int:
    stack = environment.stack()
    findings = [stack_check(environment, stack), *function_checks(environment, stack, client_of(environment)), *rule_checks(environment)]
    # Unlike before a deployment, each part exists and can be read.
    return output.findings(findings) or int(any(each.reason for each in findings))


def client_of(environment: Environment) -> Any:
    return environment.account.client("lambda", config=_CONFIG)


def function_checks(environment: Environment, stack: dict[str, Any], client: Any) -> list[Finding]:
    """The function's findings."""
    env_id, found_outputs, given = environment.env_id, outputs(stack), parameters(stack)
    subject = f"function cfn-gitops-{env_id}"
    if "ServiceToken" not in found_outputs:
        return [Finding(subject, "the stack has no output ServiceToken", "Deploy it again")]
    event = {"Doctor": {"EnvID": env_id, "UserNames": given.get("MirrorUserNames", "")}}
    if given.get("ProjectID"):
        # As the schedule of the health check does.
        event["Doctor"]["FirstProject"] = {
            "StackId": stack["StackId"],
            "PipelineStack": f"gitops-{env_id}-{given['ProjectID']}",
            "Secret": f"codecommit-mirror/user-{env_id}-codecommit-mirroring",
        }
    try:
        response = client.invoke(FunctionName=found_outputs["ServiceToken"], Payload=json.dumps(event).encode())
        result = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            return [Finding(subject, f"{result.get('errorMessage')}", f"Read its log: aws logs tail /aws/lambda/cfn-gitops-{env_id}")]
        found = result["Doctor"]
        checks = [finding(each["Subject"], each) for each in found["Checks"]]
        return [Finding(subject), *checks, *(not_checked(each) for each in found["NotChecked"])]
    except (BotoCoreError, ClientError) as error:
        return [failed(subject, error)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return [Finding(subject, "its response is not a diagnosis: the output ServiceToken may name another function",
                      "Deploy this version of it")]


def finding(subject: str, parts: dict[str, Any]) -> Finding:
    """A finding of the function."""
    problem, remedy, code = (str(parts.get(part) or "") for part in ("Problem", "Remedy", "Code"))
    return Finding(subject, problem, remedy, code)


def not_checked(parts: dict[str, Any]) -> Finding:
    """A part that the function could not read."""
    problem, remedy, code = (str(parts.get(part) or "") for part in ("Problem", "Remedy", "Code"))
    return Finding(NOT_CHECKED, remedy=remedy, code=code, reason=problem or "the function names no reason")


def failed(subject: str, error: Exception) -> Finding:
    """A failure of AWS or of this machine, which proves nothing about the subject."""
    failure = machine.explained(error)
    return Finding(subject, reason=failure.problem if failure else f"{error}", remedy=failure.remedy if failure else "Run this again")


def rule_checks(environment: Environment) -> list[Finding]:
    """Whether EventBridge passes events."""
    pages = environment.account.client("events").get_paginator("list_rules").paginate(NamePrefix=f"event-rule-{environment.env_id}-")
    try:
        rules = [rule for page in pages for rule in page["Rules"]]
    except (BotoCoreError, ClientError) as error:
        return [failed("the event rules", error)]
    return [Finding(f"event rule {rule['Name']}") if rule.get("State") in ENABLED else
            Finding(f"event rule {rule['Name']}", f"its state is {rule.get('State')}",
                    f"Enable it: aws events enable-rule --name {rule['Name']}") for rule in rules]

