"""The status of the environment's stack."""

from __future__ import annotations

from typing import Any

from cli.checks.rows import Once, Row
from cli.environment import stack_statuses
from cli.environment.account import Environment, manager_of, parameters
from cli.environment.stack_deletion import changing, way_out
from cli.rules import name_of
from cli.shell.command import cfn_gitops
from cli.shell.findings import Finding, Found, Sound


def stack_rows(environment: Environment, stack: Once, values: Once) -> list[Row]:
    return [
        Row(
            "stack",
            f"stack {environment.settings.stack_name}",
            lambda: [stack_check(environment, stack.get())],
        ),
        Row(
            "first-project", "first project", lambda: [project_check(environment, stack.get(), values.get())]
        ),
    ]


def stack_check(environment: Environment, stack: dict[str, Any] | None) -> Finding:
    """Whether CloudFormation accepts a deployment now. `stack` is `None` if it does not exist.

    After UPDATE_ROLLBACK_COMPLETE it does, and the stack works as before the update."""
    name = environment.settings.stack_name
    subject = f"stack {name}"
    if stack is None:
        return Sound(f"{subject} does not exist yet")
    status = stack["StackStatus"]
    if status == stack_statuses.REVIEW_IN_PROGRESS:
        # https://github.com/aws/aws-sam-cli/blob/develop/samcli/lib/deploy/deployer.py, has_stack
        return Sound(f"{subject} has only a change set, which the next deployment replaces")
    stack = {"StackName": name, **stack}
    manager = manager_of(stack)
    if remedy := _remedy(status, stack, environment):
        if manager and not stack_statuses.is_in_progress(status):
            remedy = f"It belongs to {manager}. Correct its status there"
        return Found(subject, f"its status is {status}, in which CloudFormation accepts no update", remedy)
    deployed, env_id = parameters(stack).get("EnvID"), environment.env_id
    if deployed is None:
        return Found(
            subject,
            "it has no parameter EnvID, so it is not one of cfn-gitops, and the deployment would replace its "
            "resources",
            (
                f"Set another stack_name in [{environment.settings.table}.global.parameters]"
                if environment.settings.file
                else environment.settings.remedy
            ),
        )
    if deployed == env_id and manager:
        return Sound(subject, f"It belongs to {manager}. Deploy it there, not with `sam deploy`")
    if deployed == env_id:
        is_former = status == stack_statuses.UPDATE_ROLLBACK_COMPLETE
        return Sound(
            subject,
            f"Its last update was rolled back. Read why: {_failures(environment)}" if is_former else "",
        )
    return Found(
        subject,
        f"it has EnvID {deployed}, and the environment has {env_id}. EnvID is part of every name, so this "
        "update fails",
        (
            f"Set EnvID={deployed}, or another stack_name for {env_id}"
            if environment.settings.file
            else environment.settings.remedy
        ),
    )


def _failures(environment: Environment) -> str:
    settings = environment.settings
    if settings.environment:
        return cfn_gitops("failures", settings.stack_name, "--env", settings.environment)
    return cfn_gitops("failures", "--env", settings.table)


def _remedy(status: str, stack: dict[str, Any], environment: Environment) -> str:
    """Empty if CloudFormation accepts an update."""
    if status == stack_statuses.ROLLBACK_IN_PROGRESS:
        return f"Wait until it is ROLLBACK_COMPLETE, then delete it: {changing(stack)}"
    if stack_statuses.is_in_progress(status):
        return "Wait for its end, and run this again"
    what = {
        "delete-stack": "Delete it, and wait for that",
        "rollback-stack": "Roll it back",
        "continue-update-rollback": (
            f"Correct the cause, which `{_failures(environment)}` shows, and continue"
        ),
    }
    if command := way_out(stack):
        return f"{what[stack_statuses.WAYS_OUT[status]]}: {command}"
    return "" if status in stack_statuses.COMPLETE else f"Read its events: {_failures(environment)}"


def project_check(environment: Environment, stack: dict[str, Any] | None, values: dict[str, str]) -> Finding:
    """`values` are those of the next deployment. Another ProjectID replaces the first project, which no
    change set shows with its consequence."""
    settings, deployed = environment.settings, parameters(stack or {})
    if settings.file and not {"ProjectID", "GitLabProject"} & {*settings.parameters, *deployed}:
        return Found(
            "first project",
            f"as {settings.file.name} stands, a deployment creates an environment without a project",
            "Remove the # before the lines of your first project in parameter_overrides of"
            f" [{settings.table}.deploy.parameters], and write your values"
            " (docs/tutorial/first-deployment.md, step 4). If you want none, write 'ProjectID=\"\"'",
        )
    former = deployed.get("ProjectID", "")
    given = values.get("ProjectID", former)
    if not former or given == former:
        return Sound("first project")
    env_id = environment.env_id
    return Found(
        f"first project {former}",
        f"samconfig.toml has ProjectID={given or 'an empty value'}. This deployment deletes the pipeline and"
        f" the repository {name_of('repository', env_id, former)} with its commits, and no pipeline deploys"
        " its stack any more",
        f"Set ProjectID={former}, and add another project with templates/project.yaml: "
        "docs/how-to/add-a-project.md",
    )
