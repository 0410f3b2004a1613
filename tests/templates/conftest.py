import pytest

from tests.templates.deployed import Deployed


@pytest.fixture(scope="session")
def dev():
    """The environment with every default."""
    return Deployed(EnvID="dev")
