"""Check an environment, from GitLab's token to the pipelines' rules.

It changes nothing. The function checks what only it can read: credentials, tokens, mirrors and pipelines. The rules and
the stack are read with your own permissions. The exit status is 1 after a finding, and if a part was not checked.
"""

from __future__ import annotations

from typing import Any

from cli.account import Environment
from cli.checks.stack import stack_check
from cli.diagnosis import client_of, failed, function_checks
from cli.output import Finding, Output
from cli.pipelines import ENABLED

EXAMPLES = ("cfn-gitops doctor --env dev", "cfn-gitops doctor --env prd --profile operations --json")


def run(environment: Environment, given: Any, output: Output) -> int:
    stack = environment.stack()
    findings = [stack_check(environment, stack), *function_checks(environment, stack, client_of(environment)), *rule_checks(environment)]
    # Unlike before a deployment, each part exists and can be read.
    return output.findings(findings) or int(any(each.reason for each in findings))


def rule_checks(environment: Environment) -> list[Finding]:
    """Whether EventBridge passes events."""
    pages = environment.account.client("events").get_paginator("list_rules").paginate(NamePrefix=f"event-rule-{environment.env_id}-")
    try:
        rules = [rule for page in pages for rule in page["Rules"]]
    except Exception as error:
        return [failed("the event rules", error)]
    return [Finding(f"event rule {rule['Name']}") if rule.get("State") in ENABLED else
            Finding(f"event rule {rule['Name']}", f"its state is {rule.get('State')}",
                    f"Enable it: aws events enable-rule --name {rule['Name']}") for rule in rules]

