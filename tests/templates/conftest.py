import pytest

from deployed import BOUNDARY, Deployed


@pytest.fixture(scope="session")
def dev():
    """The environment with every default."""
    return Deployed(EnvID="dev")


@pytest.fixture(scope="session")
def bounded():
    """The same with a permissions boundary."""
    return Deployed(EnvID="dev", PermissionsBoundaryArn=BOUNDARY)
