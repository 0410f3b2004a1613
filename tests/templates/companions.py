"""Environments, projects, people and notifications as deployed, and their policies."""

import parliament
import pytest

from tests.local.policies.evaluation import Caller, decide
from tests.templates.deployed import ACCOUNT, REGION, TEMPLATES, Deployed, as_list, source


def stack(name, **parameters):
    """templates/<name>.yaml in the environment dev."""
    return Deployed(template=source(TEMPLATES / f"{name}.yaml"), stack_name=f"{name}-dev", **{"EnvID": "dev", **parameters})


def environment(**parameters):
    return Deployed(**{"EnvID": "dev", **parameters})


def project(**parameters):
    given = {"EnvID": "dev", "ProjectID": "shop", **parameters}
    return Deployed(template=source(TEMPLATES / "project.yaml"), stack_name="project-dev-shop", **given)


# The first project and a further one, and the logical ID of their pipelines.
BOTH = pytest.mark.parametrize(
    ("deployed", "pipeline"), [(environment, "Project"), (project, "Pipeline")], ids=["environment", "project"]
)


def of_group(deployed, group):
    """Every policy document of a group, from the group's own policies and from those that name the group."""
    name, attached = deployed.name(group), deployed.properties(group).get("ManagedPolicyArns", [])
    found = [
        properties["PolicyDocument"]
        for policy in deployed.of_type("AWS::IAM::ManagedPolicy")
        if deployed.is_made(policy)
        for properties in [deployed.properties(policy)]
        if deployed.arn(policy) in attached or name in properties.get("Groups", [])
    ]
    assert len(found) >= len(attached)
    return found


def user(name, *documents, **more):
    return Caller(account=ACCOUNT, user=name, identity=tuple(documents), **more)


def may(caller, actions, resource, owner=ACCOUNT, policy=None, **keys):
    """The allowed ones among the actions."""
    return {action for action in actions.split() if decide(caller, action, resource, owner, policy, keys)}


def repository(name, region=REGION):
    return f"arn:aws:codecommit:{region}:{ACCOUNT}:{name}"


def statement(document, sid):
    (found,) = [s for s in document["Statement"] if s["Sid"] == sid]
    return found


def actions_of(*documents, effect="Allow"):
    return {a for d in documents for s in d["Statement"] if s["Effect"] == effect for a in as_list(s["Action"])}


def published(service):
    """AWS's published list of a service's actions, with each action's condition keys."""
    (found,) = [entry for entry in parliament.iam_definition if entry["prefix"] == service]
    return {
        f"{service}:{action['privilege']}": {key for kind in action["resource_types"] for key in kind["condition_keys"]}
        for action in found["privileges"]
    }
