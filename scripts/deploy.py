"""`sam deploy`, after saying where to, and after a look for what would make it fail.

    python scripts/deploy.py --config-env default --architecture x86_64 -- RotationSerial=2
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import sam_settings

# A stack in one of these was never there, or is there and can be updated.
_FIRST = {None, "REVIEW_IN_PROGRESS"}


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--config-env", default="default")
    arguments.add_argument("--architecture", default="x86_64")
    arguments.add_argument("--yes", action="store_true", help="do not ask before the change set is executed")
    arguments.add_argument("parameters", nargs="*")
    given = arguments.parse_args()
    settings = sam_settings.read(given.config_env, [f"Architecture={given.architecture}", *given.parameters])
    account = sam_settings.account()
    print(f"Stack {settings.stack_name}, account {account.id}, region {account.region}, "
          + " ".join(f"{key}={value}" for key, value in settings.parameters.items()), flush=True)
    bucket = account.bucket_of(settings.env_id)
    if account.stack_status(settings.stack_name) in _FIRST and account.has_bucket(bucket):
        print(f"Bucket {bucket} is there, left by an earlier deployment, and would make this one fail.\n"
              "Remove it with `make undeploy DELETE_BUCKET=yes CONFIRM=yes`, or import it into the new stack "
              "(docs/operating.md, \"Deploying again\").", file=sys.stderr)
        return 1
    # Quoted, because sam takes no empty value otherwise.
    command = ["sam", "deploy", "--config-env", given.config_env,
               "--parameter-overrides", *(f'{key}="{value}"' for key, value in settings.parameters.items())]
    if given.yes:
        command.append("--no-confirm-changeset")
    return subprocess.run(command, cwd=sam_settings.ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
