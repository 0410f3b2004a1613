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
    ran = subprocess.run([sys.executable, "-m", "cli", "check", "--env", environment.env_id, "--json"], cwd=ROOT, text=True,
                         capture_output=True, check=False, env=environment.aws.environment() | {
                             "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
                             "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]})
    assert ran.stdout, ran.stderr
    found = json.loads(ran.stdout)
    assert (ran.returncode, found["counts"]["found"], found["counts"]["not checked"]) == (0, 0, 3), found["checks"]
