"""Source/CodeCommit: the repository at the commit that this execution is for, as a zip in the artifact
bucket.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeCommit.html
"""

import tempfile
import time
from pathlib import Path

from tests.local.aws.codecommit import repositories
from tests.local.aws.codepipeline.actions import Action


def run(action: Action) -> None:
    name, branch = action.configuration("RepositoryName"), action.configuration("BranchName")
    codecommit = action.role.client("codecommit")
    arn = f"arn:aws:codecommit:{action.held.region}:{action.role.session.account}:{name}"
    override = action.execution.overrides.get(action.run.name)
    tip = codecommit.get_branch(repositoryName=name, branchName=branch)["branch"]["commitId"]
    commit = override["revisionValue"] if override else tip
    about = codecommit.get_commit(repositoryName=name, commitId=commit)["commit"]
    # The SDK has no such calls: the archive goes from CodeCommit directly to the bucket.
    # https://docs.aws.amazon.com/codecommit/latest/userguide/auth-and-access-control-permissions-reference.html
    for needed in ("codecommit:UploadArchive", "codecommit:GetUploadArchiveStatus"):
        action.role.require(needed, arn)
    _note(action, commit, name, branch, about)
    action.output(action.run.declaration["outputArtifacts"][0]["name"], _archive(action, name, commit))


def _note(action: Action, commit: str, name: str, branch: str, about: dict) -> None:
    run = action.run
    run.external_id = commit
    run.external_url = (
        f"https://console.aws.amazon.com/codecommit/home?region={action.held.region}"
        f"#/repository/{name}/commit/{commit}"
    )
    run.summary = about["message"].strip()[:2048]
    run.revision = {"revisionId": commit, "revisionUrl": run.external_url, "created": time.time()}
    if run.summary:
        run.revision["revisionSummary"] = run.summary
    run.variables = {
        "CommitId": commit,
        "BranchName": branch,
        "RepositoryName": name,
        "CommitMessage": about["message"].rstrip("\n"),
        "AuthorDate": _timestamp(about["author"]["date"]),
        "CommitterDate": _timestamp(about["committer"]["date"]),
    }


def _timestamp(git_date: str) -> str:
    """`1700000000 +0100` as `2023-11-14T22:13:20Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(git_date.split(" ")[0])))


def _archive(action: Action, name: str, commit: str) -> bytes:
    """A symbolic link is an entry with the name of its target and the mode 0777, which becomes a file.
    Recorded: https://qiita.com/shonansurvivors/items/8b14180d5b7740be0009 and
    https://github.com/aws/aws-cdk/pull/14520 Executable files keep their mode here. Whether they do in AWS's
    archive is not documented. (?)
    """
    held = repositories.find_in(action.role.session.account, action.held.region, name)
    assert held is not None  # its branch was read
    with tempfile.TemporaryDirectory() as scratch:
        packed = Path(scratch) / "source.zip"
        held.git("archive", "--format=zip", f"--output={packed}", commit)
        return packed.read_bytes()
