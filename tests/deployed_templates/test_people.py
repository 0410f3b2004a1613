"""templates/people.yaml deployed, and what its users can do with git, CodeCommit's API and IAM."""

from __future__ import annotations

import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import allow, error_of
from tests.deployed_templates.helpers import Login, a_login, a_login_of, ended, git, git_at

PEOPLE = Path(__file__).parents[2] / "templates/people.yaml"


@dataclass
class World:
    """One environment's people, its repository with a first push, and the mirror that made it."""

    aws: LocalAws
    env_id: str
    stack: str
    url: str
    mirror: Login
    work: Path

    @property
    def repository(self) -> str:
        return f"codecommit-{self.env_id}-cfn-shop"

    def member(self, group: str) -> Login:
        name = f"{self.env_id}-{uuid.uuid4().hex[:6]}"
        self.aws.client("iam").create_user(UserName=name)
        self.aws.client("iam").add_user_to_group(GroupName=f"group-{self.env_id}-{group}", UserName=name)
        return a_login_of(self.aws, name)

    def client(self, service: str, login: Login) -> Any:
        return self.aws.client(service, self.aws.client("iam").create_access_key(UserName=login.user)["AccessKey"])

    def commit(self, message: str) -> str:
        git(self.work, "commit", "-q", "--allow-empty", "-m", message)
        return git(self.work, "rev-parse", "HEAD")

    def push(self, login: Login, *references: str) -> subprocess.CompletedProcess[str]:
        return git_at("push", "-q", login.git_url(self.url), *references, at=self.work)

    def branches(self) -> dict[str, str]:
        lines = git(self.work, "ls-remote", self.mirror.git_url(self.url)).splitlines()
        return {reference: commit for commit, reference in (line.split("\t") for line in lines) if reference != "HEAD"}


@pytest.fixture
def world(aws: LocalAws, tmp_path: Path) -> World:
    aws.set(credential_accepted_after_seconds=0)
    env_id = f"e{uuid.uuid4().hex[:8]}"
    stack, cloudformation = f"people-{env_id}", aws.client("cloudformation")
    given = {"EnvID": env_id, "ProtectedBranches": "development,master"}
    cloudformation.create_stack(
        StackName=stack, TemplateBody=PEOPLE.read_text(), Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()])
    assert ended(aws, stack) == "CREATE_COMPLETE"
    name = f"codecommit-{env_id}-cfn-shop"
    url = aws.client("codecommit").create_repository(repositoryName=name)["repositoryMetadata"]["cloneUrlHttp"]
    arn = f"arn:aws:codecommit:{aws.region}:{aws.account_id}:{name}"
    mirror = a_login(aws, f"user-{env_id}-shop-mirror", allow(["codecommit:GitPull", "codecommit:GitPush"], arn))
    git(tmp_path, "init", "-q", "-b", "development")
    made = World(aws, env_id, stack, url, mirror, tmp_path)
    made.commit("first")
    assert made.push(mirror, "development").returncode == 0
    return made


def test_power_user_pushes_to_feature_not_to_mirror_branch(world: World) -> None:
    mary, commit = world.member("power-users"), world.commit("hers")
    rejected = world.push(mary, "HEAD:development")
    assert rejected.returncode != 0 and "403" in rejected.stderr
    assert world.push(mary, "HEAD:refs/heads/feature/a").returncode == 0
    assert world.branches()["refs/heads/feature/a"] == commit
    assert world.branches()["refs/heads/development"] != commit
    # The mirror may push the commit that she was denied.
    assert world.push(world.mirror, "HEAD:development").returncode == 0
    assert world.branches()["refs/heads/development"] == commit


def test_push_with_a_protected_branch_changes_nothing(world: World) -> None:
    mary, before = world.member("power-users"), world.branches()
    world.commit("both")
    assert world.push(mary, "HEAD:refs/heads/feature/a", "HEAD:development").returncode != 0
    assert world.branches() == before


# claim: administrator-cannot-change-a-protected-branch
def test_protected_branch_deletion_is_denied_by_git_and_api(world: World) -> None:
    mary = world.member("power-users")
    mine = world.client("codecommit", mary)
    assert world.push(world.mirror, "HEAD:refs/heads/master", "HEAD:refs/heads/old").returncode == 0
    assert world.push(mary, "--delete", "master").returncode != 0
    assert error_of(mine.delete_branch, repositoryName=world.repository, branchName="master")[0] == "AccessDeniedException"
    assert world.push(mary, "--delete", "old").returncode == 0
    for call, more in ((mine.delete_repository, {}), (mine.update_default_branch, {"defaultBranchName": "master"})):
        assert error_of(call, repositoryName=world.repository, **more)[0] == "AccessDeniedException"
    assert error_of(mine.update_repository_name, oldName=world.repository, newName="mine")[0] == "AccessDeniedException"
    assert set(world.branches()) == {"refs/heads/development", "refs/heads/master"}


def test_stack_is_deleted_when_its_groups_are_empty(world: World) -> None:
    mary = world.member("readers")
    cloudformation, iam = world.aws.client("cloudformation"), world.aws.client("iam")

    def deleted() -> str:
        stack_id = cloudformation.describe_stacks(StackName=world.stack)["Stacks"][0]["StackId"]
        cloudformation.delete_stack(StackName=world.stack)
        return ended(world.aws, stack_id)

    assert deleted() == "DELETE_FAILED"
    iam.remove_user_from_group(GroupName=f"group-{world.env_id}-readers", UserName=mary.user)
    assert deleted() == "DELETE_COMPLETE"
    assert [group for group in iam.list_groups()["Groups"] if world.env_id in group["GroupName"]] == []
