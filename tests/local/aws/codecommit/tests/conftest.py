"""The fixtures of `git_client`, which tests of other services import by name."""

from tests.local.aws.codecommit.tests.git_client import repository, url, work  # noqa: F401
