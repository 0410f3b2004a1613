"""A local AWS for these tests, and the fixtures of its own tests."""

from local.aws.conftest import aws, name, running, stack  # noqa: F401
