"""The approvers in `make run`: Olivia, an IAM user."""

from typing import Any

from tests.play.local import LocalAws
from tests.play.steps import ROOT, Stack
from tools.run.console import note, require


class AwsApprover:
    """Olivia, an IAM user in the approvers' groups of templates/people.yaml, as docs/how-to/approvers.md
    creates one."""

    def __init__(self, aws: LocalAws, *environments: str) -> None:
        self.aws, self.environments = aws, environments
        self.stacks = [Stack(aws, f"people-{env_id}") for env_id in environments]
        self.key: dict[str, str] = {}

    def join(self) -> None:
        iam = self.aws.client("iam")
        iam.create_user(UserName="olivia")
        for stack, env_id in zip(self.stacks, self.environments, strict=True):
            status = stack.create(ROOT / "templates/people.yaml", EnvID=env_id)
            require(status == "CREATE_COMPLETE", f"{stack.name} is {status}: {stack.failures()}")
            iam.add_user_to_group(UserName="olivia", GroupName=self.group(env_id))
        self.key = iam.create_access_key(UserName="olivia")["AccessKey"]
        note(
            f"The stacks {' and '.join(stack.name for stack in self.stacks)} of templates/people.yaml:"
            " Olivia, an IAM user with an access key, joins"
            f" {' and '.join(map(self.group, self.environments))}."
        )

    @staticmethod
    def group(env_id: str) -> str:
        return f"group-{env_id}-approvers"

    def client(self, service: str) -> Any:
        return self.aws.client(service, self.key)

    def leave(self) -> None:
        iam = self.aws.client("iam")
        iam.delete_access_key(UserName="olivia", AccessKeyId=self.key["AccessKeyId"])
        for stack, env_id in zip(self.stacks, self.environments, strict=True):
            iam.remove_user_from_group(UserName="olivia", GroupName=self.group(env_id))
            status = stack.delete()
            require(status == "DELETE_COMPLETE", f"{stack.name} is {status}")
        iam.delete_user(UserName="olivia")
        note(f"Olivia and the stacks {' and '.join(stack.name for stack in self.stacks)} are deleted.")
