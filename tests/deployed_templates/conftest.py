"""The fixtures of the local AWS."""

from tests.local.aws.conftest import aws, name, running  # noqa: F401
