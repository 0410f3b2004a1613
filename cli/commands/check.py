"""Check an account and a region before a deployment.

It changes nothing, and takes seconds. Run it before the first deployment, and before the next one. Each row
is found, sound or not checked, with the reason, and the key of those that are not sound. A change set finds
more: invalid values of parameters, for example, and most names that are in use.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from cli.checks import template as templates
from cli.checks.executions import execution_rows
from cli.checks.names import name_rows, owned_by
from cli.checks.parameters import setting_rows
from cli.checks.region import quota_rows, service_rows, unknown_rows
from cli.checks.rows import Once, Reader, Row, findings
from cli.checks.stack import stack_check, stack_rows
from cli.checks.token import KEYS as TOKEN_KEYS
from cli.checks.token import token_rows
from cli.environment import samconfig
from cli.environment.account import Environment, manager_of, parameters
from cli.shell.command import sam, selections
from cli.shell.failure import WrongUse
from cli.shell.findings import Found, NotChecked, Sound, write_findings
from cli.shell.output import Output

EXAMPLES = (
    "cfn-gitops check --env dev",
    "cfn-gitops check --env prd --region eu-central-1 --json",
    "cfn-gitops check --env dev --ignore quotas --ignore executions",
    "cfn-gitops check --env dev --project shop-dev",
)

# Each key of a row, with what the row compares.
KEYS = {
    "parameters": "parameters in samconfig.toml that sam would drop",
    "tags": "the stack's tags, and those of everything that the function creates",
    "stack": "whether CloudFormation accepts a deployment of the environment's stack now",
    "first-project": (
        "whether samconfig.toml names the first project, and whether the deployment would replace it"
    ),
    "services": "whether the region has CodeCommit, CodePipeline and CodeBuild",
    "quotas": "the account's quotas of IAM and of concurrent builds",
    "names": "names of roles, users, managed policies, event rules and log groups that are in use",
    "exports": "exports of another stack with the same EnvID",
    "secret": "the secret of the first project's mirror",
    "pipeline": "the stack and the repository of the first project's pipeline",
    "executions": "executions and approvals that the deployment may cancel, and freezes that it may end",
    **TOKEN_KEYS,
    "unknown": "obstacles that only a rejected deployment or build shows",
}


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--project",
        default="",
        metavar="TABLE",
        help="the parameters, stack, token and branch of a further project, by its table in samconfig.toml",
    )
    command.add_argument(
        "--ignore",
        action="append",
        choices=list(KEYS),
        default=[],
        metavar="KEY",
        help="the rows with this key are not shown, and not read for themselves. It may be repeated",
    )
    command.add_argument_group("keys", "\n".join(f"{key:17} {meaning}" for key, meaning in KEYS.items()))


def next_values(
    environment: Environment, document: dict[str, Any], stack: dict[str, Any] | None
) -> dict[str, str]:
    """The parameters of the next deployment: one that samconfig.toml does not name keeps its value."""
    account = environment.account
    try:
        given = environment.settings.parameters
    except WrongUse:
        raise WrongUse("the values of the parameters are not known", "See the row `parameters`") from None
    known = {**templates.defaults(document), **parameters(stack or {}), **given}
    return {
        **{name: value for name, value in known.items() if name in document["Parameters"]},
        "AWS::Region": account.region,
        "AWS::AccountId": account.id,
        "AWS::StackName": environment.settings.stack_name,
    }


def run(environment: Environment, given: Any, output: Output) -> int:
    if given.project:
        return _check_project(environment, given, output)
    reader = Reader(environment)
    document = templates.read(templates.folder(given.config_file))
    stacks = Once(lambda: {each["StackName"]: each for each in environment.account.stacks()})
    stack = Once(lambda: stacks.get().get(environment.settings.stack_name))
    owned = Once(lambda: owned_by(reader, stack.get()))
    values = Once(lambda: next_values(environment, document, stack.get()))
    rows: list[Row] = [
        *setting_rows(environment.settings, document, values),
        *stack_rows(environment, stack, values),
        *service_rows(reader, values),
        *quota_rows(reader, document, owned, values),
        *name_rows(reader, document, stacks, owned, values),
        *execution_rows(reader, stacks),
        *token_rows(reader, values, given.ignore),
        *unknown_rows(),
    ]
    command = f"{next_command(environment.settings.table)}{_without(values.value or {})}"
    return _show(rows, given, output, stack, command if environment.settings.file else "")


def _check_project(environment: Environment, given: Any, output: Output) -> int:
    """A further project. Its stack needs no build, and reaches GitLab as the environment does."""
    settings = samconfig.project(given.project, environment.settings)
    project = replace(environment, settings=settings)
    document = templates.read(given.config_file.parent, settings.given["template_file"])
    stacks = Once(lambda: {each["StackName"]: each for each in environment.account.stacks()})
    stack = Once(lambda: stacks.get().get(settings.stack_name))

    def known() -> dict[str, str]:
        deployed = parameters(stacks.get().get(environment.settings.stack_name) or {})
        of_environment = {**deployed, **environment.settings.parameters}
        path = {name: of_environment.get(name, "") for name in ("VpcSubnetIds", "HttpsProxy")}
        return {**path, **next_values(project, document, stack.get())}

    values = Once(known)
    rows = [
        *setting_rows(settings, document, values),
        Row("stack", f"stack {settings.stack_name}", lambda: [stack_check(project, stack.get())]),
        *token_rows(Reader(environment), values, given.ignore),
    ]
    return _show(rows, given, output, stack, sam("deploy", "--config-env", settings.table))


def _show(rows: list[Row], given: Any, output: Output, stack: Once, command: str) -> int:
    """The rows, and the next command if they are sound and no other stack owns this one."""
    found = findings(row for row in rows if row.key not in given.ignore)
    # Findings stand last, where a terminal shows them.
    status = write_findings(
        sorted(found, key=lambda each: (Sound, NotChecked, Found).index(type(each))), output
    )
    if given.ignore:
        output.document["ignored"] = ignored = list(dict.fromkeys(given.ignore))
        output.write(f"Ignored: {', '.join(ignored)}")
    if status == 0 and found and command and not (stack.value and manager_of(stack.value)):
        output.document["next"] = f"Next: {command}"
        output.write(output.document["next"])
    return status


def next_command(table: str) -> str:
    """In a clone, the function has to be built first. `make` takes account and region of the environment
    variables."""
    deploy = sam("deploy", "--config-env", table)
    if templates.is_of_release():
        return deploy
    return f"make build && {deploy}" if selections.get("sam") else f"make deploy ENV={table}"


def _without(values: dict[str, str]) -> str:
    """A sentence about a first project whose mirror a person makes."""
    if not values.get("ProjectID") or values.get("GitLabProject"):
        return ""
    return (
        f". It has the project {values['ProjectID']} without a mirror, because GitLabProject is not set: "
        "docs/how-to/connect-gitlab.md"
    )
