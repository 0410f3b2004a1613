"""Every template, every policy and every statement is evaluated."""

import pytest

from tests.policies import scene
from tests.policies.collected import overlooked, statements, written_sids
from tests.templates.deployed import source

NAMES = [path.stem for path in scene.templates()]


@pytest.mark.parametrize("name", NAMES)
def test_every_policy_is_collected(name):
    assert list(overlooked(scene.stacks()[name])) == []


@pytest.mark.parametrize("path", scene.templates(), ids=NAMES)
def test_every_statement_is_switched_on(path):
    """A statement whose condition no test fulfils would not be tested."""
    made = {s.get("Sid") for policy in scene.stacks()[path.stem].policies() for s in statements(policy)}
    assert written_sids(source(path)) <= made


@pytest.mark.parametrize("name", NAMES)
def test_given_boundary_is_set_on_every_user_and_role(name):
    deployed = scene.stacks()[name].deployed
    made = [each for each in deployed.of_type("AWS::IAM::Role", "AWS::IAM::User") if deployed.is_made(each)]
    expected = scene.boundary_of(deployed.account)
    assert {each: deployed.properties(each).get("PermissionsBoundary") for each in made} == dict.fromkeys(
        made, expected
    )
