"""A local AWS for tests and `make run`: MiniStack in a process of its own, with what it lacks added at its start.

    with LocalAws() as aws:
        subprocess.run(["sam", "deploy", ...], env=aws.environment(), check=True)
        aws.client("iam").list_users()

`launch` is the side that tests see; everything else runs inside the process that `serve` is.
"""

from local.aws.launch import LocalAws

__all__ = ["LocalAws"]
