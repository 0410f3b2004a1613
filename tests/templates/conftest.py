import pytest

from tests.templates.deployed import BOUNDARY, Deployed


@pytest.fixture(scope="session")
def dev():
    """The environment with every default."""
    return Deployed(EnvID="dev")


@pytest.fixture(scope="session")
def bounded():
    """The same with a permissions boundary, and another one for the roles that pipelines create."""
    return Deployed(EnvID="dev", PermissionsBoundaryArn=BOUNDARY, DeployedRoles="Bounded")
