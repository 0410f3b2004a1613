"""Denied neighbours of every allowed call: generated from the rows of MAY.

Another environment's name, another account, another region, a role of the same name, and every
other action of the service.
"""

import re
from functools import cache

import pytest

from tests.policies import scene
from tests.policies.rows_deployment import DEPLOYING
from tests.policies.rows_people import APPROVING
from tests.policies.scene import UNNAMED
from tests.policies.tables import anybody
from tests.policies.test_tables import TABLES
from tests.policies.vocabulary import actions as actions_of
from tests.templates.named import SECOND_BUCKET

# dev2 has one more letter, d has fewer, xdev has another beginning; prd is the other environment.
OTHER_ENVIRONMENTS = ("dev2", "d", "xdev", "prd")
_ENVIRONMENT = re.compile(r"(?<![A-Za-z0-9])dev(?![A-Za-z0-9])")
_ACCOUNT = re.compile(r"[0-9]{12}")

# No environment's name: a GitLab token, which its tag names, and the objects of a bucket in
# ArtifactBucketArns.
NAMED_BY_A_PARAMETER = re.compile(rf":secret:gitlab/|^{SECOND_BUCKET}/")


def rows():
    """The stacks' own roles and users, and services. Principals with all permissions prove nothing."""
    for table in TABLES.values():
        for row in table.MAY:
            if not re.search("anybody| with | under |:root", row[0]):
                yield row


ROWS = list(rows())
assert all(sum(bool(pattern.search(row[2])) for row in ROWS) > 100 for pattern in (_ENVIRONMENT, _ACCOUNT))
IDS = [f"{caller} {actions.split()[0]}... {resource} {keys}" for caller, actions, resource, keys in ROWS]


def allowed(caller, actions, resource, keys):
    return [action for action in actions if scene.world().may(caller, action, resource, keys)]


def neighbours(resource):
    """The same in another environment, in another region, and in another account."""
    if not NAMED_BY_A_PARAMETER.search(resource):
        yield from (_ENVIRONMENT.sub(other, resource) for other in OTHER_ENVIRONMENTS)
    parts = resource.split(":", 5)
    if len(parts) == 6 and parts[3]:
        yield ":".join([*parts[:3], "ap-south-1", *parts[4:]])
    yield _ACCOUNT.sub(UNNAMED, resource)


@pytest.mark.parametrize(("caller", "actions", "resource", "keys"), ROWS, ids=IDS)
def test_no_access_to_a_neighbour(caller, actions, resource, keys):
    for neighbour in {*neighbours(resource)} - {resource}:
        assert allowed(caller, actions.split(), neighbour, keys) == [], neighbour
        # Even if that account's resource admits the caller.
        assert (
            UNNAMED not in neighbour
            or [
                action
                for action in actions.split()
                if scene.world().own_policies_allow(caller, action, neighbour, keys)
            ]
            == []
        )


# claim: outsider-has-no-access
@pytest.mark.parametrize(("caller", "actions", "resource", "keys"), ROWS, ids=IDS)
def test_same_name_in_another_account_is_denied(caller, actions, resource, keys):
    """With all permissions that the other account can grant."""
    if caller.startswith("arn:"):
        other = anybody(_ACCOUNT.sub(UNNAMED, caller.split(" in ")[0]))
        if not resource.startswith("*") and ":iam::aws" not in resource and ":aws:transform" not in resource:
            assert allowed(other, actions.split(), resource, keys) == []


def rights_of(caller):
    """A member has the group's permissions."""
    return caller.split(" in ")[-1]


@cache
def listed(holder):
    return frozenset(action for row in ROWS if rights_of(row[0]) == holder for action in row[1].split())


# claim: only-listed-principals-can
@pytest.mark.parametrize(("caller", "actions", "resource", "keys"), ROWS, ids=IDS)
def test_unlisted_action_is_denied(caller, actions, resource, keys):
    """All other actions of the services, on resources that the caller may use."""
    services = {action.split(":")[0] for action in actions.split()}
    others = {action for service in services for action in actions_of(service)} - listed(rights_of(caller))
    assert others, "the list of actions is empty"
    assert allowed(caller, sorted(others), resource, keys) == []


@pytest.mark.parametrize("holder", sorted({rights_of(row[0]) for row in ROWS}))
def test_no_principal_may_make_calls_listed_for_another(holder):
    """All actions that any role, user or service may use, on the same resource."""
    caller = next(row[0] for row in ROWS if rights_of(row[0]) == holder)
    got = [
        (action, resource)
        for _, actions, resource, keys in ROWS
        for action in set(actions.split()) - listed(holder)
        if scene.world().may(caller, action, resource, keys)
    ]
    assert got == []


def test_control_policies_deny_nothing_that_a_stack_allows():
    """Except to an approver, and to a person who deploys without the role."""
    denied = {
        (caller, action)
        for caller, actions, resource, keys in ROWS
        if re.match("arn:.*:(role|user)/", caller)
        for action in actions.split()
        if not scene.world().may(f"{caller} under control", action, resource, keys)
    }
    assert {call for call in denied if call[0] != DEPLOYING} == {
        (APPROVING, "codepipeline:PutApprovalResult")
    }
    assert (DEPLOYING, "cloudformation:ExecuteChangeSet") in denied
