"""Principals that no template names get no access to any bucket, key, queue, topic, bus, function, repository
or role.

Generated for each of them, with every action that its service has.
"""

import pytest

from tests.policies import scene
from tests.policies.scene import IMAGES, INSTANCES, PIPELINES, REPOSITORIES, UNNAMED
from tests.policies.tables import ASSUME, anybody, role, user
from tests.policies.test_tables import TABLES
from tests.policies.vocabulary import actions

ACCOUNTS = (PIPELINES, REPOSITORIES, IMAGES, INSTANCES, UNNAMED)
RESOURCES = sorted(
    {policy.resource for policy in scene.world().policies if policy.side in ("resource", "trust")}
)
assert len(RESOURCES) > 15
NAMED_SERVICES = {
    row[0]
    for table in TABLES.values()
    for row in [*table.MAY, *table.MAY_NOT]
    if row[0].endswith(".amazonaws.com")
}


def asked(resource):
    """Every action on a resource, and on a bucket's objects."""
    service = resource.split(":")[2]
    if service == "iam":
        return [(action, resource) for action in sorted(actions("sts"))]
    inside = [f"{resource}/codepipeline-dev-cfn/Source/a"] if service == "s3" else []
    return [(action, each) for action in sorted(actions(service)) for each in [resource, *inside]]


def outsiders(resource):
    """Administrators of every account but the resource's own, and their root users."""
    for account in ACCOUNTS:
        if account != scene.world().owner(resource):
            yield from (
                anybody(role(account, "administrator")),
                anybody(user(account, "somebody")),
                anybody(f"arn:aws:iam::{account}:root"),
            )


# claim: outsider-has-no-access
@pytest.mark.parametrize("resource", RESOURCES)
def test_outsider_has_no_access(resource):
    got = [
        (who, *what)
        for who in outsiders(resource)
        for what in asked(resource)
        if scene.world().may(who, *what)
    ]
    assert got == []


@pytest.mark.parametrize("resource", RESOURCES)
def test_unnamed_service_is_denied(resource):
    """Nor does a service that is named for another purpose, with any source."""
    listed = {
        (row[0], action, row[2])
        for table in TABLES.values()
        for row in table.MAY
        for action in row[1].split()
    }
    owner = scene.world().owner(resource)
    for source in ({}, {"aws:SourceAccount": owner}, {"aws:SourceAccount": UNNAMED}):
        got = [
            (service, *what)
            for service in sorted(NAMED_SERVICES)
            for what in asked(resource)
            if (service, *what) not in listed and scene.world().may(service, *what, source)
        ]
        assert got == []


@pytest.mark.parametrize("resource", [each for each in RESOURCES if ":role/" in each])
def test_no_role_is_for_its_own_accounts_people(resource):
    account = scene.world().owner(resource)
    for who in (role(account, "administrator"), user(account, "somebody")):
        assert not scene.world().may(anybody(who), ASSUME, resource, {})
