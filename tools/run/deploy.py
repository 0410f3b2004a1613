"""Runs `sam deploy` for one environment: shows the target first, and stops early if the deployment would
fail.

    python -m tools.run.deploy --env dev -- RotationSerial=2

With --check it stops before `sam`. `make deploy` runs that before the build, which takes minutes.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from cli.environment import samconfig
from cli.environment.account import connect
from cli.environment.stack_failures import StackFailures, heading
from cli.shell import spelling
from cli.shell.ending import entry
from cli.shell.failure import WrongUse
from cli.shell.terminal import output_of_another_program, write

ROOT = Path(__file__).parents[2]
# If the stack is in one of these states, `sam deploy` creates its resources instead of updating them.
_FIRST = {None, "REVIEW_IN_PROGRESS"}
TEMPLATE = ROOT / "template.yaml"


def declared() -> dict[str, dict[str, Any]]:
    """The parameters of template.yaml. Its other sections have CloudFormation's tags, and take a second to
    read."""
    [section] = re.findall(r"^Parameters:\n(.*?)^\w", TEMPLATE.read_text(), re.DOTALL | re.MULTILINE)
    return dict(yaml.safe_load(section))


def overridden(settings: samconfig.Settings, more: list[str]) -> dict[str, str]:
    """The parameters of the file, and of the command line: Name=value. sam ignores one that the template does
    not have."""
    if wrong := [pair for pair in more if "=" not in pair]:
        raise WrongUse(f"parameters must be Name=value pairs, not {' '.join(wrong)}", "Correct PARAMETERS")
    known = declared()
    parameters = {
        "EnvID": settings.env_id,
        **settings.parameters,
        **dict(pair.split("=", 1) for pair in more),
    }
    if unknown := [name for name in parameters if name not in known]:
        raise WrongUse(
            f"{unknown[0]}: template.yaml has no such parameter{spelling.did_you_mean(unknown[0], known)}",
            f"Correct PARAMETERS, or parameter_overrides of [{settings.table}] in samconfig.toml",
        )
    return parameters


@entry("CloudFormation goes on with a deployment that has begun")
def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--env", default="dev")
    arguments.add_argument("--yes", action="store_true", help="do not ask before the change set is executed")
    arguments.add_argument("--check", action="store_true", help="end before sam")
    arguments.add_argument("parameters", nargs="*")
    given = arguments.parse_args()
    settings = samconfig.read(given.env, ROOT / samconfig.FILE)
    parameters = overridden(settings, given.parameters)
    account = connect(settings.text("profile"), settings.text("region"))
    write(
        f"Stack {settings.stack_name}, account {account.id}, region {account.region}, "
        + " ".join(f"{key}={value}" for key, value in parameters.items())
    )
    bucket = account.bucket_of(parameters["EnvID"])
    stack = account.stack(settings.stack_name) or {}
    if stack.get("StackStatus") in _FIRST and account.has_bucket(bucket):
        write(
            f"Bucket {bucket} exists, left by an earlier deployment, and would make this one fail.",
            f"Remove it with `cfn-gitops undeploy --env {settings.table} --delete-bucket`, or import it into"
            ' the new stack (docs/how-to/remove.md, "Deploy again").',
            to=sys.stderr,
        )
        return 1
    if given.check:
        return 0
    # With the template: without it, sam would take that of an earlier `sam build`, which may be older. The
    # parameters of the file too, because sam ignores them if the command line has any. Quoted, because sam
    # otherwise rejects an empty value, and cuts ResourceTags at a quotation mark of its JSON.
    command = [
        "sam",
        "deploy",
        "--config-env",
        settings.table,
        "--template-file",
        "template.yaml",
        "--parameter-overrides",
        *(f"{key}='{value}'" if '"' in value else f'{key}="{value}"' for key, value in parameters.items()),
    ]
    if given.yes:
        command.append("--no-confirm-changeset")
    failures = StackFailures(account.session.client("cloudformation"), settings.stack_name)
    # sam shows CloudFormation's reasons itself.
    with output_of_another_program() as output:
        status = subprocess.run(
            command,
            cwd=ROOT,
            check=False,
            stdout=output,
            stderr=output,
            env=os.environ | {"COLUMNS": str(shutil.get_terminal_size().columns)},
        ).returncode
    lines = [*failures.lines(), *filter(None, [failures.hint])] if status != 0 else []
    if lines:
        write("", to=sys.stderr)
        write(
            heading(settings.stack_name, is_deployed=False), *(f"  {line}" for line in lines), to=sys.stderr
        )
    return status


if __name__ == "__main__":
    sys.exit(main())
