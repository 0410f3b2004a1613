"""A shell inside a local AWS: `make shell`.

It has the resources that the example events name: the first project's user with its policy, its repository,
and the roles and the artifact bucket of template.yaml. It does not have the resources that the custom
resources create. `cargo lambda watch` runs beside it, so that `cargo lambda invoke` runs the function.

With --empty, the account has an approver only, a local GitLab runs beside it, and the shell is in a release
folder. There the five steps of the README work.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

from cli.shell.ending import entry
from cli.shell.failure import Failure
from cli.shell.output import BOLD
from tests.play.local import GITLAB_PROGRAM, LocalAws, LocalGitLab
from tests.play.local import gitlab as local_gitlab
from tools.release import dist
from tools.run.approval import AwsApprover
from tools.run.console import ending_at_interrupt, table, write

ROOT = Path(__file__).parents[2]

_STACK = "environment-dev"
_REPOSITORY = "codecommit-dev-cfn-infra"
# The pipeline's stack. With this tag, its creation adopts the repository.
_REPOSITORY_TAGS = {"cfn-gitops:stack-name": "gitops-dev-infra"}
# Of `cargo lambda watch` and the function.
_LOG = ROOT / "target/shell.log"
# To which `cargo lambda invoke` sends an event by default.
_SERVED = ("::1", 9000)

TRY = [
    (
        "cargo lambda invoke --data-file events/create.json",
        "the function issues a credential. The first call compiles it",
    ),
    ("aws secretsmanager list-secrets", "the secret with its password"),
    ("aws iam get-role --role-name role-dev-cfn-gitops", "the role of the function"),
    ("sam validate", "sam reads template.yaml. `make shell EMPTY=1` has an empty account to deploy it to"),
]
# The project of the README.
_PROJECT, _BRANCH = "platform/infra", "main"
_TOKEN_FILE = "gitlab-token"


def template() -> dict[str, Any]:
    """The users, roles, policies and the bucket of template.yaml, with the log groups that they name."""
    whole = yaml_parse((ROOT / "template.yaml").read_text())
    resources = {
        name: resource
        for name, resource in whole["Resources"].items()
        if resource["Type"].startswith(("AWS::IAM::", "AWS::Logs::", "AWS::S3::"))
    }
    return {"Parameters": whole["Parameters"], "Conditions": whole["Conditions"], "Resources": resources}


def prepare(aws: LocalAws) -> None:
    aws.client("codecommit").create_repository(repositoryName=_REPOSITORY, tags=_REPOSITORY_TAGS)
    s3, cloudformation = aws.client("s3"), aws.client("cloudformation")
    # Too large for a request.
    s3.create_bucket(Bucket=_STACK, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_object(Bucket=_STACK, Key="template", Body=json.dumps(template()).encode())
    cloudformation.create_stack(
        StackName=_STACK,
        TemplateURL=f"{aws.endpoint_url}/{_STACK}/template",
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": "ProjectID", "ParameterValue": "infra"}],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=_STACK, WaiterConfig={"Delay": 1})


def greet(aws: LocalAws) -> None:
    write(
        f"A shell in a local AWS: account {aws.account_id}, region {aws.region}. No real account is used.",
        BOLD,
    )
    write("It has the repository, the users, the roles and the bucket that the example events name. Try:")
    table(TRY)
    write(
        "events/README.md lists the events that succeed here. The function's log is in"
        f" {_LOG.relative_to(ROOT)}."
    )
    write("`exit` or Ctrl-D leaves the shell, stops the local AWS and deletes its data.")
    write("")


def store_logins(
    directory: Path, aws: LocalAws, gitlab: LocalGitLab, olivia: dict[str, str]
) -> dict[str, str]:
    """The variables for git and the AWS CLI, which read the logins from files. GitLab's token is also in the
    release folder."""
    address, token = gitlab.url.removeprefix("http://"), gitlab.token
    files = {
        "git": f"http://developer:{token}@{address}\n",
        f"release/{_TOKEN_FILE}": token,
        "aws": (
            f"[olivia]\naws_access_key_id = {olivia['AccessKeyId']}\n"
            f"aws_secret_access_key = {olivia['SecretAccessKey']}\n"
        ),
    }
    for name, content in files.items():
        (directory / name).touch(mode=0o600)
        (directory / name).write_text(content)
    # The empty helper removes those of the user, which would store this login too.
    helpers = ("", f"store --file={directory / 'git'}")
    variables = {
        "AWS_SHARED_CREDENTIALS_FILE": str(directory / "aws"),
        "GITLAB_URL": gitlab.url,
        "GIT_CONFIG_COUNT": str(len(helpers)),
    }
    for number, helper in enumerate(helpers):
        variables |= {
            f"GIT_CONFIG_KEY_{number}": f"credential.{gitlab.url}.helper",
            f"GIT_CONFIG_VALUE_{number}": helper,
        }
    for role in ("AUTHOR", "COMMITTER"):
        variables |= {f"GIT_{role}_NAME": "A Developer", f"GIT_{role}_EMAIL": "developer@example.com"}
    return aws.environment() | variables


def steps(gitlab_url: str) -> list[tuple[str, str, list[str]]]:
    """The README's steps that differ here: each with the difference, and with the lines to enter."""
    return [
        (
            "Step 2",
            "with the address of this GitLab, and a token that it accepts, from a file:",
            [
                "aws secretsmanager create-secret --name gitlab/infra --secret-string file:///dev/stdin \\",
                f"    --tags Key=cfn-gitops:gitlab-url,Value={gitlab_url} < {_TOKEN_FILE}",
            ],
        ),
        (
            "Step 3",
            "git has a login for this project:",
            [
                f"git clone {gitlab_url}/{_PROJECT}.git ../infra",
                "cp -r examples/project/. ../infra",
                (
                    'git -C ../infra add . && git -C ../infra commit -m "First" && git -C ../infra push'
                    f" origin {_BRANCH}"
                ),
            ],
        ),
        (
            "Step 4",
            "without profile, and with this line instead of that of `GitLabUrl`:",
            [f'    "GitLabUrl={gitlab_url}",'],
        ),
        (
            "Step 5",
            "there is no console. Olivia approves, as soon as the approval waits:",
            ["./cfn-gitops approve infra --env dev --profile olivia"],
        ),
    ]


def greet_in_empty_account(aws: LocalAws, gitlab: LocalGitLab) -> None:
    write(
        f"A shell in an empty local AWS, beside a local GitLab: account {aws.account_id}, region"
        f" {aws.region}.",
        BOLD,
    )
    write('No real account is used. This is a release folder. The five steps of "Deploy it" in its README.md')
    write("work here, with these differences:")
    for step, difference, lines in steps(gitlab.url):
        write("")
        write(f"{step}: {difference}")
        for line in lines:
            write(f"    {line}")
    write("")
    write("Then `./cfn-gitops status --env dev` shows the project. Push another change to deploy it.")
    write(f"This GitLab has no other project than {_PROJECT}, and no web page. The note of a commit:")
    write(f'    curl -sH "PRIVATE-TOKEN: $(cat {_TOKEN_FILE})" \\')
    write("        $GITLAB_URL/api/v4/projects/platform%2Finfra/repository/commits/<SHA>/discussions")
    write("The local AWS creates about fifteen types of resources. Others fail, and say so.")
    write("The account has the stack people-dev of templates/people.yaml, with Olivia as an approver.")
    write("`exit` or Ctrl-D leaves the shell, stops both, and deletes their data and this folder.")
    write("")


@entry("The local AWS is stopped")
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--empty", action="store_true", help="an empty account with a local GitLab")
    with ending_at_interrupt("Interrupted: the local AWS is stopped, and its data is deleted."):
        return in_empty_account() if parser.parse_args().empty else with_examples()


def with_examples() -> int:
    require_free_port()
    with LocalAws() as aws:
        prepare(aws)
        environment = aws.environment()
        with serving(environment):
            greet(aws)
            return shell(environment, Path.cwd())


def require_free_port() -> None:
    """Another function there would receive the events, for example one with the credentials of a real
    account."""
    with socket.socket(socket.AF_INET6) as attempt:
        if attempt.connect_ex(_SERVED) == 0:
            raise Failure(
                f"port {_SERVED[1]} of this machine, to which `cargo lambda invoke` sends events, is in use",
                "End the other program, for example another `cargo lambda watch`",
            )


@contextlib.contextmanager
def serving(environment: dict[str, str], *options: str) -> Iterator[None]:
    """Within the block, `cargo lambda watch` runs the function for each event."""
    _LOG.parent.mkdir(exist_ok=True)
    with _LOG.open("wb") as log:
        watch = subprocess.Popen(
            [Path(sys.executable).with_name("cargo-lambda"), "lambda", "watch", "--ignore-changes", *options],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
        # The function is its child. Neither is left if it did not start.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(watch.pid, signal.SIGTERM)
        watch.wait()


def require_programs(*programs: Path) -> None:
    """`make` compiles them before. If this file is started by hand, they may be missing."""
    for each in programs:
        if not each.exists():
            raise Failure(f"{each} is missing", "Compile it: make run-function")


def in_empty_account() -> int:
    bootstrap = Path(os.environ.get("CFN_GITOPS_BINARY", ROOT / "target/local/bootstrap"))
    require_programs(bootstrap, GITLAB_PROGRAM)
    # GitLab delays a mirror's next run by a minute, the local one by a second. It ends last, because
    # functions still send requests to it.
    with (
        tempfile.TemporaryDirectory(prefix="cfn-gitops-") as directory,
        local_gitlab.running(protected_delay=1, unprotected_delay=1) as gitlab,
        LocalAws() as aws,
    ):
        folder = Path(directory, "release")
        folder.mkdir()
        dist.write_for_local_aws(folder, bootstrap)
        gitlab.project(_PROJECT, default_branch=_BRANCH)
        olivia = AwsApprover(aws, "dev")
        olivia.join()
        environment = store_logins(Path(directory), aws, gitlab, olivia.key)
        greet_in_empty_account(aws, gitlab)
        return shell(environment, folder)


def shell(environment: dict[str, str], directory: Path) -> int:
    # Ctrl-C is for the programs in the shell.
    signal.signal(signal.SIGINT, lambda *_: None)
    # `exit` returns the status of the last command, which is not a failure of the shell.
    subprocess.run([os.environ.get("SHELL", "sh")], env=environment, cwd=directory, check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
