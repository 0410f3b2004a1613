"""Check an account and a region before a deployment.

It changes nothing, and takes seconds. Run it before the first deployment, and before the next one. Each row is found,
sound or not checked, with the reason. Only a finding changes the exit status.
"""

from __future__ import annotations

from typing import Any

from cli import samconfig
from cli.account import Environment, parameters
from cli.checks import template as templates
from cli.checks.executions import execution_rows
from cli.checks.names import Names, owned_by
from cli.checks.parameters import SettingsFile, parameter_checks, rule_checks, setting_checks, tag_checks
from cli.checks.region import always_unknown, quota_rows, service_rows
from cli.checks.rights import other_types, right_rows
from cli.checks.rows import Reader, Row, findings, not_checked
from cli.checks.stack import project_checks, stack_check
from cli.checks.template import Template
from cli.checks.token import token_checks
from cli.ending import Failure
from cli.output import Output

EXAMPLES = ("cfn-gitops check --env dev", "cfn-gitops check --env prd --region eu-central-1 --json")


def run(environment: Environment, given: Any, output: Output) -> int:
    file = SettingsFile(environment, given.config_file)
    reader, found = Reader(environment), setting_checks(file)
    rows = service_rows(reader)
    stacks: dict[str, dict[str, Any]] | None = None
    owned: dict[str, str] | None = None
    document: dict[str, Any] | None = None
    template: Template | None = None
    stack: dict[str, Any] | None = None
    try:
        stacks = {each["StackName"]: each for each in environment.account.stacks()}
        stack = stacks.get(environment.settings.stack_name)
        found += [stack_check(environment, stack), *project_checks(environment, stack)]
    except Exception as error:
        found.append(not_checked("the environment's stack, its pipelines, rights and names", error))
    try:
        owned = owned_by(reader, stack) if stacks is not None else None
    except Exception as error:
        found.append(not_checked("names and quotas", error))
    try:
        document = templates.read(templates.folder(given.config_file))
        found += parameter_checks(file, document)
    except Failure as failure:
        found.append(not_checked("parameters, rights and names", failure))
    if document and stacks is not None:
        template = Template(document, values(environment, document, stack))
        found += [*rule_checks(template, file), *tag_checks(file, template.values, document), *other_types(template)]
        role, bucket = (samconfig.setting(file.table, name) for name in ("role_arn", "s3_bucket"))
        rows += right_rows(reader, template, stacks, role, bucket)
        rows += Names(reader, template, stacks, set(owned.values())).rows() if owned is not None else []
    rows += quota_rows(reader, template, owned)
    rows += execution_rows(reader, list(stacks.values())) if stacks else []
    rows.append(Row("GitLab token", lambda: token_checks(environment, template.values if template else None)))
    unread = template.unread if template else []
    return output.findings([*found, *unread, *findings(rows), *always_unknown()])


def values(environment: Environment, document: dict[str, Any], stack: dict[str, Any] | None) -> dict[str, str]:
    """The parameters of the next deployment: one that samconfig.toml does not name keeps its value."""
    account = environment.account
    kept = parameters(stack) if stack else {}
    known = {**templates.defaults(document), **kept, **environment.settings.parameters}
    return {**{name: value for name, value in known.items() if name in document["Parameters"]},
            "AWS::Partition": account.arn.split(":")[1], "AWS::Region": account.region, "AWS::AccountId": account.id,
            "AWS::StackName": environment.settings.stack_name, "AWS::StackId": stack["StackId"] if stack else ""}


