"""Runs `sam deploy` for one environment: shows the target first, and stops early if the deployment would fail.

    python scripts/deploy.py --config-env dev [--architecture arm64] -- RotationSerial=2
    python scripts/deploy.py --config-env dev --print-architecture     what has to be built for it
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path

import check_bootstrap
import sam_settings
from stack_failures import StackFailures

# If the stack is in one of these states, `sam deploy` creates its resources instead of updating them.
_FIRST = {None, "REVIEW_IN_PROGRESS"}
# template.yaml's CodeUri.
BOOTSTRAP = sam_settings.ROOT / "target/lambda/cfn-gitops/bootstrap"
# As in template.yaml.
DEFAULT_ARCHITECTURE = "x86_64"


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--config-env", default="dev")
    arguments.add_argument("--architecture", default="", help="overrides the architecture in samconfig.toml")
    arguments.add_argument("--print-architecture", action="store_true", help="print what would be deployed, and stop")
    arguments.add_argument("--yes", action="store_true", help="do not ask before the change set is executed")
    arguments.add_argument("parameters", nargs="*")
    given = arguments.parse_args()
    settings = sam_settings.read(given.config_env, given.parameters)
    override_architecture(settings, given.architecture, sam_settings.pairs(given.parameters))
    account = sam_settings.account()
    architecture, source = architecture_to_deploy(settings, account)
    if given.print_architecture:
        print(architecture)
        return 0
    print(f"Stack {settings.stack_name}, account {account.id}, region {account.region}, "
          + " ".join(f"{key}={value}" for key, value in settings.parameters.items()), flush=True)
    tables = tomllib.loads((sam_settings.ROOT / "samconfig.toml").read_text())
    if other := sam_settings.differing_default(tables):
        print(f"samconfig.toml: this uses table {settings.table}. Table default differs from table {other}; "
              "`sam deploy` without --config-env uses default. Make them equal, or delete default.", file=sys.stderr)
    if fault := wrong_bootstrap(BOOTSTRAP, architecture, source):
        print(fault, file=sys.stderr)
        return 1
    bucket = account.bucket_of(settings.env_id)
    if account.stack_status(settings.stack_name) in _FIRST and account.has_bucket(bucket):
        print(f"Bucket {bucket} exists, left by an earlier deployment, and would make this one fail.\n"
              f"Remove it with `make undeploy CONFIG_ENV={settings.table} DELETE_BUCKET=yes`, or import it into the new "
              "stack (docs/how-to/operating.md, \"Deploying again\").", file=sys.stderr)
        return 1
    # Quoted, because sam rejects an empty value otherwise.
    command = ["sam", "deploy", "--config-env", settings.table,
               "--parameter-overrides", *(f'{key}="{value}"' for key, value in settings.parameters.items())]
    if given.yes:
        command.append("--no-confirm-changeset")
    failures = StackFailures(account.session.client("cloudformation"), settings.stack_name)
    status = subprocess.run(command, cwd=sam_settings.ROOT, check=False).returncode
    if status != 0 and (lines := failures.lines()):
        print(f"\nStack {settings.stack_name}: what failed (docs/runbook/a-failed-deploy.md):", file=sys.stderr)
        print(*(f"  {line}" for line in lines), sep="\n", file=sys.stderr)
    return status


def override_architecture(settings: sam_settings.Settings, wanted: str, parameters: dict[str, str]) -> None:
    """Sets the parameter `Architecture` only if the user gave ARCHITECTURE, so that a stack keeps its own otherwise."""
    named = parameters.get("Architecture")
    if wanted and named and wanted != named:
        sys.exit(f"ARCHITECTURE={wanted} contradicts Architecture={named} in PARAMETERS. Leave one of them out.")
    if wanted:
        settings.parameters["Architecture"] = wanted


def architecture_to_deploy(settings: sam_settings.Settings, account: sam_settings.Account) -> tuple[str, str]:
    """The function's architecture after this deployment, and what determines it.

    CloudFormation keeps the value of a parameter that an update does not mention, and uses the template's default for
    a new stack.
    """
    architecture, source = settings.parameters.get("Architecture"), "the parameter Architecture"
    if architecture is None:
        stack = account.stack(settings.stack_name) or {}
        kept = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
        architecture, source = kept.get("Architecture"), f"stack {settings.stack_name}"
    if architecture is None:
        architecture, source = DEFAULT_ARCHITECTURE, "template.yaml's default"
    if architecture not in check_bootstrap.MACHINES:
        sys.exit(f"Architecture is {architecture} ({source}). Set it to one of: {', '.join(check_bootstrap.MACHINES)}.")
    return architecture, source


def wrong_bootstrap(path: Path, architecture: str, source: str) -> str | None:
    """Why this file cannot be deployed: Lambda would not start it, and each stack would wait for its ServiceTimeout."""
    if not path.exists():
        return f"{path} does not exist. Run `make build ARCHITECTURE={architecture}`."
    built = check_bootstrap.architecture_of(path)
    if built != architecture:
        return (f"{path} is built for {built}, and the function would be deployed for {architecture} ({source}). "
                f"Run `make deploy ARCHITECTURE={architecture}`, or `ARCHITECTURE={built}` to change the stack.")
    return None


if __name__ == "__main__":
    sys.exit(main())
