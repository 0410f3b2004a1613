"""The fixtures of the local AWS."""

from local.aws.conftest import aws, name, running, stack  # noqa: F401
