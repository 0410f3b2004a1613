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


@dataclass
class Check:
    """The subject of a check, with its problem if it has one."""

    subject: str
    problem: str | None = None


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
        if check.problem:
            write(f"{'':8}  {check.problem}")
    problems = sum(check.problem is not None for check in checks)
    write(f"{len(checks)} checks, {problems} with a problem")
    return 1 if problems else 0


def stack_check(stack: dict) -> Check:
    status = stack["StackStatus"]
    is_complete = status.endswith("_COMPLETE") and "ROLLBACK" not in status
    problem = f"its status is {status}. Read its events: aws cloudformation describe-stack-events --stack-name {stack['StackName']}"
    return Check(f"stack {stack['StackName']}", None if is_complete else problem)


def function_checks(account: sam_settings.Account, env_id: str, stack: dict) -> list[Check]:
    """The function's findings."""
    outputs = sam_settings.outputs(stack)
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    subject = f"function cfn-gitops-{env_id}"
    if "ServiceToken" not in outputs:
        return [Check(subject, "the stack has no output ServiceToken. Deploy it again")]
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
            return [Check(subject, f"{result.get('errorMessage')} Read its log: aws logs tail /aws/lambda/cfn-gitops-{env_id}")]
        found = result["Doctor"]
        checks = [Check(each["Subject"], each.get("Problem")) for each in found["Checks"]]
        return [Check(subject), *checks, *(Check("a part that was not checked", why) for why in found["NotChecked"])]
    except (BotoCoreError, ClientError) as error:
        return [Check(subject, f"{error}. Correct the cause, and run this again")]
    except (AttributeError, KeyError, TypeError, ValueError):
        return [Check(subject, "its response is not a diagnosis. Deploy this version of it: "
                               "the output ServiceToken may name another function")]


def rule_checks(account: sam_settings.Account, env_id: str) -> list[Check]:
    """Whether EventBridge passes events."""
    pages = account.session.client("events").get_paginator("list_rules").paginate(NamePrefix=f"event-rule-{env_id}-")
    try:
        rules = [rule for page in pages for rule in page["Rules"]]
    except (BotoCoreError, ClientError) as error:
        return [Check("the event rules", f"{error}. Correct the cause, and run this again")]
    return [
        Check(f"event rule {rule['Name']}", None if rule.get("State") != "DISABLED" else
              f"it is disabled. Enable it: aws events enable-rule --name {rule['Name']}")
        for rule in rules
    ]


if __name__ == "__main__":
    sys.exit(main())
