"""The names of tests/local that `tools` needs. They are passed on here, so that `tools` depends on
`tests.play` alone, and the emulators can be rearranged without it."""

from tests.local import gitlab
from tests.local.aws import LocalAws
from tests.local.aws.settings import IAM_IS_LATE
from tests.local.gitlab import LocalGitLab
from tests.local.gitlab.certificates import Authority
from tests.local.gitlab.emulator import PROGRAM as GITLAB_PROGRAM
from tests.local.gitlab.project import ApiClient, ApiProject, Mirror

__all__ = [
    "GITLAB_PROGRAM",
    "IAM_IS_LATE",
    "ApiClient",
    "ApiProject",
    "Authority",
    "LocalAws",
    "LocalGitLab",
    "Mirror",
    "gitlab",
]
