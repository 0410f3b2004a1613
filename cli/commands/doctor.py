"""Check an environment, from GitLab's token to the pipelines' rules.

It changes nothing. The function checks what only it can read: credentials, tokens, mirrors and pipelines. The rules and
the stack are read with your own permissions. The exit status is 1 after a finding, and if a part was not checked.
"""

from __future__ import annotations

from typing import Any

from cli.checks.stack import stack_check
from cli.environment.account import Environment
from cli.environment.diagnosis import client_of, function_checks
from cli.project.pipelines import ENABLED
from cli.rules import event_rules
from cli.shell.output import Finding, Found, Held, NotChecked, Output, Sound

EXAMPLES = ("cfn-gitops doctor --env dev", "cfn-gitops doctor --env prd --profile operations --json")


def run(environment: Environment, given: Any, output: Output) -> int:
    stack = environment.stack()
    findings = [stack_check(environment, stack), *function_checks(environment, stack, client_of(environment))]
    # The function shows the freezes of pipelines, too.
    shown = {each.text for each in findings if isinstance(each, Held)}
    findings += [each for each in rule_checks(environment) if each.text not in shown]
    # Unlike before a deployment, each part exists and can be read.
    return output.findings(findings) or int(any(isinstance(each, NotChecked) for each in findings))


def rule_checks(environment: Environment) -> list[Finding]:
    """Whether EventBridge passes events."""
    pages = environment.account.client("events").get_paginator("list_rules").paginate(NamePrefix=f"event-rule-{environment.env_id}-")
    try:
        rules = [rule for page in pages for rule in page["Rules"]]
    except Exception as error:
        return [NotChecked.because("the event rules", error)]
    return [rule_check(environment.env_id, rule["Name"], rule.get("State")) for rule in rules]


def rule_check(env_id: str, name: str, state: str | None) -> Finding:
    """A person freezes a project by its rule. The other rules are those of the environment, and nothing works without them."""
    subject, command = f"event rule {name}", f"aws events enable-rule --name {name}"
    if state in ENABLED:
        return Sound(subject)
    if state == "DISABLED" and name.startswith(tuple(event_rules(env_id).values())):
        return Held(subject, f"held by the disabled event rule {name}", f"To end the freeze: {command}")
    return Found(subject, f"its state is {state}", f"Enable it: {command}")

