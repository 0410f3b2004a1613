"""The real git, run by a user with a login for CodeCommit, the stacks of templates, and a topic's
messages."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.local.aws import LocalAws
from tests.local.aws.testing import allow, eventually, policy

TEMPLATES = Path(__file__).parents[2] / "templates"


@dataclass
class Login:
    user: str
    name: str
    password: str

    def git_url(self, url: str) -> str:
        scheme, rest = url.split("://")
        return f"{scheme}://{quote(self.name, safe='')}:{quote(self.password, safe='')}@{rest}"


def a_login(aws: LocalAws, user: str, *statements: dict) -> Login:
    iam = aws.client("iam")
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=policy(*statements))
    return a_login_of(aws, user)


def a_login_of(aws: LocalAws, user: str) -> Login:
    issued = aws.client("iam").create_service_specific_credential(
        UserName=user, ServiceName="codecommit.amazonaws.com"
    )["ServiceSpecificCredential"]
    return Login(user, issued["ServiceUserName"], issued["ServicePassword"])


def git_at(*arguments: str, at: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(at),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "NO_PROXY": "127.0.0.1",
    }
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "A", f"GIT_{role}_EMAIL": "a@example.com"}
    return subprocess.run(
        ["git", *arguments], cwd=at, env=environment, text=True, capture_output=True, check=False
    )


def git(at: Path, *arguments: str) -> str:
    done = git_at(*arguments, at=at)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def deployed(aws: LocalAws, stack: str, template: str, **parameters: str) -> str:
    """Creates the stack of a file in templates/, and returns its status at the end."""
    aws.client("cloudformation").create_stack(
        StackName=stack,
        TemplateBody=(TEMPLATES / f"{template}.yaml").read_text(),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    return ended(aws, stack)


def deleted(aws: LocalAws, stack: str) -> str:
    cloudformation = aws.client("cloudformation")
    stack_id = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=stack)
    return ended(aws, stack_id)


def outputs_of(aws: LocalAws, stack: str) -> dict[str, str]:
    outputs = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def a_queue_of(aws: LocalAws, topic: str, name: str = "queue") -> str:
    """The URL of a queue that gets the topic's messages."""
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.set_queue_attributes(
        QueueUrl=queue,
        Attributes={
            "Policy": policy({**allow("sqs:SendMessage", arn), "Principal": {"Service": "sns.amazonaws.com"}})
        },
    )
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return str(queue)


def mirrored(aws: LocalAws, env_id: str, work: Path) -> tuple[str, Login]:
    """A mirrored repository, a working copy in `work`, and the mirror's login."""
    aws.set(credential_accepted_after_seconds=0)
    made = aws.client("codecommit").create_repository(repositoryName=f"codecommit-{env_id}-cfn-shop")[
        "repositoryMetadata"
    ]
    git(work, "init", "-q", "-b", "development")
    pushes = allow(["codecommit:GitPull", "codecommit:GitPush"], made["Arn"])
    return made["cloneUrlHttp"], a_login(aws, f"user-{env_id}-shop-mirror", pushes)


def ended(aws: LocalAws, stack: str) -> str:
    describe = aws.client("cloudformation").describe_stacks
    return str(
        eventually(
            lambda: describe(StackName=stack)["Stacks"][0]["StackStatus"],
            lambda status: not status.endswith("IN_PROGRESS"),
        )
    )
