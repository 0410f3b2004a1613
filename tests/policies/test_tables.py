"""Permissions row by row, evaluated with every policy."""

import pytest

from tests.policies import (
    rows_across_accounts,
    rows_clone,
    rows_deployed_roles,
    rows_deployment,
    rows_environment,
    rows_limits,
    rows_people,
    rows_rights,
    rows_services,
    rows_watching,
    scene,
)

TABLES = {
    "rights": rows_rights,
    "services": rows_services,
    "limits": rows_limits,
    "deployed roles": rows_deployed_roles,
    "environment": rows_environment,
    "across accounts": rows_across_accounts,
    "clone": rows_clone,
    "deployment": rows_deployment,
    "people": rows_people,
    "watching": rows_watching,
}


def rows(list_name):
    return [
        pytest.param(*row, id=f"{name}: {row[0]} {row[1].split()[0]}... {row[2]} {row[3]}")
        for name, table in TABLES.items()
        for row in getattr(table, list_name)
    ]


def decided(caller, actions, resource, keys):
    return {action: scene.world().may(caller, action, resource, keys) for action in actions.split()}


@pytest.mark.parametrize(("caller", "actions", "resource", "keys"), rows("MAY"))
def test_it_may(caller, actions, resource, keys):
    rejected = {
        action: each.reason for action, each in decided(caller, actions, resource, keys).items() if not each
    }
    assert rejected == {}


# claim: added-policy-does-not-lift-the-deploy-roles-limits
# claim: administrator-cannot-change-a-protected-branch
# claim: artifacts-have-no-other-write-access
# claim: broad-policy-does-not-lift-a-limit
# claim: deployed-role-does-not-reach-the-machinery
# claim: each-denied-call-is-denied
# claim: hostile-builds-do-not-change-what-was-approved
# claim: name-outside-the-pattern-is-denied-and-the-reason-names-the-parameter
# claim: no-build-gets-a-stronger-role
# claim: only-listed-principals-can
# claim: review-build-reaches-only-its-own-output
# claim: rules-for-artifact-keys-are-denied
@pytest.mark.parametrize(("caller", "actions", "resource", "keys"), rows("MAY_NOT"))
def test_it_may_not(caller, actions, resource, keys):
    allowed = {
        action: each.reason for action, each in decided(caller, actions, resource, keys).items() if each
    }
    assert allowed == {}


# claim: each-denied-call-is-denied
@pytest.mark.parametrize(("caller", "actions", "resource", "keys"), rows_rights.MAY_NOT)
def test_own_policies_do_not_allow_it(caller, actions, resource, keys):
    """The denial does not depend on the resource's policy, which can belong to another account."""
    assert [
        action
        for action in actions.split()
        if scene.world().own_policies_allow(caller, action, resource, keys)
    ] == []
