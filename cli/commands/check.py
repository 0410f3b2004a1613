"""Check an account and a region before a deployment.

It changes nothing, and takes seconds. Run it before the first deployment, and before the next one. Each row is found,
sound or not checked, with the reason. Only a finding changes the exit status.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli import samconfig
from cli.account import Environment, parameters
from cli.checks import template as templates
from cli.checks.executions import execution_rows
from cli.checks.names import Names, owned_by
from cli.checks.parameters import SettingsFile, parameter_checks, rule_checks, setting_checks
from cli.checks.region import always_unknown, quota_rows, service_rows
from cli.checks.rights import right_rows
from cli.checks.rows import Reader, Row, findings, not_checked
from cli.checks.stack import stack_check
from cli.checks.template import Template
from cli.checks.token import token_checks
from cli.ending import Failure
from cli.output import Output

EXAMPLES = ("cfn-gitops check --env dev", "cfn-gitops check --env prd --region eu-central-1 --json")
INTERRUPTED = "Nothing was changed"


def run(environment: Environment, given: Any, output: Output) -> int:
    file = SettingsFile(environment, given.config_file)
    reader, found = Reader(environment), setting_checks(file)
    rows = service_rows(reader)
    stacks, owned, template, document = None, None, None, None
    try:
        stacks = {stack["StackName"]: stack for stack in environment.account.stacks()}
        stack = stacks.get(environment.settings.stack_name)
        owned = owned_by(reader, stack)
        found.append(stack_check(environment, stack))
    except (BotoCoreError, ClientError) as error:
        found.append(not_checked("the environment's stack, its pipelines and names", error))
    try:
        document = templates.read(given.config_file.parent)
        found += parameter_checks(file, document)
        if stacks is not None and owned is not None:
            template = Template(document, values(environment, document, stack))
            found += rule_checks(template, file)
            rows += [*right_rows(reader, template, stacks, samconfig.setting(file.table, "role_arn"),
                                 samconfig.setting(file.table, "s3_bucket")),
                     *Names(reader, template, stacks, owned).rows()]
    except Failure as failure:
        found.append(not_checked("parameters, rights and names", failure))
    rows += quota_rows(reader, template, is_first=not owned)
    rows += execution_rows(reader, list(stacks.values())) if stacks else []
    known = values(environment, document, stack) if document is not None and stacks is not None else None
    rows.append(Row("GitLab token", lambda: token_checks(environment, known)))
    return output.findings([*found, *findings(rows), *always_unknown()])


def values(environment: Environment, document: dict[str, Any], stack: dict[str, Any] | None) -> dict[str, str]:
    """The parameters of the next deployment: one that samconfig.toml does not name keeps its value."""
    account = environment.account
    kept = parameters(stack) if stack else {}
    known = {**templates.defaults(document), **kept, **environment.settings.parameters}
    return {**{name: value for name, value in known.items() if name in document["Parameters"]},
            "AWS::Partition": account.arn.split(":")[1], "AWS::Region": account.region, "AWS::AccountId": account.id,
            "AWS::StackName": environment.settings.stack_name, "AWS::StackId": stack["StackId"] if stack else ""}


