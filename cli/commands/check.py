"""Check an account and a region before a deployment.

It changes nothing, and takes seconds. Run it before the first deployment, and before the next one. Each row is found,
sound or not checked, with the reason. Only a finding changes the exit status.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cli.checks import template as templates
from cli.checks.executions import execution_rows
from cli.checks.names import name_rows, owned_by
from cli.checks.parameters import SettingsFile, parameter_checks, rule_checks, setting_checks, tag_checks
from cli.checks.region import unknown_checks, build_quota_rows, iam_quota_rows, service_rows
from cli.checks.rows import Reader, Row, findings
from cli.checks.stack import stack_checks
from cli.checks.template import Template
from cli.checks.token import token_rows
from cli.environment.account import Environment, parameters
from cli.shell.output import Finding, NotChecked, Output

EXAMPLES = ("cfn-gitops check --env dev", "cfn-gitops check --env prd --region eu-central-1 --json")


@dataclass
class Input:
    """A value that checks and later inputs take by its name. Its row has this subject if the value is not read."""

    name: str
    read: Callable[..., Any]
    subject: str = ""


def values(environment: Environment, document: dict[str, Any], stack: dict[str, Any] | None) -> dict[str, str]:
    """The parameters of the next deployment: one that samconfig.toml does not name keeps its value."""
    account = environment.account
    kept = parameters(stack) if stack else {}
    known = {**templates.defaults(document), **kept, **environment.settings.parameters}
    return {**{name: value for name, value in known.items() if name in document["Parameters"]},
            "AWS::Partition": account.arn.split(":")[1], "AWS::Region": account.region, "AWS::AccountId": account.id,
            "AWS::StackName": environment.settings.stack_name, "AWS::StackId": stack["StackId"] if stack else ""}


def unread_parts(template: Template) -> list[Row]:
    """The parts of the template that the checks did not read, also those after this one."""
    return [Row("template", templates.NAME, lambda: template.unread)]


# In the order of the rows. A check takes its inputs by the names of its parameters, and is left out without one of them.
CHECKS: tuple[Input | Callable[..., Sequence[Finding | Row]], ...] = (
    setting_checks,
    Input("stacks", lambda environment: {each["StackName"]: each for each in environment.account.stacks()},
          "the environment's stack, its pipelines and names"),
    Input("stack", lambda environment, stacks: stacks.get(environment.settings.stack_name)),
    stack_checks,
    Input("owned", owned_by, "names and quotas"),
    Input("document", templates.read, "parameters and names"),
    parameter_checks,
    Input("template", lambda environment, document, stack: Template(document, values(environment, document, stack))),
    rule_checks,
    tag_checks,
    unread_parts,
    service_rows,
    name_rows,
    build_quota_rows,
    iam_quota_rows,
    execution_rows,
    token_rows,
    unknown_checks,
)


def run(environment: Environment, given: Any, output: Output) -> int:
    settings = SettingsFile(environment, given.config_file)
    known = {"environment": environment, "reader": Reader(environment), "settings": settings,
             "folder": templates.folder(given.config_file)}
    rows: list[Finding | Row] = []
    for each in CHECKS:
        read = each.read if isinstance(each, Input) else each
        names = inspect.signature(read).parameters
        if any(name not in known and about.default is about.empty for name, about in names.items()):
            continue
        inputs = {name: known[name] for name in names if name in known}
        if not isinstance(each, Input):
            rows += each(**inputs)
            continue
        try:
            known[each.name] = each.read(**inputs)
        except Exception as error:
            rows.append(NotChecked.because(each.subject, error))
    return output.findings(findings(rows))
