"""The function's own diagnosis of an environment: credentials, tokens, mirrors and pipelines."""

from __future__ import annotations

import json
from typing import Any

from botocore.config import Config

from cli.environment.account import Environment, outputs, parameters
from cli.rules import name_of
from cli.shell import machine
from cli.shell.output import Finding, Found, Held, NotChecked, Sound

# A check of many mirrors takes minutes. A second attempt would only wait for a second check. NAT gateways drop a
# connection that is idle for 350 seconds: https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
_CONFIG = Config(read_timeout=905, retries={"total_max_attempts": 1}, tcp_keepalive=True)
# The subject of what the function did not check.
NOT_CHECKED = "a part of the environment"


def client_of(environment: Environment) -> Any:
    return environment.account.client("lambda", config=_CONFIG)


def function_checks(environment: Environment, stack: dict[str, Any], client: Any) -> list[Finding]:
    """The function's findings."""
    env_id, found_outputs, given = environment.env_id, outputs(stack), parameters(stack)
    subject = f"function cfn-gitops-{env_id}"
    if "ServiceToken" not in found_outputs:
        return [Found(subject, "the stack has no output ServiceToken", "Deploy it again")]
    event = {"Doctor": {"EnvID": env_id, "UserNames": given.get("MirrorUserNames", "")}}
    if given.get("ProjectID"):
        # As the schedule of the health check does.
        event["Doctor"]["FirstProject"] = {
            "StackId": stack["StackId"],
            "PipelineStack": name_of("stack", env_id, given["ProjectID"]),
            "Secret": environment.first_secret,
        }
    try:
        response = client.invoke(FunctionName=found_outputs["ServiceToken"], Payload=json.dumps(event).encode())
        result = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            return [Found(subject, f"{result.get('errorMessage')}", f"Read its log: aws logs tail /aws/lambda/cfn-gitops-{env_id}")]
        found = result["Doctor"]
        checks = [finding(each["Subject"], each) for each in found["Checks"]]
        return [Sound(subject), *checks, *(not_checked(each) for each in found["NotChecked"])]
    except Exception as error:
        # botocore's error of a wrong region is a `ValueError` too.
        if machine.explained(error) is None and isinstance(error, (AttributeError, KeyError, TypeError, ValueError)):
            return [Found(subject, "its response is not a diagnosis: the output ServiceToken may name another function",
                          "Deploy this version of it")]
        return [NotChecked.because(subject, error)]


def finding(subject: str, parts: dict[str, Any]) -> Finding:
    """A finding of the function."""
    problem, remedy, code, held = (str(parts.get(part) or "") for part in ("Problem", "Remedy", "Code", "Held"))
    return Held(subject, held, remedy) if held else Finding.of(subject, problem, remedy, code)


def not_checked(parts: dict[str, Any]) -> Finding:
    """A part that the function could not read."""
    problem, remedy, code = (str(parts.get(part) or "") for part in ("Problem", "Remedy", "Code"))
    return NotChecked(NOT_CHECKED, problem or "the function names no reason", remedy, code)
