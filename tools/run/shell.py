"""A shell inside a local AWS that has the resources that the example events name: `make shell`.

It has the first project's user with its policy, its repository, and the roles and the artifact bucket of template.yaml.
It does not have the resources that the custom resources create.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

from cli.ending import entry
from cli.output import BOLD
from tests.play.local import LocalAws
from tools.run.console import ending_at_interrupt, table, write

ROOT = Path(__file__).parents[2]

_STACK = "environment-dev"
# Of events/update-user-replacing.json. The first user is in template.yaml.
_SECOND_USER = "user-dev-second-mirror"
_REPOSITORY = "codecommit-dev-cfn-infra"
# The pipeline's stack. With this tag, its creation adopts the repository.
_REPOSITORY_TAGS = {"cfn-gitops:stack-name": "gitops-dev-infra"}


TRY = [("make invoke EVENT=events/create.json", "the function issues a credential. The first call compiles it"),
       ("aws secretsmanager list-secrets", "the secret with its password"),
       ("aws iam get-role --role-name role-dev-cfn-gitops", "the role of the function")]


def template() -> dict[str, Any]:
    """The users, roles, policies and the bucket of template.yaml."""
    whole = yaml_parse((ROOT / "template.yaml").read_text())
    resources = {name: resource for name, resource in whole["Resources"].items()
                 if resource["Type"].startswith(("AWS::IAM::", "AWS::S3::"))}
    return {"Parameters": whole["Parameters"], "Conditions": whole["Conditions"], "Resources": resources}


def prepare(aws: LocalAws) -> None:
    aws.client("codecommit").create_repository(repositoryName=_REPOSITORY, tags=_REPOSITORY_TAGS)
    iam = aws.client("iam")
    iam.create_user(UserName=_SECOND_USER)
    iam.put_user_policy(UserName=_SECOND_USER, PolicyName="push", PolicyDocument=json.dumps({
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": ["codecommit:GitPull", "codecommit:GitPush"], "Resource": "*"}}))
    s3, cloudformation = aws.client("s3"), aws.client("cloudformation")
    # Too large for a request.
    s3.create_bucket(Bucket=_STACK, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_object(Bucket=_STACK, Key="template", Body=json.dumps(template()).encode())
    cloudformation.create_stack(StackName=_STACK, TemplateURL=f"{aws.endpoint_url}/{_STACK}/template",
                                Capabilities=["CAPABILITY_NAMED_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=_STACK, WaiterConfig={"Delay": 1})


def greet(aws: LocalAws) -> None:
    write(f"A shell in a local AWS: account {aws.account_id}, region {aws.region}. No real account is used.", BOLD)
    write("It has the repository, the users, the roles and the bucket that the example events name. Try:")
    table(TRY)
    write("events/README.md lists the events that succeed here.")
    write("`exit` or Ctrl-D leaves the shell, stops the local AWS and deletes its data.")
    write("")


@entry("The local AWS is stopped")
def main() -> int:
    with ending_at_interrupt("Interrupted: the local AWS is stopped, and its data is deleted."), LocalAws() as aws:
        prepare(aws)
        greet(aws)
        # Ctrl-C is for the programs in the shell.
        signal.signal(signal.SIGINT, lambda *_: None)
        # `exit` returns the status of the last command, which is not a failure of the shell.
        subprocess.run([os.environ.get("SHELL", "sh")], env=aws.environment(), check=False)
        return 0


if __name__ == "__main__":
    sys.exit(main())
