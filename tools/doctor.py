"""Checks an environment, from GitLab's token to the pipelines' rules, and prints a table with each problem.

    python scripts/doctor.py --config-env dev

The release folder has this file in scripts/, a clone in tools/.

It changes nothing. The function checks what only it can read: credentials, tokens, mirrors and pipelines. The rules and
the stack are read with your own permissions. The exit status is 1 if there is a problem.
"""

import argparse
import json
import sys
from dataclasses import dataclass

import sam_settings
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from program import entry
from terminal import write

# A check of many mirrors takes minutes. A second attempt would only wait for a second check. NAT gateways drop a
# connection that is idle for 350 seconds: https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
_CONFIG = Config(read_timeout=905, retries={"total_max_attempts": 1}, tcp_keepalive=True)

AGAIN = "Correct the cause, and run this again"


@dataclass
class Check:
    """The subject of a check, with its problem and the remedy if it has one."""

    subject: str
    problem: str | None = None
    remedy: str | None = None


@entry("Nothing was changed")
def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--config-env", default="dev")
    settings = sam_settings.read(arguments.parse_args().config_env)
    account = sam_settings.account()
    stack = account.stack(settings.stack_name)
    if stack is None:
        write(f"stack {settings.stack_name} does not exist: deploy it with `sam deploy --config-env {settings.table}`")
        return 1
    checks = [stack_check(stack), *function_checks(account, settings.env_id, stack), *rule_checks(account, settings.env_id)]
    for check in checks:
        write(f"{'PROBLEM' if check.problem else 'ok':8}{check.subject}")
        for line in filter(None, (check.problem, check.remedy)):
            write(f"{'':8}  {line}")
    problems = sum(check.problem is not None for check in checks)
    write(f"{len(checks)} checks, {problems} with a problem")
    return 1 if problems else 0


def stack_check(stack: dict) -> Check:
    status = stack["StackStatus"]
    is_complete = status.endswith("_COMPLETE") and "ROLLBACK" not in status
    subject, remedy = f"stack {stack['StackName']}", "Read its events: aws cloudformation describe-stack-events --stack-name "
    return Check(subject) if is_complete else Check(subject, f"its status is {status}", remedy + stack["StackName"])


def function_checks(account: sam_settings.Account, env_id: str, stack: dict) -> list[Check]:
    """The function's findings."""
    outputs = sam_settings.outputs(stack)
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    subject = f"function cfn-gitops-{env_id}"
    if "ServiceToken" not in outputs:
        return [Check(subject, "the stack has no output ServiceToken", "Deploy it again")]
    event = {"Doctor": {"EnvID": env_id, "UserNames": parameters.get("MirrorUserNames", "")}}
    if parameters.get("ProjectID"):
        # As the schedule of the health check does.
        event["Doctor"]["FirstProject"] = {
            "StackId": stack["StackId"],
            "PipelineStack": f"gitops-{env_id}-{parameters['ProjectID']}",
            "Secret": f"codecommit-mirror/user-{env_id}-codecommit-mirroring",
        }
    client = account.session.client("lambda", config=_CONFIG)
    try:
        response = client.invoke(FunctionName=outputs["ServiceToken"], Payload=json.dumps(event).encode())
        result = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            return [Check(subject, f"{result.get('errorMessage')}", f"Read its log: aws logs tail /aws/lambda/cfn-gitops-{env_id}")]
        found = result["Doctor"]
        checks = [finding(each["Subject"], each) for each in found["Checks"]]
        return [Check(subject), *checks, *(finding("a part that was not checked", each) for each in found["NotChecked"])]
    except (BotoCoreError, ClientError) as error:
        return [Check(subject, f"{error}", AGAIN)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return [Check(subject, "its response is not a diagnosis: the output ServiceToken may name another function",
                      "Deploy this version of it")]


def finding(subject: str, parts: dict) -> Check:
    """A finding of the function. The code is last, as in every reason."""
    remedy = " - ".join(parts[part] for part in ("Remedy", "Code") if part in parts)
    return Check(subject, parts.get("Problem"), remedy)


def rule_checks(account: sam_settings.Account, env_id: str) -> list[Check]:
    """Whether EventBridge passes events."""
    pages = account.session.client("events").get_paginator("list_rules").paginate(NamePrefix=f"event-rule-{env_id}-")
    try:
        rules = [rule for page in pages for rule in page["Rules"]]
    except (BotoCoreError, ClientError) as error:
        return [Check("the event rules", f"{error}", AGAIN)]
    enable = "Enable it: aws events enable-rule --name "
    return [
        Check(f"event rule {rule['Name']}", *(("it is disabled", enable + rule["Name"]) if rule.get("State") == "DISABLED" else ()))
        for rule in rules
    ]


if __name__ == "__main__":
    sys.exit(main())
