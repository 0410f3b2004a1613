"""The pipeline role has what AWS lists for its action that deploys with CloudFormation."""

from pathlib import Path

import pytest
import yaml

from tests.policies import scene
from tests.policies.tables import DEPLOYED_STACK, DEPLOY_ROLE, PIPELINE_ROLE
from tests.templates.named import WITH_DEPLOY, passed_to

LISTED = yaml.safe_load((Path(__file__).parent / "deploy_action.yaml").read_text())
RESOURCES = {
    "on_the_stack": (DEPLOYED_STACK, WITH_DEPLOY),
    "without_a_resource": ("*", {}),
    "on_the_deploy_role": (DEPLOY_ROLE, passed_to("cloudformation.amazonaws.com")),
}


@pytest.mark.parametrize(("kind", "action"), [(kind, action) for kind in RESOURCES for action in LISTED[kind]])
def test_pipeline_role_has_each_listed_action(kind, action):
    resource, keys = RESOURCES[kind]
    assert scene.world().may(PIPELINE_ROLE, action, resource, keys)


def test_every_listed_action_is_evaluated():
    assert LISTED.keys() == {"source", *RESOURCES}
