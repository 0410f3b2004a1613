"""A local AWS for tests and `make run`: MiniStack in a process of its own, patched when it starts.

    with LocalAws() as aws:
        subprocess.run(["sam", "deploy", ...], env=aws.environment(), check=True)
        aws.client("iam").list_users()

Tests use `launch`. Everything else runs inside the process of `serve`. README.md lists the additions by
service.
"""

from tests.local.aws.launch import LocalAws

__all__ = ["LocalAws"]
