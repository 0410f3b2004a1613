"""Runs a command inside a local AWS: `python -m local.aws sam deploy ...`.

The command reaches it through the usual environment variables (`LocalAws.environment`), with the rights of an
administrator.
"""

from __future__ import annotations

import os
import subprocess
import sys

from local.aws import LocalAws


def main() -> int:
    command = sys.argv[1:] or [os.environ.get("SHELL", "sh")]
    with LocalAws() as aws:
        return subprocess.run(command, env=aws.environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
