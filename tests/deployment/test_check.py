"""`check` before the next deployment of an environment that works."""

import json
import os
import subprocess
import sys

from tests.local.aws.testing import a_user_with, allow
from tests.play.steps import ROOT, Environment


def test_working_environment_has_no_finding(environment: Environment) -> None:
    key = a_user_with(environment.aws, "check-operator", allow("*", "*"))
    environment.aws.put_iam_into_effect()
    ran = subprocess.run(
        [sys.executable, "-m", "cli", "check", "--env", environment.env_id, "--json"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
        env=environment.aws.environment()
        | {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        },
    )
    assert ran.stdout, ran.stderr
    results = {row["subject"]: row["result"] for row in json.loads(ran.stdout)["checks"]}
    # It has no GitLab token, and no account can show the others.
    unknown = {
        "GitLab token",
        "CodeCommit for new customers",
        "service control policies",
        "quota of CodeBuild, as it is applied",
    }
    assert (
        ran.returncode == 0
        and {subject for subject, result in results.items() if result != "sound"} <= unknown
    ), ran.stdout
