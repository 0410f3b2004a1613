"""templates/people.yaml deployed, and what a power user can do with git and CodeCommit's API."""

import subprocess
import uuid
from pathlib import Path

from tests.deployed_templates.helpers import Login, a_login_of, deployed, git, git_at, mirrored
from tests.local.aws import LocalAws
from tests.local.aws.testing import error_of


# claim: administrator-cannot-change-a-protected-branch
def test_power_user_changes_only_unprotected_branches(aws: LocalAws, tmp_path: Path) -> None:
    env_id, iam = f"e{uuid.uuid4().hex[:8]}", aws.client("iam")
    assert (
        deployed(aws, f"people-{env_id}", "people", EnvID=env_id, ProtectedBranches="development,master")
        == "CREATE_COMPLETE"
    )
    url, mirror = mirrored(aws, env_id, tmp_path)
    iam.create_user(UserName=f"{env_id}-mary")
    iam.add_user_to_group(GroupName=f"group-{env_id}-power-users", UserName=f"{env_id}-mary")
    mary = a_login_of(aws, f"{env_id}-mary")

    def commit() -> str:
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", uuid.uuid4().hex)
        return git(tmp_path, "rev-parse", "HEAD")

    def push(login: Login, *references: str) -> subprocess.CompletedProcess[str]:
        return git_at("push", "-q", login.git_url(url), *references, at=tmp_path)

    def branches() -> dict[str, str]:
        lines = [
            line.split("\t")
            for line in git(tmp_path, "ls-remote", "--heads", mirror.git_url(url)).splitlines()
        ]
        return {reference.removeprefix("refs/heads/"): tip for tip, reference in lines}

    first = commit()
    assert push(mirror, "HEAD:development", "HEAD:refs/heads/master", "HEAD:refs/heads/old").returncode == 0
    hers = commit()
    rejected = push(mary, "HEAD:development")
    assert rejected.returncode != 0 and "403" in rejected.stderr
    # Together with a protected branch, no branch is pushed.
    assert push(mary, "HEAD:refs/heads/feature/a", "HEAD:development").returncode != 0
    assert branches() == {"development": first, "master": first, "old": first}
    assert push(mary, "HEAD:refs/heads/feature/a").returncode == 0
    # The mirror may push the commit that she was denied.
    assert push(mirror, "HEAD:development").returncode == 0
    assert push(mary, "--delete", "master").returncode != 0
    assert push(mary, "--delete", "old").returncode == 0

    mine = aws.client("codecommit", iam.create_access_key(UserName=mary.user)["AccessKey"])
    repository = {"repositoryName": f"codecommit-{env_id}-cfn-shop"}
    for call, given in (
        (mine.delete_branch, {**repository, "branchName": "master"}),
        (mine.delete_repository, repository),
        (mine.update_default_branch, {**repository, "defaultBranchName": "master"}),
        (mine.update_repository_name, {"oldName": repository["repositoryName"], "newName": "mine"}),
    ):
        assert error_of(call, **given)[0] == "AccessDeniedException"
    assert branches() == {"development": hers, "master": first, "feature/a": hers}
