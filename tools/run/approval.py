"""The approvers in `make run`: Olivia approves in AWS, and Ann in GitLab."""

from typing import Any

from tests.play.local import LocalAws, LocalGitLab
from tests.play.mirroring import Source
from tests.play.steps import ROOT, Stack
from tests.play.waiting import eventually
from tools.run.console import Progress, note, require
from tools.run.loop import Loop

PARAMETERS = {"FunctionApprovals": "GitLab", "ApprovalFromGitLab": "true"}


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


class GitLabApprover:
    """Ann, a Maintainer of the project in GitLab. The access token of the environment belongs to another
    user."""

    def __init__(self, gitlab: LocalGitLab, source: Source) -> None:
        self.source = source
        self.token = gitlab.add_token("the approver", user=gitlab.user("Ann", username="ann"))

    def protect_tags(self) -> None:
        self.source.project.protect_tags("deploy/*", "reject/*")
        note(
            "In GitLab, the tags deploy/* and reject/* are protected: only Maintainers may create them. With "
            "ApprovalFromGitLab, such a tag approves."
        )

    def approve(self, loop: Loop, progress: Progress, commit: str) -> None:
        tag = self.source.approval_tags(commit)["deploy"]
        progress.show(
            "Approval",
            "Ann, a Maintainer in GitLab without a login for AWS, reads the changes there, follows the "
            f"link below them, and creates the tag {tag}.",
        )
        rejection = self.source.create_tag(tag, commit, self.token.value)
        require(not rejection, f"GitLab rejected the tag: {rejection}")
        loop.project.arrives(f"refs/tags/{tag}", commit)
        progress.show(
            "mirror",
            f"GitLab's mirror {loop.mirror().id} pushes the tag. CodeCommit's event of it invokes the "
            "function, which reads in GitLab who created it, and who wrote the new commits.",
        )
        shown = f"Approved in GitLab by @ann ({self.token.user}), tag {tag}"
        eventually(
            lambda: shown in [each.description for each in self.source.project.statuses(commit)],
            f"GitLab shows: {shown}",
        )
        progress.show("GitLab", f"shows the status of the approval: {shown}.")
