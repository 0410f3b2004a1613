"""Which resources in an account belong to a run of `make try`: those whose names begin as the run's own
do."""

import re

from tests.play.stage import BRANCHES
from tools.run.story import Names

# Of the acts' pipelines.
PROJECT_ID = "infra"
# Before the environment's name, in the names of stacks. Generated names begin with that of their stack.
_OF_STACKS = ("", "cfn-gitops-", "cfnstack-", "gitops-", "story-")
_FUNCTIONS = (*_OF_STACKS, "lambda-")
# The others, by the kinds of `steps.what_is_there`.
_BEGINNINGS: dict[str, tuple[str, ...]] = {
    "stacks": (),
    "IAM users": ("user-",),
    "IAM roles": ("role-",),
    "IAM policies": ("policy-",),
    "CodeCommit credentials": ("user-",),
    "secrets": ("codecommit-mirror/user-", "gitlab/"),
    "functions": _FUNCTIONS,
    "log groups": (
        *(f"/aws/lambda/{beginning}" for beginning in _FUNCTIONS),
        "/aws/codebuild/codebuild-",
        "/aws/codebuild/",
        "/aws/events/",
    ),
    "repositories": ("codecommit-",),
    "approval rule templates": ("approval-",),
    "build projects": ("codebuild-",),
    "pipelines": ("codepipeline-",),
    "event rules": ("event-rule-",),
    "buckets": ("s3-",),
}


def _begins(kind: str, name: str, *own: str) -> re.Match[str] | None:
    """The beginning of the name up to one of the own words, which ends there."""
    either = (*_OF_STACKS, *_BEGINNINGS.get(kind, ()))
    return re.match(
        f"(?:{'|'.join(map(re.escape, either))})(?:{'|'.join(map(re.escape, own))})(?![A-Za-z0-9])", name
    )


def is_own(kind: str, name: str, names: Names) -> bool:
    """Whether the name has one of the run's environments in its place."""
    return _begins(kind, name, names.first, names.second, names.failing) is not None


def own(there: dict[str, list[str]], names: Names) -> dict[str, list[str]]:
    """The resources of a run, of all in the account."""
    return {kind: [name for name in listed if is_own(kind, name, names)] for kind, listed in there.items()}


def probes(there: dict[str, list[str]], names: Names) -> dict[str, list[str]]:
    """The resources of the observers' probes."""
    return {
        kind: [name for name in listed if _begins(kind, name, f"{names.first}-probe")]
        for kind, listed in there.items()
    }


def stories(there: dict[str, list[str]], names: Names) -> list[str]:
    """The IDs of the stories that have left resources."""
    rests = [
        name[found.end() :]
        for kind, listed in there.items()
        for name in listed
        if (found := _begins(kind, name, names.first))
    ]
    return sorted(
        {found[1] for rest in rests if (found := re.match(r"-(?:cfn-)?(s\d+)r?(?![A-Za-z0-9])", rest))}
    )


def is_branch(name: str, names: Names) -> bool:
    """Whether a branch in GitLab belongs to a story of the run."""
    return re.fullmatch(rf"{re.escape(names.first)}-s\d+-({'|'.join(BRANCHES)})", name) is not None


def is_mirror(url: str, names: Names, region: str) -> bool:
    """Whether a mirror pushes to a repository of the run in CodeCommit. The local one has the region in its
    path. https://docs.aws.amazon.com/codecommit/latest/userguide/regions.html#regions-git"""
    own = "|".join(map(re.escape, (names.first, names.second, names.failing)))
    host = rf"https://git-codecommit\.{re.escape(region)}\.amazonaws\.com(\.cn)?|http://127\.0\.0\.1:\d+/{re.escape(region)}"
    return (
        re.fullmatch(rf"({host})/v1/repos/codecommit-({own})-(cfn-{PROJECT_ID}|s\d+-[a-z]+)/?", url)
        is not None
    )
